CREATE WAREHOUSE lake USING iceberg WITH (mask_key = 'mask');
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.crm FROM crm TABLES (Account, Opportunity) EVERY '1 hour' MASK (Account.Nmae HASH, Opportunity.Amount DROP);
INSERT INTO lake.ops.flights EVERY '1 hour' MASK (distance HASH, flight DROP)
  EXPECT low: (flight < 100) OR WARN
AS SELECT * FROM ops.public.flights;
INSERT INTO lake.ops.carriers EVERY '1 hour' MASK (carrier DROP, n DROP)
AS SELECT carrier, count(*) AS n FROM ops.public.flights GROUP BY carrier;

CREATE MATERIALIZED VIEW lake.v.gone EVERY '1 hour' REPLACE AS SELECT f.flight, carrier FROM lake.ops.flights f WHERE flight > 3;
CREATE MATERIALIZED VIEW lake.v.number EVERY '1 hour' REPLACE AS SELECT carrier FROM lake.ops.flights WHERE distance > 100;
INSERT INTO ops.public.deals EVERY '1 hour' REPLACE AS SELECT id, amount FROM lake.crm.opportunity;
