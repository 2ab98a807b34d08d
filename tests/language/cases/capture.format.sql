CREATE WAREHOUSE lake USING iceberg WITH (mask_key = 'mask');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops FROM ops.public TABLES (planes, weather) EVERY '5 minutes' MERGE ON (id) CAPTURE;

INSERT INTO lake.ops.flights
  EVERY '5 minutes' MERGE ON (id) CAPTURE PARTITION BY (carrier)
  MASK (tailnum HASH)
AS
SELECT id, f.Carrier, tailnum, CAST(amount AS DECIMAL(38, 9)) AS amount FROM ops.public.flights AS f;

-- a name that is a word of ours
INSERT INTO lake.ops.taken
  EVERY '1 day'
AS
SELECT capture.id FROM ops.public.photos capture;
