CREATE WAREHOUSE lake USING iceberg WITH (mask_key = 'mask');
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.crm FROM crm TABLES (Account, Contact)
  EVERY '15 minutes'
  MASK (Contact.Email HASH, contact.Phone DROP);

INSERT INTO lake.geo FROM ops TABLES (public.airports) EVERY '1 day' MASK (faa DROP);

INSERT INTO lake.ops.flights
  EVERY '1 hour' MERGE ON (tailnum) CURSOR updated_at
  MASK (tailnum HASH, pilot DROP)
  FRESH WITHIN '2 hours'
AS
SELECT tailnum, pilot, carrier, updated_at FROM ops.public.flights WHERE pilot IS NOT NULL;

INSERT INTO lake.ops.pilots
  EVERY '1 day'
  -- who it was
  MASK (pilot HASH)
AS
SELECT pilot, COUNT(*) AS flights FROM ops.public.flights GROUP BY pilot;
