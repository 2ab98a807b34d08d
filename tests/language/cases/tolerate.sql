CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.crm FROM crm TABLES (Account) EVERY '1 day';
INSERT INTO lake.ops FROM ops.public TABLES (flights, weather) EVERY '15 minutes';

CREATE MATERIALIZED VIEW lake.ops.named REPLACE tolerate LAKE.crm.Account   stale '1   day'
TOLERATE lake.ops.weather STALE '2 hours' -- the stations are slow
FRESH WITHIN '1 hour' EVERY '15 minutes'
AS SELECT f.id, a.name FROM lake.ops.flights f JOIN lake.crm.account a ON a.id = f.id JOIN lake.ops.weather w ON w.id = f.id;

INSERT INTO ops.public.named EVERY '15 minutes' MERGE ON (id) TOLERATE lake.ops.named STALE '30 minutes' AS SELECT * FROM lake.ops.named;
