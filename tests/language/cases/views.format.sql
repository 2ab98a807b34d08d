CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops FROM ops TABLES (public.flights, public.weather) EVERY '1 hour';

CREATE MATERIALIZED VIEW lake.ops.carrier_day
  EVERY '1 day' APPEND PARTITION BY (day, Carrier)
  EXPECT complete: (carrier IS NOT NULL) OR FAIL
  EXPECT sane: (flights BETWEEN 1 AND 100000 AND coalesce(mean_delay, 0) < 3000) OR QUARANTINE
  EXPECT known: (carrier IN ('AA', 'UA')) OR WARN
  FRESH WITHIN '26 hours'
AS
SELECT date_trunc('day', time_hour) AS day, carrier, count(*) AS flights, avg(dep_delay) AS mean_delay
FROM LAKE.ops.Flights WHERE time_hour >= batch_start() AND time_hour < BATCH_END() AND NOT _deleted GROUP BY 1, 2;

-- every way of naming an input
CREATE MATERIALIZED VIEW lake.ops.ways
  EVERY '1 day' REPLACE
AS
WITH flights AS (SELECT * FROM lake.ops.flights), lake AS (SELECT 1 AS one)
SELECT * FROM flights, lake, LATERAL (SELECT * FROM lake.ops.weather w WHERE w.id = flights.id) x
WHERE EXISTS (SELECT 1 FROM "lake"."ops"."carrier_day") AND flights.id IN (SELECT id FROM lake.ops.flights)
UNION ALL (SELECT * FROM lake.ops.carrier_day EXCEPT SELECT * FROM lake.ops.weather)
UNION ALL SELECT a.*, 1 FROM range(10) r, unnest([1, 2]) u(v) JOIN lake.ops.weather AS a ON a.id = u.v;

-- a CTE hides nothing but its own name, and only where it is in sight
CREATE MATERIALIZED VIEW lake.ops.recursion
  EVERY '1 week' MERGE ON (n)
AS
WITH RECURSIVE steps AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM steps WHERE n < 5)
SELECT steps.n, lake.ops.flights.carrier FROM steps JOIN lake.ops.flights ON true;

CREATE MATERIALIZED VIEW lake.ops.calendar
  EVERY '1 day' REPLACE
AS
SELECT * FROM generate_series(DATE '2024-01-01', DATE '2024-12-31', INTERVAL 1 DAY) t(day);

CREATE MATERIALIZED VIEW lake.ops.plain
  EVERY '15 minutes' REPLACE
AS
FROM lake.ops.calendar;
