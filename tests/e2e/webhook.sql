CREATE WAREHOUSE  lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
CREATE CONNECTION partner TO webhook WITH (secret = 'partner', rows_a_request = 1);
CREATE CONNECTION installation TO atoll WITH (lag = 0);

INSERT INTO lake.ops.flights EVERY '1 hour' MERGE ON (id) CURSOR changed
AS SELECT id, carrier, delay, changed FROM ops.public.flights;

CREATE MATERIALIZED VIEW lake.ops.carriers EVERY '1 hour' REPLACE
AS SELECT carrier, count(*) AS flights, sum(delay) AS delay, max(changed) AS changed FROM lake.ops.flights GROUP BY carrier;

INSERT INTO partner.carriers EVERY '1 hour' MERGE ON (carrier)
  TOLERATE 1 BAD ROWS
AS SELECT carrier, flights, delay, changed FROM lake.ops.carriers;

INSERT INTO lake.atoll FROM installation TABLES (receipts, refused_rows) EVERY '1 minute';
