CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops.t EVERY '1 hour' AS SELECT id FROM ops.public.t APPEND;
INSERT INTO lake.ops.u EVERY '1 hour' AS SELECT id FROM ops.public.u AS append;
INSERT INTO lake.ops.w EVERY '1 hour' AS SELECT id FROM ops.public.u WHERE append;
CREATE MATERIALIZED VIEW lake.ops.v AS SELECT id FROM lake.ops.u EVERY '1 hour' REPLACE;
CREATE MATERIALIZED VIEW lake.ops.x REPLACE AS SELECT id FROM lake.ops.u EVERY '1 hour';
CREATE MATERIALIZED VIEW lake.ops.y EVERY '1 hour' AS SELECT id FROM lake.ops.u
  replace;
INSERT INTO ops.public.z EVERY '1 hour' AS SELECT id FROM lake.ops."U" APPEND;
