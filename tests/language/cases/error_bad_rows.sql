CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops FROM ops.public TABLES (flights) EVERY '15 minutes';
CREATE CONNECTION log TO events;
INSERT INTO lake.log FROM log TABLES (entries) EVERY '15 minutes' TOLERATE 5 BAD ROWS;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
INSERT INTO crm.account EVERY '1 hour' MERGE ON (id) TOLERATE 5 BAD ROWS AS SELECT id FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.ops.none EVERY '1 hour' REPLACE TOLERATE 5 BAD ROWS AS SELECT * FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.ops.one EVERY '1 hour' REPLACE TOLERATE 2.5 BAD ROWS AS SELECT * FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.ops.two EVERY '1 hour' REPLACE TOLERATE 101 PERCENT BAD ROWS AS SELECT * FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.ops.three EVERY '1 hour' REPLACE TOLERATE 5 ROWS AS SELECT * FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.ops.four EVERY '1 hour' REPLACE TOLERATE 5 BAD ROWS TOLERATE 6 BAD ROWS
  EXPECT known: (id > 0) OR QUARANTINE AS SELECT * FROM lake.ops.flights;
CREATE MATERIALIZED VIEW lake.ops.flights__rejected EVERY '1 hour' REPLACE AS SELECT * FROM lake.ops.flights;
