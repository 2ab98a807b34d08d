-- Uses every slice (of those that are a manifest one: looked_at.py), two warehouses' schemas, the connections' secrets, one with a grant that rotates, and a mask key.
CREATE WAREHOUSE  lake USING iceberg WITH (mask_key = 'mask', scan_limit_gb = 100, spark_vcpus = 128);
CREATE WAREHOUSE  dwh  USING redshift WITH (managed = TRUE);
CREATE WAREHOUSE  desk USING redshift WITH (workgroup = 'reports', workgroup_id = '01234567-89ab-cdef-0123-456789abcdef', secret = 'redshift');
CREATE WAREHOUSE  past USING redshift WITH (cluster_identifier = 'analytics', database = 'reports', db_user = 'atoll');
CREATE WAREHOUSE  snow USING snowflake WITH (
  account = 'myorg-myaccount', database = 'analytics', role = 'atoll', warehouse = 'atoll_wh', stage = 'analytics.public.atoll', secret = 'snowflake',
  storage_user_arn = 'arn:aws:iam::123456789012:user/abc1-b-self1234', storage_external_id = 'MYACCOUNT_SFCRole=2_a123456'
);
CREATE WAREHOUSE bricks USING databricks WITH (
  host = 'dbc-a1b2345c-d6e7.cloud.databricks.com', warehouse_id = 'a1b234c567d8e9fa', catalog = 'analytics', secret = 'databricks',
  storage_principal_arn = 'arn:aws:iam::414351767826:role/unity-catalog-prod-UCMasterRole-14S5ZJVKOTYTL', storage_external_id = '0f1e2d3c-4b5a-6978'
);
CREATE CONNECTION crm  TO salesforce WITH (secret = 'crm', rotating_grant = TRUE);
CREATE CONNECTION ops  TO postgres   WITH (secret = 'ops');
CREATE CONNECTION app  TO postgres   WITH (secret = 'app');
CREATE CONNECTION shop TO mysql      WITH (secret = 'shop');
CREATE CONNECTION hr   TO oracle     WITH (secret = 'hr');
CREATE CONNECTION code TO github     WITH (secret = 'code', repositories = 'acme/shop');
CREATE CONNECTION files TO s3        WITH (bucket = 'acme-drop', prefix = 'in/', format = 'csv');
CREATE CONNECTION site TO kinesis WITH (
  streams = 'arn:aws:kinesis:us-east-1:123456789012:stream/clicks', kms_key = 'arn:aws:kms:us-east-1:123456789012:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0'
);
CREATE CONNECTION bus TO kafka WITH (
  brokers = 'b-1.acme.abc123.c2.kafka.us-east-1.amazonaws.com:9098', auth = 'iam', topics = 'clicks, orders',
  cluster = 'arn:aws:kafka:us-east-1:123456789012:cluster/acme/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0-2'
);
CREATE CONNECTION queue TO kafka WITH (brokers = 'kafka-1.example.com:9094', secret = 'queue');
CREATE CONNECTION partner TO webhook WITH (secret = 'partner');
CREATE CONNECTION product TO dynamodb WITH (tables = 'carriers', prefix = 'prod-');
CREATE CONNECTION sister TO dynamodb WITH (tables = 'carriers', region = 'eu-west-1', role = 'arn:aws:iam::210987654321:role/atoll-writes');
CREATE CONNECTION shelf TO s3 WITH (
  bucket = 'acme-shelf', prefix = 'out/', format = 'parquet', kms_key = 'arn:aws:kms:eu-central-1:123456789012:key/1f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0'
);
CREATE CONNECTION hooks TO http WITH (tables = 'orders, clicks', secret = 'senders');
CREATE CONNECTION installation TO atoll;

INSERT INTO lake.crm FROM crm TABLES (Account) EVERY '15 minutes';

INSERT INTO lake.ops.flights EVERY '1 hour' MERGE ON (id) CURSOR updated_at
  MASK (carrier HASH)
AS SELECT id, carrier, updated_at FROM ops.public.flights;

INSERT INTO lake.shop FROM shop TABLES (orders) EVERY '1 hour';

INSERT INTO lake.hr FROM hr TABLES (employees) EVERY '1 hour';

INSERT INTO lake.code FROM code TABLES (labels) EVERY '1 hour';

