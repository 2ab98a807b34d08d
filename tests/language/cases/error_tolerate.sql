CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops FROM ops.public TABLES (flights) EVERY '15 minutes' TOLERATE lake.ops.flights STALE '1 day';
INSERT INTO lake.ops.weather EVERY '15 minutes' TOLERATE ops.public.weather STALE '1 day' AS SELECT * FROM ops.public.weather;
CREATE MATERIALIZED VIEW lake.ops.one EVERY '1 hour' REPLACE TOLERATE lake.ops.flihgts STALE '1 day' AS SELECT * FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.ops.two EVERY '1 hour' REPLACE TOLERATE lake.ops.flights '1 day' AS SELECT * FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.ops.three EVERY '1 hour' REPLACE TOLERATE lake.ops.flights STALE 1 day AS SELECT * FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.ops.four EVERY '1 hour' REPLACE
  TOLERATE lake.ops.flights STALE '1 day' TOLERATE Lake.ops.flights STALE '2 days'
AS SELECT * FROM lake.ops.flights;
