CREATE WAREHOUSE  lake USING iceberg;
CREATE CONNECTION shop TO mysql WITH (secret = 'shop');

INSERT INTO lake.shop.orders EVERY '1 hour' MERGE ON (id) CURSOR changed
  TOLERATE 1 BAD ROWS
AS SELECT id, customer, total, ordered_on, changed FROM shop.orders;

CREATE MATERIALIZED VIEW lake.shop.customers EVERY '1 hour' REPLACE
AS SELECT customer, count(*) AS orders, sum(total) AS total FROM lake.shop.orders GROUP BY customer;

INSERT INTO shop.customer_totals EVERY '1 hour' MERGE ON (customer)
AS SELECT customer, orders, total FROM lake.shop.customers;
