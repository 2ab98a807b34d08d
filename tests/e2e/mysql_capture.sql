CREATE WAREHOUSE  lake USING iceberg;
CREATE CONNECTION shop TO mysql WITH (secret = 'shop');

INSERT INTO lake.shop.orders EVERY '1 minute' MERGE ON (id) CAPTURE AS SELECT id, customer, total, note FROM shop.orders;

CREATE MATERIALIZED VIEW lake.shop.customers EVERY '1 minute' REPLACE
AS SELECT customer, count(*) AS orders, sum(total) AS total FROM lake.shop.orders GROUP BY customer;
