CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops FROM ops TABLES (public.flights) EVERY '1 hour';

INSERT INTO ops.public.Scores
  EVERY '1 day' MERGE ON (carrier)
  EXPECT named: (carrier <> '') OR FAIL
  FRESH WITHIN '2 days'
AS
SELECT
  carrier,
  AVG(dep_delay) AS delay
FROM lake.ops.flights
WHERE
  time_hour < batch_end()
GROUP BY
  carrier;

INSERT INTO ops.flat
  EVERY '1 hour' REPLACE
AS
SELECT * FROM lake.ops.flights;

INSERT INTO ops.public."LogOfAll"
  EVERY '15 minutes' APPEND
AS
(SELECT * FROM lake.ops.flights);

INSERT INTO crm.Account
  EVERY '1 day' MERGE ON (Carrier_Code__c)
AS
SELECT carrier AS carrier_code__c FROM lake.ops.flights;
