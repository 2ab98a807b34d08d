CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.crm FROM crm TABLES (Account, Opportunity, Carrier_Code__c, "Order") EVERY '15 minutes';
INSERT INTO lake.ops FROM ops TABLES (public.weather, sales.orders) EVERY '1 hour';

INSERT INTO lake.pub FROM ops.public TABLES (weather, "Airports")
  EVERY '1 day' MERGE ON (Id, "Code") CURSOR Updated_At PARTITION BY (Year)
  EXPECT has_id: (id IS NOT NULL) OR FAIL
  FRESH WITHIN '26 hours';

INSERT INTO lake.snap FROM crm TABLES (Account) EVERY '1 day' REPLACE;
