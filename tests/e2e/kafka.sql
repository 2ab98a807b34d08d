CREATE WAREHOUSE  lake USING iceberg;
CREATE CONNECTION bus TO kafka WITH (secret = 'bus', key = 'json', topics = 'clicks, carts');

INSERT INTO lake.bus.clicks EVERY '1 minute' APPEND
  TOLERATE 1 BAD ROWS
AS SELECT CAST(id AS BIGINT) AS id, CAST(kind AS VARCHAR) AS kind, _sequence, _partition, _offset FROM bus.clicks;

INSERT INTO lake.bus.carts EVERY '1 minute' MERGE ON (id)
AS SELECT CAST(id AS BIGINT) AS id, CAST(total AS DECIMAL(12, 2)) AS total, _sequence FROM bus.carts;

CREATE MATERIALIZED VIEW lake.bus.kinds EVERY '1 minute' REPLACE
AS SELECT kind, count(*) AS clicks, count(DISTINCT _sequence) AS events FROM lake.bus.clicks GROUP BY kind;
