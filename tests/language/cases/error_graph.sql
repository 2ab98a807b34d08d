CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops FROM ops TABLES (flights) EVERY '1 hour';
INSERT INTO lake.ops FROM ops TABLES (weather) EVERY '1 day';
INSERT INTO lake.ops.flights EVERY '1 hour' AS SELECT * FROM ops.flights;
CREATE MATERIALIZED VIEW lake.ops.flights EVERY '1 hour' REPLACE AS SELECT * FROM lake.ops.weather;
CREATE MATERIALIZED VIEW lake.c.a EVERY '1 hour' REPLACE AS SELECT * FROM lake.c.b;
CREATE MATERIALIZED VIEW lake.c.b EVERY '1 hour' REPLACE AS SELECT * FROM lake.c.c, lake.ops.flights;
CREATE MATERIALIZED VIEW lake.c.c EVERY '1 hour' REPLACE AS SELECT * FROM lake.c.a;
CREATE MATERIALIZED VIEW lake.c.own EVERY '1 hour' APPEND AS SELECT * FROM lake.c.own;
CREATE MATERIALIZED VIEW lake.c.reader EVERY '1 hour' APPEND AS SELECT * FROM lake.c.a;
INSERT INTO ops.public.x EVERY '1 hour' REPLACE AS SELECT * FROM lake.c.a;
INSERT INTO ops.public.x EVERY '1 hour' REPLACE AS SELECT * FROM lake.c.b;
