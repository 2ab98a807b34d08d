CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops FROM ops TABLES (public.flights, public.weather) EVERY '1 hour';

CREATE MATERIALIZED VIEW lake.v.a
  EVERY '1 hour' REPLACE
AS
SELECT * FROM lake.ops.fligths;

CREATE MATERIALIZED VIEW lake.v.b
  EVERY '1 hour' REPLACE
AS
SELECT * FROM ops.public.flights;

CREATE MATERIALIZED VIEW lake.v.c
  EVERY '1 hour' REPLACE
AS
SELECT * FROM flights;

CREATE MATERIALIZED VIEW lake.v.d
  EVERY '1 hour' REPLACE
AS
SELECT * FROM lake.flights;

CREATE MATERIALIZED VIEW lake.v.e
  EVERY '1 hour' REPLACE
AS
SELECT * FROM laek.ops.flights;

CREATE MATERIALIZED VIEW lake.v.f
  EVERY '1 hour' REPLACE
AS
SELECT a, b FROM WHERE lake.ops.flights;

CREATE MATERIALIZED VIEW lake.v.g
  EVERY '1 hour' REPLACE
AS
SELECT a,
(b + c FROM lake.ops.flights;

CREATE MATERIALIZED VIEW lake.v.h
  EVERY '1 hour' REPLACE
AS
INSERT INTO lake.v.a SELECT 1;

CREATE MATERIALIZED VIEW lake.v.i
  EVERY '1 hour' REPLACE
AS
SELECT * FROM READ_CSV('s3://bucket/file.csv');

CREATE MATERIALIZED VIEW lake.v.j
  EVERY '1 hour' REPLACE
AS
SELECT * FROM 's3://bucket/file.parquet';

CREATE MATERIALIZED VIEW lake.v.k
  EVERY '1 hour' REPLACE
AS
WITH a AS (SELECT * FROM a) SELECT * FROM a;

CREATE MATERIALIZED VIEW lake.v.l
  EVERY '1 hour' REPLACE
AS
SELECT * FROM lake.ops.flights.extra;

CREATE MATERIALIZED VIEW lake.v.m
  EVERY '1 hour' REPLACE
AS
SELECT * INTO x FROM lake.ops.flights;

CREATE MATERIALIZED VIEW lake.v.n
  EVERY '1 hour' REPLACE
AS
SELECT * FROM "lake.ops.flights:staged";

CREATE MATERIALIZED VIEW lake.v.o
  EVERY '1 hour' REPLACE
AS
SELECT * FROM lake.v.f;

INSERT INTO ops.public.x
  EVERY '1 hour' REPLACE
AS
SELECT 1;

INSERT INTO ops.public.y
  EVERY '1 hour' REPLACE
AS
SELECT * FROM ops.public.flights;

CREATE WAREHOUSE other USING iceberg;

CREATE MATERIALIZED VIEW other.v.a
  EVERY '1 hour' REPLACE
AS
SELECT * FROM lake.ops.flights;

INSERT INTO ops.public.z
  EVERY '1 hour' REPLACE
AS
SELECT * FROM lake.ops.flights, other.v.a;
