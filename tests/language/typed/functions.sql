CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops FROM ops.public TABLES (flights) EVERY '1 hour' REPLACE;

CREATE FUNCTION newest (t TABLE, least DOUBLE) RETURNS TABLE USING sql AS
SELECT t.*, dep_delay - least AS beyond FROM t WHERE dep_delay > least;
CREATE FUNCTION by_carrier (t TABLE (carrier, dep_delay)) RETURNS TABLE USING sql AS
SELECT *, row_number() OVER (PARTITION BY carrier ORDER BY dep_delay) AS place FROM t;

CREATE MATERIALIZED VIEW lake.v.newest EVERY '1 hour' REPLACE AS SELECT * FROM newest(lake.ops.flights, 10);
CREATE MATERIALIZED VIEW lake.v.places EVERY '1 hour' REPLACE AS
SELECT b.carrier, b.place FROM by_carrier(lake.v.newest) AS b JOIN newest(lake.ops.flights, 0.5) ON newest.carrier = b.carrier;
CREATE MATERIALIZED VIEW lake.v.again EVERY '1 hour' USING presto REPLACE AS SELECT * FROM by_carrier((SELECT * FROM lake.ops.flights)) b;
