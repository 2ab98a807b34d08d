CREATE WAREHOUSE  lake USING iceberg;
CREATE CONNECTION site TO kinesis WITH (streams = 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks');

INSERT INTO lake.site.clicks EVERY '1 minute' APPEND
  TOLERATE 1 BAD ROWS
AS SELECT CAST(id AS BIGINT) AS id, CAST(kind AS VARCHAR) AS kind, _sequence_number, _arrived_at FROM site.clicks;

CREATE MATERIALIZED VIEW lake.site.kinds EVERY '1 minute' REPLACE
AS SELECT kind, count(*) AS clicks, count(DISTINCT _sequence_number) AS events FROM lake.site.clicks GROUP BY kind;
