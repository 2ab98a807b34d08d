CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres;

-- windows
INSERT INTO lake.ops FROM ops TABLES (t) EVERY '1 hour'; -- x
INSERT INTO lake.ops.q EVERY '1 hour' AS SELECT a -- c
  FROM ops.t;
