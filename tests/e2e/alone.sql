CREATE WAREHOUSE  lake USING iceberg;
CREATE CONNECTION crm  TO salesforce WITH (secret = 'crm');

INSERT INTO lake.crm FROM crm TABLES (Account) EVERY '1 hour';
