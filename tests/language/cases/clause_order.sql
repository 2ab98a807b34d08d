CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops FRESH WITHIN '2 hours' every '1 hour' FROM ops TABLES (public.flights);
create materialized view lake.ops.v fresh within '1 week' expect a: ((x)) or warn partition
by (d) merge
  on (id) expect b: (y > 0) or fail every '12 hours' as select * from lake.ops.flights;
