CREATE WAREHOUSE  lake USING iceberg;                                -- S3 + Glue Data Catalog, Iceberg tables
CREATE CONNECTION crm  TO salesforce WITH (secret = 'crm');          -- secrets by reference only
CREATE CONNECTION ops  TO postgres   WITH (secret = 'ops');

-- collect: a schema of tables from a connection
INSERT INTO lake.crm FROM crm TABLES (Account, Opportunity) EVERY '15 minutes';

-- collect: one table, projected and filtered in the source, incremental by a cursor column
INSERT INTO lake.ops.flights EVERY '1 hour' MERGE ON (id) CURSOR updated_at
AS SELECT id, carrier, origin, dest, dep_delay, time_hour, updated_at FROM ops.public.flights;

-- organize: a materialized view
CREATE MATERIALIZED VIEW lake.ops.carrier_day
  EVERY '1 day' APPEND PARTITION BY (day)
  EXPECT complete: (carrier IS NOT NULL) OR FAIL
  FRESH WITHIN '26 hours'
AS SELECT date_trunc('day', time_hour) AS day, carrier, count(*) AS flights, avg(dep_delay) AS mean_delay
   FROM lake.ops.flights
   WHERE time_hour >= batch_start() AND time_hour < batch_end()
   GROUP BY 1, 2;

-- harness: publish to a connection
INSERT INTO ops.public.carrier_scorecard EVERY '1 day' MERGE ON (carrier)
AS SELECT c.carrier, a.name, c.mean_delay
   FROM lake.ops.carrier_day c JOIN lake.crm.account a ON a.carrier_code__c = c.carrier
   WHERE c.day >= batch_start() AND c.day < batch_end();
