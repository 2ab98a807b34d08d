-- What `make verify-aws` deploys and runs: collect, organize, and publish back, in one database.
CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION shop TO postgres WITH (secret = 'verify');

INSERT INTO lake.shop.orders
  EVERY '1 minute' MERGE ON (id) CURSOR updated_at
AS SELECT id, customer, amount, updated_at FROM shop.public.orders;

CREATE MATERIALIZED VIEW lake.shop.totals
  EVERY '1 minute' REPLACE
  EXPECT has_customer: (customer IS NOT NULL) OR FAIL
AS SELECT customer, count(*) AS orders, sum(amount) AS amount FROM lake.shop.orders GROUP BY 1;

INSERT INTO shop.public.customer_totals
  EVERY '1 minute' MERGE ON (customer)
AS SELECT customer, orders, amount FROM lake.shop.totals;
