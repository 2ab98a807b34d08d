CREATE WAREHOUSE  lake USING iceberg WITH (run = 'auto', mask_key = 'mask');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops', run = 'task');

INSERT INTO lake.ops.flights EVERY '1 hour' MERGE ON (id) CURSOR updated_at
  MASK (carrier HASH)
AS SELECT id, carrier, updated_at FROM ops.public.flights;

CREATE MATERIALIZED VIEW lake.ops.carriers EVERY '1 hour' REPLACE
AS SELECT carrier, count(*) AS flights FROM lake.ops.flights GROUP BY carrier;

INSERT INTO ops.public.carriers EVERY '1 hour' MERGE ON (carrier)
AS SELECT carrier, flights FROM lake.ops.carriers;
