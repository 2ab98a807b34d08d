CREATE WAREHOUSE  lake USING iceberg;
CREATE CONNECTION site TO http WITH (tables = 'orders, notes', secret = 'senders', most_kb = 512);

INSERT INTO lake.site.orders EVERY '1 minute' APPEND
  TOLERATE 1 BAD ROWS
AS SELECT CAST(id AS BIGINT) AS id, CAST(total AS DECIMAL(12, 2)) AS total, _message_id, _sequence, _sender, _arrived_at FROM site.orders;

INSERT INTO lake.site.messages EVERY '1 minute' MERGE ON (_message_id)
AS SELECT CAST(id AS BIGINT) AS id, _message_id, _sequence FROM site.orders;
