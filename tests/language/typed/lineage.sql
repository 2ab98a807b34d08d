CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.crm FROM crm TABLES (Account) EVERY '1 hour';
INSERT INTO lake.ops.flights EVERY '1 hour' MERGE ON (id) CURSOR updated_at AS
SELECT id, carrier, dest AS destination, distance, dep_delay, updated_at FROM ops.public.flights WHERE origin <> 'EWR';
INSERT INTO lake.ops.busy EVERY '1 day' REPLACE AS
SELECT a.faa, a.name, count(*) AS flights, round(avg(f.dep_delay), 1) AS delay
FROM ops.public.airports AS a JOIN ops.public.flights AS f ON f.dest = a.faa
WHERE f.distance > 100 GROUP BY a.faa, a.name;

CREATE MATERIALIZED VIEW lake.v.ranked EVERY '1 hour' REPLACE PARTITION BY (carrier)
  EXPECT near: (distance < 10000) OR WARN
AS
WITH far AS (SELECT carrier, destination, distance FROM lake.ops.flights WHERE dep_delay IS NOT NULL)
SELECT carrier, destination, distance, row_number() OVER (PARTITION BY carrier ORDER BY distance DESC) AS place
FROM far QUALIFY place < 4;

CREATE MATERIALIZED VIEW lake.v.names EVERY '1 hour' REPLACE AS
SELECT r.carrier AS code, coalesce(a.name, r.carrier) AS name FROM lake.v.ranked AS r LEFT JOIN lake.crm.account AS a
ON a.carrier_code__c = r.carrier AND NOT a._deleted
UNION
SELECT faa, name FROM lake.ops.busy WHERE flights > (SELECT avg(flights) FROM lake.ops.busy);

INSERT INTO ops.published.new_table EVERY '1 hour' MERGE ON (code) AS SELECT * FROM lake.v.names ORDER BY name;
