CREATE WAREHOUSE  lake USING iceberg;
CREATE CONNECTION ops  TO postgres WITH (secret = 'operators');

INSERT INTO lake.shop.orders EVERY '1 hour' MERGE ON (id) CURSOR updated_at
AS SELECT id, customer, updated_at FROM ops.public.orders;

CREATE MATERIALIZED VIEW lake.shop.known EVERY '1 hour' REPLACE
  EXPECT known: (customer <> 'c2') OR QUARANTINE
  TOLERATE 50 PERCENT BAD ROWS
AS SELECT id, customer FROM lake.shop.orders;

INSERT INTO ops.public.customers EVERY '1 hour' MERGE ON (customer)
AS SELECT customer, count(*) AS orders FROM lake.shop.orders GROUP BY 1;
