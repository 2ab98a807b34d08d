CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.crm.carriers EVERY '15 minutes' FRESH WITHIN '1 hour'
AS SELECT a.Id, Carrier_Code__c AS code, Owner.Name AS owner, SystemModstamp
   FROM crm.Account a
   WHERE a.Type = 'Airline' AND CreatedDate > 2020-01-01T00:00:00Z AND LastActivityDate = 2026-01-31 AND Name != null;
INSERT INTO lake.crm.all_contacts EVERY '1 day' AS SELECT * FROM crm.Contact;
INSERT INTO lake.crm.cases EVERY '1 day' REPLACE AS SELECT Subject FROM crm."Case" WHERE IsClosed = false;
