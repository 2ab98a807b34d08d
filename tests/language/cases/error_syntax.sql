CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

CREAT WAREHOUSE a USING iceberg;
CREATE WAREHUSE a USING iceberg;
CREATE WAREHOUSE a TO iceberg;
CREATE CONNECTION;
CREATE CONNECTION x TO postgres WITH secret = 'x';
CREATE CONNECTION x TO postgres WITH (secret = x);
CREATE CONNECTION x TO postgres WITH (secret = 'a', SECRET = 'b');
CREATE CONNECTION x TO postgres WITH (secret 'a');
CREATE CONNECTION x TO postgres WITH (a = 1 b = 2);
CREATE CONNECTION x TO postgres WITH ();
CREATE CONNECTION x TO postgres WITH (a = 1) AND MORE;
CREATE CONNECTION 'x' TO postgres;
CREATE VIEW lake.a.b EVERY '1 day' REPLACE AS SELECT 1;
CREATE MATERIALIZED lake.a.b;
CREATE FUNCTION f (a VARCHAR) RETURNS TABLE (b VARCHAR) USING 3;
DROP TABLE lake.a.b;
SELECT 1;
INSERT lake.a FROM crm TABLES (Account) EVERY '1 hour';
INSERT INTO FROM crm TABLES (Account) EVERY '1 hour';
INSERT INTO lake.crm FROM crm (Account) EVERY '1 hour';
INSERT INTO lake.crm FROM crm TABLES () EVERY '1 hour';
INSERT INTO lake.crm FROM crm TABLES (Account EVERY '1 hour';
INSERT INTO lake. FROM crm TABLES (Account) EVERY '1 hour';
CREATE
