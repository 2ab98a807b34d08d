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
CREATE MATERIALIZED VIEW lake.ops.a EVERY '1 hour' APPEND AS SELECT id FROM lake.ops.u WHERE id > 3 PARTITION BY (id) FRESH WITHIN '2 hours';
CREATE MATERIALIZED VIEW lake.ops.b EVERY '1 hour' AS SELECT id FROM lake.ops.u JOIN lake.ops.w MERGE ON (id);
CREATE MATERIALIZED VIEW lake.ops.c AS EVERY '1 hour' REPLACE SELECT id FROM lake.ops.u;
CREATE MATERIALIZED VIEW lake.ops.d EVERY '1 hour' REPLACE AS SELECT id FROM lake.ops.u PARTITION (id);
CREATE MATERIALIZED VIEW lake.ops.e EVERY '1 hour' REPLACE AS SELECT id FROM lake.ops.u EXPECT good (id > 3) OR FAIL;
INSERT INTO lake.ops.f EVERY '1 hour' MERGE ON (id) AS SELECT id, email FROM ops.public.u MASK (email HASH);
INSERT INTO lake.ops.g EVERY '1 hour' MERGE ON (id) AS SELECT id FROM ops.public.u CURSOR updated_at ORDER BY id TOLERATE 5 BAD ROWS;
