CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.a FROM ops TABLES (t) EVERY '7 minutes';
INSERT INTO lake.b FROM ops TABLES (t) EVERY '8 days';
INSERT INTO lake.c FROM ops TABLES (t) EVERY '30 seconds';
INSERT INTO lake.d FROM ops TABLES (t) EVERY '0 minutes';
INSERT INTO lake.e FROM ops TABLES (t) EVERY '36 hours';
INSERT INTO lake.ok FROM ops TABLES (t) EVERY '2 days';
INSERT INTO lake.ok2 FROM ops TABLES (t) EVERY '45 minutes';
CREATE MATERIALIZED VIEW lake.v.three EVERY '3 days' REPLACE AS SELECT * FROM lake.ok.t;
CREATE MATERIALIZED VIEW lake.v.hour EVERY '1 hour' REPLACE AS SELECT * FROM lake.ok2.t JOIN lake.ok.t USING (id);
INSERT INTO ops.public.x EVERY '1 hour' REPLACE AS SELECT * FROM lake.ok2.t;
