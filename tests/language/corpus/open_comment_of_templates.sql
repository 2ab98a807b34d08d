CREATE WAREHOUSE lake USING iceberg;
{# not ours
