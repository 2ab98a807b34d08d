CREATE WAREHOUSE lake USING iceberg;
CREATE MATERIALIZED VIEW lake.v.a EVERY '1 hour' REPLACE AS (/**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**//**/ x);
