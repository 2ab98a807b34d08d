CREATE WAREHOUSE lake USING iceberg WITH (mask_key = 'mask');
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.crm FROM crm TABLES (Account, Opportunity) EVERY '1 hour' MASK (Account.Name HASH, Opportunity.Amount DROP);
INSERT INTO lake.ops.flights EVERY '1 hour' MERGE ON (distance) CURSOR time_hour
  MASK (distance HASH, flight DROP) EXPECT there: (length(distance) = 64) OR WARN
AS SELECT * FROM ops.public.flights WHERE flight > 100;
INSERT INTO lake.ops.carriers EVERY '1 hour' MASK (most HASH, dest DROP)
AS SELECT carrier, dest, max(distance) AS most FROM ops.public.flights GROUP BY carrier, dest;

CREATE MATERIALIZED VIEW lake.v.joined EVERY '1 hour' REPLACE AS
SELECT f.carrier, c.most || 'x' AS most, f.distance = c.most AS farthest FROM lake.ops.flights f JOIN lake.ops.carriers c ON f.carrier = c.carrier;
