CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION code TO github WITH (secret = 'code', repositories = 'acme/shop, acme/site', api_url = 'ADDRESS');

INSERT INTO lake.code.issues EVERY '1 hour' MERGE ON (id) CURSOR updated_at
AS SELECT id, number, title, state, updated_at, labels FROM code.issues;

INSERT INTO lake.code FROM code TABLES (labels) EVERY '1 hour' REPLACE;
