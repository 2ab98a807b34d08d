CREATE WAREHOUSE lake USING iceberg WITH (engine = 'Presto');
CREATE WAREHOUSE near USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops FROM ops TABLES (t) EVERY '1 hour' MERGE ON (id);
INSERT INTO near.ops FROM ops TABLES (t) EVERY '1 hour' MERGE ON (id);

CREATE MATERIALIZED VIEW lake.v.far
  EVERY '1 hour' REPLACE
  EXPECT some: (n > 0 AND d < batch_end()) OR WARN
AS
SELECT element_at(split(name, ' '), 1) AS name, count(*) AS n, max(at) AS d FROM lake.ops.t GROUP BY 1;

CREATE MATERIALIZED VIEW lake.v.here
  EVERY '1 hour' REPLACE
  USING duckdb
AS
SELECT name[1] AS name, n::VARCHAR AS n FROM lake.v.far;

CREATE MATERIALIZED VIEW near.v.far
  EVERY '1 hour' REPLACE
  USING PRESTO
AS
SELECT approx_distinct(id) AS n FROM near.ops.t;

INSERT INTO ops.far
  EVERY '1 hour' REPLACE
AS
SELECT name FROM lake.v.here WHERE d < batch_end();

INSERT INTO ops.here
  EVERY '1 hour' REPLACE
  USING duckdb
AS
SELECT name FROM lake.v.here WHERE name ^@ 'a';
