CREATE WAREHOUSE lake USING iceberg;
INSERT INTO lake.a.b EVERY '1 hour' AS SELECT a FROM ops.t WHERE a = e'\';
