CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops.flights EVERY '15 minutes' MERGE ON (id) CURSOR updated_at
AS SELECT id, carrier, dep_delay, updated_at FROM ops.public.flights;
-- clauses that cannot be read: each of them
CREATE MATERIALIZED VIEW lake.ops.clauses EVERY '7 hours' REPLACE
  EXPECT one: (dep_delay > 3) OR DROP
  EXPECT two (carrier IS NULL) OR FAIL
  FRESH WITHIN 'a while'
AS SELECT carrier, dep_delay FROM lake.ops.flights;
-- names that the query has not: each of them, beside what cannot be parsed
CREATE MATERIALIZED VIEW lake.ops.named EVERY '15 minutes' MERGE ON (a, b) PARTITION BY (zz, yy)
  EXPECT one: (order > 3) OR FAIL
  EXPECT two: (dep_delay >) OR FAIL
  EXPECT three: (nosuch IS NULL AND wrong > 1) OR FAIL
AS SELECT carrier, dep_delay FROM lake.ops.flights;
INSERT INTO lake.ops.planes EVERY '15 minutes' MERGE ON (id, nosuch) CURSOR updated MASK (updated HASH) AS SELECT tailnum FROM ops.public.planes;
-- a query that cannot be parsed, and expectations that cannot either
CREATE MATERIALIZED VIEW lake.ops.query EVERY '15 minutes' REPLACE PARTITION BY (carrier, carrier)
  EXPECT one: (SELECT 1) OR FAIL
  EXPECT two: (sum(dep_delay) > 1) OR FAIL
AS SELECT carrier FROM lake.ops.flights f WEHRE dep_delay > 1;
