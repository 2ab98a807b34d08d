CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops FROM ops.public TABLES (flights) EVERY '1 hour' REPLACE;

CREATE FUNCTION late (t TABLE, least INTEGER) RETURNS TABLE USING sql AS
SELECT carier, dep_delay FROM t WHERE dep_delay > least;
CREATE FUNCTION sums (t TABLE (carrier, delay)) RETURNS TABLE USING sql AS SELECT carrier, sum(delay) AS delay FROM t GROUP BY 1;
CREATE FUNCTION twofold (t TABLE) RETURNS TABLE USING sql AS SELECT * FROM late(t, 3);

CREATE MATERIALIZED VIEW lake.v.a EVERY '1 hour' REPLACE AS SELECT * FROM late(lake.ops.flights, 10);
CREATE MATERIALIZED VIEW lake.v.b EVERY '1 hour' REPLACE AS SELECT * FROM twofold(lake.ops.flights);
CREATE MATERIALIZED VIEW lake.v.c EVERY '1 hour' REPLACE AS SELECT * FROM sums(lake.ops.flights);
CREATE MATERIALIZED VIEW lake.v.d EVERY '1 hour' REPLACE AS
SELECT * FROM sums((SELECT dest AS carrier, carrier AS delay FROM lake.ops.flights));
CREATE MATERIALIZED VIEW lake.v.e EVERY '1 hour' REPLACE AS SELECT * FROM sums((SELECT carrier, dep_dely AS delay FROM lake.ops.flights));
CREATE MATERIALIZED VIEW lake.v.f EVERY '1 hour' REPLACE AS SELECT s.carier FROM sums((SELECT carrier, dep_delay AS delay FROM lake.ops.flights)) s;
