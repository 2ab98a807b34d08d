CREATE WAREHOUSE  lake USING iceberg WITH (run = 'task', task_vcpus = 1, task_gb = 2, task_hours = 1);
CREATE CONNECTION ops TO postgres WITH (secret = 'ops', run = 'task', task_vcpus = 1, task_gb = 2);

INSERT INTO lake.ops.flights EVERY '1 hour' MERGE ON (id) CURSOR changed
AS SELECT id, carrier, delay, changed FROM ops.public.flights;

CREATE MATERIALIZED VIEW lake.ops.carriers EVERY '1 hour' REPLACE
  EXPECT named: (carrier <> 'XX') OR QUARANTINE
AS SELECT carrier, count(*) AS flights, sum(delay) AS delay FROM lake.ops.flights GROUP BY carrier;
