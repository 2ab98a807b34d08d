CREATE WAREHOUSE  dwh USING databricks WITH (
  host = 'dbc-a1b2345c-d6e7.cloud.databricks.com', warehouse_id = 'a1b234c567d8e9fa', catalog = 'analytics', secret = 'databricks',
  storage_principal_arn = 'arn:aws:iam::000000000000:user/unity-catalog', storage_external_id = '0f1e2d3c-4b5a-6978'
);
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO dwh.ops.flights EVERY '1 hour' MERGE ON (id) CURSOR changed
AS SELECT id, carrier, delay, changed FROM ops.public.flights;

CREATE MATERIALIZED VIEW dwh.ops.carriers EVERY '1 hour' REPLACE
  EXPECT named: (carrier <> 'XX') OR QUARANTINE
AS SELECT carrier, count(*) AS flights, sum(delay) AS delay FROM dwh.ops.flights GROUP BY carrier;

INSERT INTO ops.public.carriers EVERY '1 hour' MERGE ON (carrier)
AS SELECT carrier, flights FROM dwh.ops.carriers;
