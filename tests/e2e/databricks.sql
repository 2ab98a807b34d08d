CREATE WAREHOUSE  dwh USING databricks WITH (OPTIONS);
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO dwh.ops.flights EVERY '1 hour' MERGE ON (id) CURSOR changed
AS SELECT id, carrier, delay, changed FROM ops.public.flights;

CREATE MATERIALIZED VIEW dwh.ops.carriers EVERY '1 hour' REPLACE
  EXPECT named: (carrier <> 'XX') OR QUARANTINE
AS SELECT carrier, count(*) AS flights, sum(delay) AS delay, max(changed) AS changed FROM dwh.ops.flights GROUP BY carrier;

INSERT INTO ops.public.carriers EVERY '1 hour' MERGE ON (carrier)
AS SELECT carrier, flights, delay, changed FROM dwh.ops.carriers;
