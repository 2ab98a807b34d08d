CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops FROM ops.public TABLES (flights) EVERY '1 hour' REPLACE;

CREATE FUNCTION risk (carrier VARCHAR, dep_delay DOUBLE) RETURNS TABLE (carrier VARCHAR, risk DOUBLE NOT NULL) USING python;

CREATE MATERIALIZED VIEW lake.v.missing EVERY '1 hour' REPLACE AS SELECT * FROM risk((SELECT carrier FROM lake.ops.flights));
CREATE MATERIALIZED VIEW lake.v.other_type EVERY '1 hour' REPLACE AS
SELECT * FROM risk((SELECT carrier, carrier AS dep_delay FROM lake.ops.flights));
CREATE MATERIALIZED VIEW lake.v.wrong EVERY '1 hour' REPLACE AS
SELECT * FROM risk((SELECT carrier, dep_delay FROM lake.ops.flights WHERE nothing > 3));
CREATE MATERIALIZED VIEW lake.v.beyond EVERY '1 hour' REPLACE AS SELECT dep_delay FROM risk(lake.ops.flights);
CREATE MATERIALIZED VIEW lake.v.beside EVERY '1 hour' REPLACE AS
SELECT r.risk FROM lake.ops.flights f, risk((SELECT carrier, dep_delay FROM lake.ops.flights WHERE id = f.id)) r;
CREATE MATERIALIZED VIEW lake.v.by_chance EVERY '1 hour' REPLACE AS
SELECT risk FROM risk((SELECT carrier, random() AS dep_delay FROM lake.ops.flights));
