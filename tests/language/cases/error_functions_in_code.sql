CREATE WAREHOUSE lake USING iceberg;
CREATE WAREHOUSE old USING archive;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops FROM ops.public TABLES (flights, planes) EVERY '1 hour' REPLACE;
INSERT INTO old.ops FROM ops.public TABLES (flights) EVERY '1 hour' REPLACE;

CREATE FUNCTION risk (carrier VARCHAR, dep_delay DOUBLE) RETURNS TABLE (carrier VARCHAR, risk DOUBLE) USING python WITH (handler = 'models.delay:risk');

-- What cannot be read.
CREATE FUNCTION unlisted (a INTEGER) RETURNS TABLE USING python;
CREATE FUNCTION none () RETURNS TABLE (a INTEGER) USING python;
CREATE FUNCTION of_table (t TABLE (a)) RETURNS TABLE (a INTEGER) USING python;
CREATE FUNCTION untyped (a INTEGER) RETURNS TABLE (b) USING python;
CREATE FUNCTION no_comma (a INTEGER) RETURNS TABLE (b INTEGER, c TABLE) USING python;
CREATE FUNCTION required (a INTEGER NOT NULL) RETURNS TABLE (b INTEGER) USING python;
CREATE FUNCTION with_query (a INTEGER) RETURNS TABLE (b INTEGER) USING python AS SELECT 1 AS b;
CREATE FUNCTION more (a INTEGER) RETURNS TABLE (b INTEGER) USING python WITH (handler = 'a.b:c') EVERY '1 day';
CREATE FUNCTION in_rust (a INTEGER) RETURNS TABLE (b INTEGER) USING rust;
CREATE FUNCTION twins (a INTEGER, A DOUBLE) RETURNS TABLE (b INTEGER, "B" DOUBLE) USING python;
CREATE FUNCTION twins_too (a INTEGER) RETURNS TABLE (b INTEGER) USING python;
CREATE FUNCTION twins_too (a INTEGER) RETURNS TABLE (b INTEGER) USING python;
CREATE FUNCTION mistyped (a INTEGRE) RETURNS TABLE (b VARCHARR) USING python;
CREATE FUNCTION odd (a INTEGER) RETURNS TABLE ("odd name" INTEGER) USING python;
CREATE FUNCTION untold (a INTEGRE) RETURNS TABLE (b VARCHARR) USING python;
CREATE FUNCTION around (t TABLE) RETURNS TABLE USING sql AS SELECT * FROM risk(t);

-- Calls.
CREATE MATERIALIZED VIEW lake.v.a EVERY '1 day' REPLACE AS SELECT * FROM risk();
CREATE MATERIALIZED VIEW lake.v.b EVERY '1 day' REPLACE AS SELECT * FROM risk(lake.ops.flights, 3);
CREATE MATERIALIZED VIEW lake.v.c EVERY '1 day' REPLACE AS SELECT * FROM risk(3);
CREATE MATERIALIZED VIEW lake.v.d EVERY '1 day' REPLACE AS SELECT risk(carrier) AS a FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.v.e EVERY '1 day' REPLACE AS WITH mine AS (SELECT carrier, dep_delay FROM lake.ops.flights) SELECT * FROM risk(mine);
CREATE MATERIALIZED VIEW lake.v.f EVERY '1 day' REPLACE USING presto AS SELECT * FROM risk(lake.ops.flights);
CREATE MATERIALIZED VIEW old.v.g EVERY '1 day' REPLACE AS SELECT * FROM risk(old.ops.flights);
CREATE MATERIALIZED VIEW lake.v.h EVERY '1 day' REPLACE AS SELECT * FROM risk((SELECT carrier, dep_delay FROM lake.ops.flihgts));
CREATE MATERIALIZED VIEW lake.v.i EVERY '1 day' REPLACE AS SELECT * FROM risk((SELECT carrier, now() AS dep_delay FROM lake.ops.flights));
CREATE MATERIALIZED VIEW lake.v.j EVERY '1 day' REPLACE AS SELECT * FROM mistyped(lake.ops.flights);
CREATE MATERIALIZED VIEW lake.v.k EVERY '1 day' REPLACE AS SELECT * FROM lake."results-of-functions"."risk-1";
INSERT INTO lake.ops.some EVERY '1 hour' REPLACE AS SELECT * FROM risk(ops.public.flights);
