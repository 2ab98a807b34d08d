CREATE WAREHOUSE  dwh USING redshift WITH (managed = TRUE);
CREATE WAREHOUSE  past USING redshift WITH (cluster_identifier = 'analytics', database = 'reports', db_user = 'atoll');
CREATE WAREHOUSE  desk USING redshift WITH (workgroup = 'reports', workgroup_id = '01234567-89ab-cdef-0123-456789abcdef', secret = 'desk');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO dwh.ops.flights EVERY '1 hour' MERGE ON (id) CURSOR changed
AS SELECT id, carrier, delay, changed FROM ops.public.flights;

CREATE MATERIALIZED VIEW dwh.ops.carriers EVERY '1 hour' REPLACE
  EXPECT named: (carrier <> 'XX') OR QUARANTINE
AS SELECT carrier, count(*) AS flights, sum(delay) AS delay FROM dwh.ops.flights GROUP BY carrier;

-- the same in warehouses that are there already
INSERT INTO past.ops.flights EVERY '1 hour' REPLACE AS SELECT id, carrier, delay, changed FROM ops.public.flights;
CREATE MATERIALIZED VIEW past.ops.carriers EVERY '1 hour' REPLACE
AS SELECT carrier, count(*) AS flights, sum(delay) AS delay FROM past.ops.flights GROUP BY carrier;

INSERT INTO desk.ops.flights EVERY '1 hour' REPLACE AS SELECT id, carrier, delay, changed FROM ops.public.flights;
CREATE MATERIALIZED VIEW desk.ops.carriers EVERY '1 hour' REPLACE
AS SELECT carrier, count(*) AS flights, sum(delay) AS delay FROM desk.ops.flights GROUP BY carrier;
