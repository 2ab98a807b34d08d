CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.crm FROM crm TABLES (Account, Opportunity) EVERY '1 hour';
INSERT INTO lake.ops FROM ops.public TABLES (flights, airports) EVERY '1 hour';
INSERT INTO lake.ops.deals EVERY '1 hour' REPLACE AS SELECT Id, Amont FROM crm.Opportunity WHERE Stage = 'Won' AND CloseDate > 2024-01-01;
INSERT INTO lake.ops.late EVERY '1 hour' REPLACE AS SELECT flight, arr_dely FROM ops.public.flights WHERE dep_delay > 'x'::int;

CREATE MATERIALIZED VIEW lake.v.unknown EVERY '1 hour' REPLACE AS
SELECT carier, f.mean, g.flight FROM lake.ops.flights AS f WHERE dest_ = 'JFK';
CREATE MATERIALIZED VIEW lake.v.ambiguous EVERY '1 hour' REPLACE AS
SELECT name, account.id FROM lake.crm.account JOIN lake.crm.opportunity ON accountid = account.id;
CREATE MATERIALIZED VIEW lake.v.functions EVERY '1 hour' REPLACE AS
SELECT date_trun('day', time_hour) AS day, distnce(1) AS d FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.v.types EVERY '1 hour' REPLACE AS
SELECT carrier + 1 AS wrong, CASE WHEN distance > 5 THEN dest ELSE time_hour END AS mixed, sum(dest) OVER () AS total
FROM lake.ops.flights WHERE distance > time_hour AND dest;
CREATE MATERIALIZED VIEW lake.v.grouped EVERY '1 hour' REPLACE AS
SELECT carrier, dest, count(*) AS n FROM lake.ops.flights GROUP BY carrier;
CREATE MATERIALIZED VIEW lake.v.unequal EVERY '1 hour' REPLACE AS
SELECT carrier, dest FROM lake.ops.flights UNION ALL SELECT name FROM lake.ops.airports;
CREATE MATERIALIZED VIEW lake.v.unlike EVERY '1 hour' REPLACE AS
SELECT carrier, distance FROM lake.ops.flights UNION ALL SELECT name, updated_at FROM lake.ops.airports, lake.ops.flights;
CREATE MATERIALIZED VIEW lake.v.unnamed EVERY '1 hour' REPLACE AS SELECT carrier, count(*) FROM lake.ops.flights GROUP BY carrier;
CREATE MATERIALIZED VIEW lake.v.untyped EVERY '1 hour' REPLACE AS SELECT INTERVAL 1 day AS i, {'a': 1} AS s FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.v.twins EVERY '1 hour' REPLACE AS
SELECT * FROM lake.ops.flights AS f JOIN lake.crm.account AS a ON a.name = f.carrier;
CREATE MATERIALIZED VIEW lake.v.clauses EVERY '1 hour' MERGE ON (nr) PARTITION BY (yer)
  EXPECT known: (destination = 'x' AND len(dest) > 2) OR WARN
  EXPECT kind: (distance > dest) OR WARN
AS SELECT * FROM lake.ops.flights;

-- Of a reader of something broken nothing is said that is its input's fault; what is its own is said.
CREATE MATERIALIZED VIEW lake.v.reader EVERY '1 hour' REPLACE AS SELECT wrong + 1 AS next, mixed, totl FROM lake.v.types;
