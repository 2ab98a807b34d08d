CREATE WAREHOUSE  lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
CREATE CONNECTION product TO dynamodb WITH (tables = 'carriers', prefix = 'prod-');
CREATE CONNECTION shelf TO s3 WITH (bucket = 'acme-shelf', prefix = 'out/', format = 'parquet');

INSERT INTO lake.ops.flights EVERY '1 hour' REPLACE
AS SELECT id, carrier, delay, changed FROM ops.public.flights;

CREATE MATERIALIZED VIEW lake.ops.carriers EVERY '1 hour' REPLACE
AS SELECT carrier, count(*) AS flights, sum(delay) AS delay, max(changed) AS changed FROM lake.ops.flights GROUP BY carrier;

INSERT INTO product.carriers EVERY '1 hour' MERGE ON (carrier)
AS SELECT carrier, flights, delay, changed FROM lake.ops.carriers;

INSERT INTO shelf.carriers EVERY '1 hour' REPLACE
AS SELECT carrier, flights, delay, changed FROM lake.ops.carriers ORDER BY carrier;
