CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops.a EVERY "1 minute" APPEND FRESH '2 hours' CURSOR 1 MASK (b ENCRYPT) AS SELECT id, b FROM ops.public.a;

INSERT INTO lake.ops.b EVERY "1 minute" MERGE (id) CURSOR updated_at AS SELECT id, updated_at FROM ops.public.b;

CREATE MATERIALIZED VIEW lake.ops.c EVERY "1 minute" REPLACE PARTITION day EXPECT x (y) OR WARN AS SELECT replace(b, 'x', 'y') AS b FROM lake.ops.a;
