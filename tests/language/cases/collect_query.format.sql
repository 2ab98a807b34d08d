CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

-- a projection: slices may extract it in parallel
INSERT INTO lake.ops.flights
  EVERY '1 hour' MERGE ON (id) CURSOR updated_at
AS
SELECT f.id, f.Carrier AS carrier_code, "Dep Delay" AS dep_delay, f.updated_at
FROM ops.public.flights f WHERE f.carrier <> 'where' AND (f.id > 0 OR updated_at IS NULL);

INSERT INTO lake.ops.everything
  EVERY '1 hour'
AS
SELECT * FROM ops.public.flights WHERE id > 5;

INSERT INTO lake.ops.short
  EVERY '1 hour'
AS
SELECT id FROM ops.flights;

-- more than a projection: the source runs it
INSERT INTO lake.ops.joined
  EVERY '1 day' REPLACE
AS
WITH recent AS (SELECT * FROM ops.public.flights WHERE time_hour > now() - interval '1 day')
SELECT recent.id, ops.public.planes.year, count(*) AS n
FROM recent JOIN ops.public.planes ON ops.public.planes.tailnum = recent.tailnum
GROUP BY 1, 2 ORDER BY n::int DESC LIMIT 10;

INSERT INTO lake.ops.computed
  EVERY '1 day' APPEND
AS
SELECT id, UPPER(carrier) AS carrier FROM ops.public.flights;

-- names are folded as the source folds them
INSERT INTO lake.ops.folded
  EVERY '1 day'
AS
SELECT Id, "Id" AS "ID2" FROM ops.Public."Flights" AS F WHERE F."Id" > 0;

INSERT INTO lake.names FROM ops.Public TABLES (Weather, "Planes") EVERY '1 day';

INSERT INTO lake.ops.dotted
  EVERY '1 day'
AS
SELECT id FROM ops.public."a.b";

-- texts that the program says to rise
INSERT INTO lake.ops.ulids
  EVERY '1 day' MERGE ON (id) CURSOR ID RISING
AS
SELECT id FROM ops.public.events;

INSERT INTO lake.ops.named
  EVERY '1 day' APPEND CURSOR rising
AS
SELECT rising FROM ops.public.events;
