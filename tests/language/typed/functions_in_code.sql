CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops FROM ops.public TABLES (flights) EVERY '1 hour' REPLACE;

CREATE FUNCTION risk (carrier VARCHAR, dep_delay DOUBLE) RETURNS TABLE (carrier VARCHAR, risk DOUBLE NOT NULL) USING python;
CREATE FUNCTION ranked (risk DOUBLE) RETURNS TABLE (rank INTEGER) USING python;
CREATE FUNCTION late (t TABLE, least DOUBLE) RETURNS TABLE USING sql AS SELECT * FROM t WHERE dep_delay > least;

-- Each column comes from all that the function is given, and from no more.
CREATE MATERIALIZED VIEW lake.v.risks EVERY '1 hour' REPLACE AS
SELECT r.*, f.id FROM risk((SELECT carrier, dep_delay + 1 AS dep_delay FROM lake.ops.flights WHERE id > 3)) AS r
JOIN lake.ops.flights f ON f.carrier = r.carrier AND r.risk > 0.5;
CREATE MATERIALIZED VIEW lake.v.nested EVERY '1 hour' REPLACE AS SELECT count(*) AS ranks FROM ranked(risk(late(lake.ops.flights, 10)));
CREATE MATERIALIZED VIEW lake.v.of_view EVERY '1 hour' REPLACE AS SELECT rank FROM ranked((SELECT risk FROM lake.v.risks));
