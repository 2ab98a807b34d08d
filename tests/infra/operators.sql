CREATE WAREHOUSE  lake USING iceberg;
CREATE CONNECTION ops  TO postgres WITH (secret = 'operators');

INSERT INTO lake.shop.orders EVERY '1 hour' MERGE ON (id) CURSOR updated_at
AS SELECT id, customer, updated_at FROM ops.public.orders;

INSERT INTO ops.public.customers EVERY '1 hour' MERGE ON (customer)
AS SELECT customer, count(*) AS orders FROM lake.shop.orders GROUP BY 1;
