CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
CREATE CONNECTION other TO postgres WITH (secret = 'other');

INSERT INTO lake.crm FROM crm TABLES (Acount) EVERY '1 hour';
INSERT INTO lake.ops FROM ops.public TABLES (gone, flihgts) EVERY '1 hour';
INSERT INTO lake.other FROM other.public TABLES (a, b) EVERY '1 hour';
INSERT INTO lake.ops.keyed EVERY '1 hour' MERGE ON (nr) AS SELECT * FROM ops.public.flights;
INSERT INTO lake.keys FROM ops.public TABLES (airports) EVERY '1 hour' MERGE ON (code) CURSOR changed;

CREATE MATERIALIZED VIEW lake.v.silent EVERY '1 hour' REPLACE AS SELECT anything FROM lake.other.a;
INSERT INTO ops.published.carrier_scorecard EVERY '1 hour' MERGE ON (carrier) AS
SELECT carrier, count(*) AS fligths, max(time_hour) AS days, min(dest) AS name FROM lake.ops.keyed GROUP BY 1;
INSERT INTO ops.published.unseen EVERY '1 hour' MERGE ON (carrier) AS SELECT carrier FROM lake.ops.keyed;
INSERT INTO ops.published.new_table EVERY '1 hour' MERGE ON (carrier) AS SELECT carrier FROM lake.ops.keyed;