INSERT INTO lake.files FROM files TABLES (visits) EVERY '1 hour';

INSERT INTO lake.site FROM site TABLES (clicks) EVERY '1 hour';

INSERT INTO lake.bus FROM bus TABLES (clicks) EVERY '1 hour';

INSERT INTO lake.queue FROM queue TABLES (orders) EVERY '1 hour' MERGE ON (id);

INSERT INTO lake.hooks FROM hooks TABLES (orders) EVERY '1 hour';

INSERT INTO lake.atoll FROM installation TABLES (receipts, refused_rows) EVERY '1 hour';

CREATE MATERIALIZED VIEW lake.ops.carriers EVERY '1 hour' REPLACE
  EXPECT named: (carrier IS NOT NULL) OR FAIL
AS SELECT carrier, count(*) AS flights FROM lake.ops.flights GROUP BY 1;

CREATE MATERIALIZED VIEW lake.ops.many EVERY '1 hour' REPLACE USING athena
  EXPECT named: (carrier IS NOT NULL) OR QUARANTINE
AS SELECT carrier, approx_distinct(id) AS flights FROM lake.ops.flights GROUP BY 1;

CREATE MATERIALIZED VIEW lake.ops.most EVERY '1 hour' REPLACE USING spark
  EXPECT named: (carrier IS NOT NULL) OR QUARANTINE
AS SELECT carrier, approx_count_distinct(id) AS flights FROM lake.ops.flights GROUP BY 1;

CREATE FUNCTION scored (carrier VARCHAR, flights BIGINT) RETURNS TABLE (carrier VARCHAR, score DOUBLE)
  USING python WITH (handler = 'models.scores:scored');

CREATE MATERIALIZED VIEW lake.ops.scores EVERY '1 hour' REPLACE
AS SELECT carrier, score FROM scored(lake.ops.carriers);

INSERT INTO dwh.ops.flights EVERY '1 hour' MERGE ON (id) CURSOR updated_at
AS SELECT id, carrier, updated_at FROM ops.public.flights;

CREATE MATERIALIZED VIEW dwh.ops.carriers EVERY '1 hour' REPLACE
  EXPECT named: (carrier IS NOT NULL) OR QUARANTINE
AS SELECT carrier, count(*) AS flights FROM dwh.ops.flights GROUP BY carrier;

INSERT INTO snow.ops.flights EVERY '1 hour' MERGE ON (id) CURSOR updated_at
AS SELECT id, carrier, updated_at FROM ops.public.flights;

CREATE MATERIALIZED VIEW snow.ops.carriers EVERY '1 hour' REPLACE
  EXPECT named: (carrier IS NOT NULL) OR QUARANTINE
AS SELECT carrier, count(*) AS flights FROM snow.ops.flights GROUP BY carrier;

INSERT INTO bricks.ops.flights EVERY '1 hour' MERGE ON (id) CURSOR updated_at
AS SELECT id, carrier, updated_at FROM ops.public.flights;

CREATE MATERIALIZED VIEW bricks.ops.carriers EVERY '1 hour' REPLACE
  EXPECT named: (carrier IS NOT NULL) OR QUARANTINE
AS SELECT carrier, count(*) AS flights FROM bricks.ops.flights GROUP BY carrier;

INSERT INTO app.public.carriers EVERY '1 hour' MERGE ON (carrier)
AS SELECT carrier, flights FROM lake.ops.carriers;

INSERT INTO shop.sales.carriers EVERY '1 hour' MERGE ON (carrier)
AS SELECT carrier, flights FROM lake.ops.carriers;

INSERT INTO partner.carriers EVERY '1 hour' MERGE ON (carrier)
AS SELECT carrier, flights FROM lake.ops.carriers;

INSERT INTO product.carriers EVERY '1 hour' MERGE ON (carrier)
AS SELECT carrier, flights FROM lake.ops.carriers;

INSERT INTO sister.carriers EVERY '1 hour' MERGE ON (carrier)
AS SELECT carrier, flights FROM lake.ops.carriers;

INSERT INTO crm.Account EVERY '1 hour' MERGE ON (Carrier_Code__c)
AS SELECT carrier AS Carrier_Code__c, carrier AS Name FROM lake.ops.carriers;

INSERT INTO shelf.carriers EVERY '1 hour' REPLACE
AS SELECT carrier, flights FROM lake.ops.carriers;
