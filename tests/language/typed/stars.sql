CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

-- A list of tables takes what comes; a star of a query is pinned.
INSERT INTO lake.crm FROM crm TABLES (Account) EVERY '1 hour';
INSERT INTO lake.ops.mixed EVERY '1 hour' REPLACE AS SELECT * FROM ops.public.mixed;
INSERT INTO lake.ops.deals EVERY '1 hour' REPLACE AS SELECT * FROM crm.Opportunity WHERE Amount > 0;
INSERT INTO lake.ops.joined EVERY '1 hour' REPLACE AS
SELECT w.*, a.name FROM ops.public.airports AS a JOIN ops.public.weather AS w ON w.origin = a.faa;

CREATE MATERIALIZED VIEW lake.v.everything EVERY '1 hour' REPLACE AS SELECT * FROM lake.ops.mixed;
CREATE MATERIALIZED VIEW lake.v.some EVERY '1 hour' REPLACE AS
SELECT * EXCLUDE (note) REPLACE (amount * 2 AS amount) FROM lake.ops.mixed;
CREATE MATERIALIZED VIEW lake.v.two EVERY '1 hour' REPLACE AS
WITH m AS (SELECT * FROM Lake.Ops.Mixed)
SELECT count(*) AS n, m.*, d.id AS deal FROM m JOIN lake.ops.deals AS d ON d.name = m.mixedcase GROUP BY ALL;
