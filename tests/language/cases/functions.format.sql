CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops FROM ops.public TABLES (flights, planes) EVERY '1 hour' REPLACE;

-- A table and a value; what is written of the table is what the call gives.
CREATE FUNCTION worst (flights TABLE (carrier, dep_delay), most integer) RETURNS TABLE USING sql
AS
SELECT carrier, MAX(dep_delay) AS delay FROM flights GROUP BY carrier ORDER BY delay DESC LIMIT most;

CREATE FUNCTION since (moment TIMESTAMP WITH TIME ZONE) RETURNS TABLE USING sql
AS
SELECT f.* FROM lake.ops.flights AS f WHERE f.updated_at >= moment;

CREATE FUNCTION worst_since (moment TIMESTAMP WITH TIME ZONE, most INTEGER) RETURNS TABLE USING sql
AS
WITH recent AS (SELECT * FROM since(moment) WHERE dep_delay > 0)  -- of the batch
SELECT w.carrier, w.delay, most AS asked FROM worst(recent, most) w;

CREATE FUNCTION all_planes () RETURNS TABLE USING sql
AS
SELECT * FROM lake.ops.planes;

CREATE MATERIALIZED VIEW lake.v.worst
  EVERY '1 hour' REPLACE
AS
SELECT * FROM worst(lake.ops.flights, 3);

CREATE MATERIALIZED VIEW lake.v.of_query
  EVERY '1 hour' REPLACE
AS
SELECT worst.carrier, p.model
FROM worst((SELECT carrier, dep_delay FROM lake.ops.flights WHERE dep_delay < 600), 1 + 2), all_planes() p;

CREATE MATERIALIZED VIEW lake.v.recent
  EVERY '1 hour' APPEND
AS
SELECT * FROM worst_since(batch_start(), 5) AS x;

CREATE MATERIALIZED VIEW lake.v.nested
  EVERY '1 hour' REPLACE
AS
WITH mine AS (SELECT carrier, dep_delay FROM lake.ops.flights)
SELECT a.carrier FROM mine JOIN worst(since(TIMESTAMPTZ '2026-01-01 00:00:00+00'), 2) AS a ON a.carrier = mine.carrier;

INSERT INTO ops.public.worst
  EVERY '1 hour' REPLACE
AS
SELECT carrier, delay FROM worst(lake.ops.flights, 3);
