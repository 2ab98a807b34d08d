CREATE WAREHOUSE  lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops.flights EVERY '1 hour' REPLACE AS SELECT id, carrier FROM ops.public.flights;

CREATE MATERIALIZED VIEW lake.ops.by_athena EVERY '1 hour' REPLACE USING athena AS SELECT carrier FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.ops.by_spark  EVERY '1 hour' REPLACE USING spark  AS SELECT carrier FROM lake.ops.flights;
