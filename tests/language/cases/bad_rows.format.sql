CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
INSERT INTO lake.crm FROM crm TABLES (Account) EVERY '1 hour' TOLERATE 20 BAD ROWS;

INSERT INTO lake.crm.deal
  EVERY '1 hour'
  TOLERATE 1 PERCENT BAD ROWS
AS
SELECT Id, Amount, SystemModstamp FROM crm.Opportunity;

INSERT INTO lake.ops FROM ops.public TABLES (flights, weather)
  EVERY '15 minutes'
  EXPECT timed: (time_hour IS NOT NULL) OR QUARANTINE
  TOLERATE 100 BAD ROWS;

CREATE MATERIALIZED VIEW lake.ops.late
  EVERY '15 minutes' REPLACE
  EXPECT known: (id > 0) OR QUARANTINE
  TOLERATE lake.ops.weather STALE '2 hours'
  TOLERATE 0.5 PERCENT BAD ROWS  -- the feed is old
AS
SELECT f.id FROM lake.ops.flights f JOIN lake.ops.weather w ON w.id = f.id;

INSERT INTO lake.ops.seats
  EVERY '1 hour' MERGE ON (id)
  TOLERATE 3 BAD ROWS
AS
SELECT id, n FROM ops.public.seats;

INSERT INTO ops.public.all_late
  EVERY '15 minutes' MERGE ON (id)
  TOLERATE 0.25 PERCENT BAD ROWS
AS
SELECT id FROM lake.ops.late;

INSERT INTO ops.public.late
  EVERY '15 minutes' MERGE ON (id)
  EXPECT known: (id > 0) OR QUARANTINE
  TOLERATE 0 BAD ROWS
AS
SELECT id FROM lake.ops.late;
