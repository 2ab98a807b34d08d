-- The airline's carriers on one board, out of five kinds of source: a database, a CRM, an API, files and a stream of events.
-- `make demo-sources` puts the API's address in.

CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm', lag = '1 minute');
CREATE CONNECTION pay TO stripe WITH (secret = 'pay', api_url = 'ADDRESS');
CREATE CONNECTION fuel TO s3 WITH (bucket = 'airline-fuel', prefix = 'bills/', format = 'csv');
CREATE CONNECTION gates TO kinesis WITH (streams = 'arn:aws:kinesis:us-east-1:000000000000:stream/boardings');

-- Collect: of flights and charges what changed, of the CRM that too and what was deleted, each event once, all else whole.

INSERT INTO lake.ops.flights
  EVERY '1 minute' MERGE ON (id) CURSOR updated_at
AS SELECT id, carrier, tailnum, dep_delay, updated_at FROM ops.public.flights;

INSERT INTO lake.ops FROM ops.public TABLES (planes) EVERY '1 minute' REPLACE;

INSERT INTO lake.crm FROM crm TABLES (Account, Opportunity) EVERY '1 minute';

INSERT INTO lake.pay.charges
  EVERY '1 minute' MERGE ON (id) CURSOR read_at
AS SELECT id, customer, amount, refunded, read_at FROM pay.charges;

INSERT INTO lake.pay.customers
  EVERY '1 minute' REPLACE
AS SELECT id, description FROM pay.customers;

INSERT INTO lake.fuel.deliveries
  EVERY '1 minute' REPLACE
AS SELECT CAST(carrier AS VARCHAR) AS carrier, CAST(litres AS DECIMAL(12, 1)) AS litres FROM fuel.deliveries;

INSERT INTO lake.gates.boardings
  EVERY '1 minute' APPEND
AS SELECT CAST(carrier AS VARCHAR) AS carrier, CAST(passengers AS BIGINT) AS passengers, _sequence_number FROM gates.boardings;

-- Organize: a view for each source, by carrier, and one over them.

CREATE MATERIALIZED VIEW lake.board.flown EVERY '1 minute' REPLACE
AS SELECT f.carrier, count(*) AS flights, CAST(sum(f.dep_delay) AS BIGINT) AS minutes_late, count(DISTINCT p.tailnum) AS planes
FROM lake.ops.flights f LEFT JOIN lake.ops.planes p ON p.tailnum = f.tailnum
GROUP BY f.carrier;

CREATE MATERIALIZED VIEW lake.board.sold EVERY '1 minute' REPLACE
AS SELECT a.carrier_code__c AS carrier, a.name, count(o.id) AS deals
FROM lake.crm.account a LEFT JOIN lake.crm.opportunity o ON o.accountid = a.id AND NOT o._deleted
WHERE a.type = 'Airline' AND NOT a._deleted
GROUP BY a.carrier_code__c, a.name;

CREATE MATERIALIZED VIEW lake.board.paid EVERY '1 minute' REPLACE
AS SELECT u.description AS carrier, CAST(sum(c.amount) AS BIGINT) AS cents
FROM lake.pay.charges c JOIN lake.pay.customers u ON u.id = c.customer
WHERE NOT c.refunded
GROUP BY u.description;

CREATE MATERIALIZED VIEW lake.board.carriers EVERY '1 minute' REPLACE
  FRESH WITHIN '5 minutes'
AS SELECT f.carrier, s.name, f.flights, f.minutes_late, f.planes, s.deals, p.cents, d.litres, b.boarded
FROM lake.board.flown f
LEFT JOIN lake.board.sold s ON s.carrier = f.carrier
LEFT JOIN lake.board.paid p ON p.carrier = f.carrier
LEFT JOIN (SELECT carrier, sum(litres) AS litres FROM lake.fuel.deliveries GROUP BY carrier) d ON d.carrier = f.carrier
LEFT JOIN (SELECT carrier, CAST(sum(passengers) AS BIGINT) AS boarded FROM lake.gates.boardings GROUP BY carrier) b ON b.carrier = f.carrier;

-- Harness: back into the database.

INSERT INTO ops.published.carrier_board
  EVERY '1 minute' MERGE ON (carrier)
AS SELECT carrier, name, flights, minutes_late, planes, deals, cents, litres, boarded FROM lake.board.carriers;
