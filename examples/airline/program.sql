-- The airline's data program: which carriers and airports run late, joined with what the sales team knows of them.
-- Everything runs each minute, so that you can watch it, and reads as little again; in production it would say '15 minutes' or '1 hour'.

CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm', lag = '1 minute');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

-- Collect: two objects of the CRM, three small tables whole, and of flights what changed.

INSERT INTO lake.crm FROM crm TABLES (Account, Opportunity) EVERY '1 minute';

INSERT INTO lake.ops FROM ops.public TABLES (airports, planes, weather) EVERY '1 minute';

INSERT INTO lake.ops.flights
  EVERY '1 minute' MERGE ON (id) CURSOR updated_at
AS
SELECT id, carrier, flight, tailnum, origin, dest, dep_delay, arr_delay, distance, time_hour, updated_at
FROM ops.public.flights;

-- Organize: views on views.

CREATE MATERIALIZED VIEW lake.ops.carrier_day
  EVERY '1 minute' REPLACE
  EXPECT has_carrier: (carrier IS NOT NULL) OR FAIL
  EXPECT plausible_delay: (mean_delay BETWEEN -60 AND 600) OR WARN
  FRESH WITHIN '5 minutes'
AS
SELECT date_trunc('day', time_hour) AS day, carrier,
       count(*) AS flights, count(dep_delay) AS departed,
       sum(dep_delay) AS minutes_late, round(avg(dep_delay), 2) AS mean_delay
FROM lake.ops.flights
GROUP BY 1, 2;

CREATE MATERIALIZED VIEW lake.ops.carrier_score
  EVERY '1 minute' REPLACE
AS
WITH revenue AS (
  SELECT a.carrier_code__c AS carrier, a.name, CAST(sum(o.amount) AS DECIMAL(18, 2)) AS pipeline, count(o.id) AS deals
  FROM lake.crm.account a LEFT JOIN lake.crm.opportunity o ON o.accountid = a.id AND NOT o._deleted
  WHERE a.type = 'Airline' AND NOT a._deleted
  GROUP BY 1, 2)
SELECT d.carrier, r.name, count(*) AS days, sum(d.flights) AS flights,
       round(sum(d.minutes_late) / nullif(sum(d.departed), 0), 2) AS mean_delay, r.pipeline, r.deals
FROM lake.ops.carrier_day d LEFT JOIN revenue r ON r.carrier = d.carrier
GROUP BY d.carrier, r.name, r.pipeline, r.deals;

CREATE MATERIALIZED VIEW lake.ops.flight_log
  EVERY '1 minute' APPEND
AS
SELECT date_trunc('minute', updated_at) AS seen, carrier, count(*) AS changed_flights, max(updated_at) AS last_change
FROM lake.ops.flights
WHERE updated_at >= batch_start() AND updated_at < batch_end()
GROUP BY 1, 2;

-- Harness: back into the production database, where the operations team's pages read it.

INSERT INTO ops.published.carrier_scorecard
  EVERY '1 minute' MERGE ON (carrier)
AS
SELECT carrier, name, days, flights, mean_delay, pipeline, deals FROM lake.ops.carrier_score;

INSERT INTO ops.published.airport_delays
  EVERY '1 minute' MERGE ON (faa)
AS
SELECT p.faa, p.name, count(*) AS departures, round(avg(f.dep_delay), 2) AS mean_delay,
       count(DISTINCT n.manufacturer) AS manufacturers, max(w.gust) AS strongest_gust
FROM lake.ops.airports p
JOIN lake.ops.flights f ON f.origin = p.faa
LEFT JOIN lake.ops.planes n ON n.tailnum = f.tailnum
LEFT JOIN (SELECT origin, max(wind_gust) AS gust FROM lake.ops.weather GROUP BY 1) w ON w.origin = p.faa
GROUP BY 1, 2;
