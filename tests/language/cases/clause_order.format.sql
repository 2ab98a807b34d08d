CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops FROM ops TABLES (public.flights) EVERY '1 hour' FRESH WITHIN '2 hours';

CREATE MATERIALIZED VIEW lake.ops.v
  EVERY '12 hours' MERGE ON (id) PARTITION BY (d)
  EXPECT a: ((x)) OR WARN
  EXPECT b: (y > 0) OR FAIL
  FRESH WITHIN '1 week'
AS
SELECT * FROM lake.ops.flights;
