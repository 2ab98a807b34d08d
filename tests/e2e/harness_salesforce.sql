CREATE WAREHOUSE  lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm', rows_a_request = 1);

INSERT INTO lake.ops.flights EVERY '1 hour' MERGE ON (id) CURSOR changed
AS SELECT id, carrier, delay, changed FROM ops.public.flights;

CREATE MATERIALIZED VIEW lake.ops.carriers EVERY '1 hour' REPLACE
AS SELECT carrier, count(*) AS flights, sum(delay) AS delay, max(changed) AS changed FROM lake.ops.flights GROUP BY carrier;

INSERT INTO crm.Contact EVERY '1 hour' MERGE ON (Carrier_Code__c) TOLERATE 1 BAD ROWS
AS SELECT carrier AS Carrier_Code__c, carrier AS LastName, flights AS Flights__c, delay AS Delay__c, changed AS Changed__c,
  'acme' AS "Account.Customer_Key__c"
FROM lake.ops.carriers;
