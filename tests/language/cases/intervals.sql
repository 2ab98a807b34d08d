CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.a FROM ops TABLES (minute) EVERY '1 minute';
INSERT INTO lake.b FROM ops TABLES (weekly) EVERY '1 week';
CREATE MATERIALIZED VIEW lake.v.finer EVERY '90 minutes' REPLACE AS SELECT * FROM lake.a.minute;
CREATE MATERIALIZED VIEW lake.v.slower EVERY '7 days' REPLACE AS SELECT * FROM lake.v.finer, lake.b.weekly;
CREATE MATERIALIZED VIEW lake.v.divides EVERY '24 hours' REPLACE AS SELECT * FROM lake.b.weekly;
