-- A name is compared with what the program means to make, also where that statement has a mistake, and never with itself.
CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops.orders
  EVERY '7 minutes' MERGE ON (id) CURSOR updated_at
AS SELECT id, updated_at FROM ops.public.orders;

CREATE MATERIALIZED VIEW lake.ops.order_days
  EVERY '1 hour' REPLACE
AS SELECT * FROM lake.ops.order;
