CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops FROM ops TABLES (flights) EVERY '1 hour'
INSERT INTO lake.crm FROM crm TABLES (Account) EVERY '1 hour'
CREATE MATERIALIZED VIEW lake.v.a EVERY '1 hour' REPLACE AS SELECT * FROM lake.ops.flights  -- no end
CREATE MATERIALIZED VIEW lake.v.b EVERY '1 hour' REPLACE AS SELECT * FROM lake.v.a
