CREATE WAREHOUSE lake USING iceberg WITH (mask_key = 'mask');
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.crm FROM crm TABLES (Account, Contact) MASK (Contact.Email hash, contact.Phone Drop) EVERY '15 minutes';
INSERT INTO lake.geo FROM ops TABLES (public.airports) MASK (faa DROP) EVERY '1 day';
INSERT INTO lake.ops.flights MASK (tailnum HASH, pilot DROP) FRESH WITHIN '2 hours' EVERY '1 hour' MERGE ON (tailnum) CURSOR updated_at
AS SELECT tailnum, pilot, carrier, updated_at FROM ops.public.flights WHERE pilot IS NOT NULL;
INSERT INTO lake.ops.pilots EVERY '1 day' MASK (pilot -- who it was
  HASH) AS SELECT pilot, count(*) AS flights FROM ops.public.flights GROUP BY pilot;
