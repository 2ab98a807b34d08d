CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops.flights EVERY '1 hour' REPLACE
AS SELECT id, carrier, delay FROM ops.public.flights;

CREATE FUNCTION risk (carrier VARCHAR, delay DOUBLE) RETURNS TABLE (carrier VARCHAR NOT NULL, risk DOUBLE)
  USING python WITH (handler = 'models.delay:risk', memory_mb = 512, timeout_seconds = 60);
CREATE FUNCTION ranked (carrier VARCHAR, risk DOUBLE) RETURNS TABLE (carrier VARCHAR, rank INTEGER)
  USING python WITH (handler = 'models.delay:ranked', memory_mb = 512, timeout_seconds = 60);
CREATE FUNCTION broken (carrier VARCHAR) RETURNS TABLE (carrier VARCHAR)
  USING python WITH (handler = 'models.delay:broken', memory_mb = 512, timeout_seconds = 60);
CREATE FUNCTION mistyped (carrier VARCHAR) RETURNS TABLE (carrier INTEGER)
  USING python WITH (handler = 'models.delay:mistyped', memory_mb = 512, timeout_seconds = 60);

CREATE MATERIALIZED VIEW lake.ml.risks EVERY '1 hour' MERGE ON (carrier) EXPECT known: (carrier <> 'XX') OR QUARANTINE
AS SELECT r.carrier, k.rank, r.risk, f.flights
FROM risk((SELECT carrier, delay FROM lake.ops.flights WHERE delay > 0)) AS r
JOIN ranked(risk((SELECT carrier, delay FROM lake.ops.flights WHERE delay > 0))) AS k ON k.carrier = r.carrier
JOIN (SELECT carrier, count(*) AS flights FROM lake.ops.flights GROUP BY carrier) AS f ON f.carrier = r.carrier;

CREATE MATERIALIZED VIEW lake.ml.broken EVERY '1 hour' REPLACE AS SELECT carrier FROM broken(lake.ops.flights);
CREATE MATERIALIZED VIEW lake.ml.mistyped EVERY '1 hour' REPLACE AS SELECT carrier FROM mistyped(lake.ops.flights);
