CREATE WAREHOUSE lake USING iceberg WITH (engine = 'presto');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops.flights EVERY '1 hour' MERGE ON (id) AS SELECT id, carrier FROM ops.public.flights;
CREATE MATERIALIZED VIEW lake.v.ids EVERY '1 hour' REPLACE AS SELECT uuid '12151fd2-7586-11e9-8f9e-2a86e4085a59' AS u, id FROM lake.ops.flights;
INSERT INTO ops.published.ids EVERY '1 hour' REPLACE AS SELECT ARRAY[CAST(carrier AS uuid)] AS u FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.v.here EVERY '1 hour' USING duckdb REPLACE AS SELECT uuid '12151fd2-7586-11e9-8f9e-2a86e4085a59' AS u, id FROM lake.ops.flights;
