-- What programs of other tools say.
CREATE WAREHOUSE IF NOT EXISTS lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
CREATE OR REPLACE MATERIALIZED VIEW lake.ops.a EVERY '1 hour' REPLACE AS SELECT id FROM lake.ops.z;
CREATE TABLE IF NOT EXISTS lake.ops.b AS SELECT id FROM lake.ops.a;
CREATE DYNAMIC TABLE lake.ops.c TARGET_LAG = '1 hour' AS SELECT id FROM lake.ops.b;
CREATE SCHEMA lake.ops;
CREATE SECRET ops;
CREATE MATERIALIZED VIEW lake.ops.d (id, name) EVERY '1 hour' REPLACE AS SELECT id FROM lake.ops.a;
CREATE MATERIALIZED VIEW lake.ops.e CLUSTER BY (id) OPTIONS (refresh = TRUE) EVERY '1 hour' REPLACE AS SELECT id FROM lake.ops.a;
CREATE MATERIALIZED VIEW lake.ops.f EVERY '1 hour' REPLACE CURSOR id AS SELECT id FROM lake.ops.a;
INSERT INTO lake.ops.g VALUES (1, 2);
INSERT INTO lake.ops.h EVERY '1 hour' FROM ops.public.t;
INSERT INTO lake.ops TABLES (t) EVERY '1 hour';
SELECT id FROM lake.ops.a;
DROP TABLE lake.ops.a;
{{ config(materialized = 'table') }};
EVERY '1 hour';
