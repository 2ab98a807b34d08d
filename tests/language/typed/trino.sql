CREATE WAREHOUSE far USING remote;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO far.ops.flights EVERY '1 hour' MERGE ON (id) CURSOR updated_at AS
SELECT id, carrier, dest, distance, dep_delay, updated_at FROM ops.public.flights;
INSERT INTO far.ops.airports EVERY '1 day' REPLACE AS SELECT faa, name FROM ops.public.airports;

CREATE MATERIALIZED VIEW far.v.carrier_day EVERY '1 day' APPEND PARTITION BY (day)
  EXPECT some: (flights > 0 AND day < batch_end()) OR FAIL
AS SELECT date_trunc('day', updated_at) AS day, carrier, count(*) AS flights, avg(dep_delay) AS mean_delay
FROM far.ops.flights WHERE updated_at >= batch_start() AND updated_at < batch_end() GROUP BY 1, 2;

CREATE MATERIALIZED VIEW far.v.ranked EVERY '1 hour' REPLACE AS
WITH d AS (SELECT dest, sum(distance) AS miles, max(far.ops.flights.dep_delay) AS worst FROM far.ops.flights GROUP BY dest)
SELECT a.name, d.*, rank() OVER (PARTITION BY a.name ORDER BY miles DESC) AS place
FROM d LEFT JOIN far.ops.airports AS a ON a.faa = d.dest WHERE d.dest IN (SELECT faa FROM far.ops.airports);

CREATE MATERIALIZED VIEW far.v.all_of_them EVERY '1 hour' REPLACE AS SELECT * FROM far.ops.airports
UNION ALL SELECT upper(faa), CAST(element_at(split(name, ' '), 1) AS varchar) FROM far.ops.airports;

INSERT INTO ops.published.new_table EVERY '1 day' MERGE ON (code) AS
SELECT carrier AS code, CASE WHEN count(*) > 1 AND max(day) < batch_end() THEN 'many' ELSE CAST(avg(mean_delay) AS varchar) END AS name
FROM far.v.carrier_day GROUP BY carrier;

CREATE MATERIALIZED VIEW far.v.numbers EVERY '1 hour' REPLACE AS
SELECT id, CAST(id AS decimal(10, 2)) / 3 AS third, sqrt(distance) AS root, coalesce(distance, id) AS either, 1.50 AS price,
  updated_at - INTERVAL '1' DAY AS before, round(CAST(dep_delay AS decimal(8, 3)), 1) AS tenth
FROM far.ops.flights;
