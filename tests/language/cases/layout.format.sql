CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.crm FROM crm TABLES (
    Account,
    Opportunity,
    Contact,
    Lead,
    Campaign,
    Case,
    Task,
    Event,
    User,
    Asset,
    Product2,
    Pricebook2
  )
  EVERY '15 minutes';

INSERT INTO lake.ops.t
  EVERY '1 hour'
AS
SELECT
  id,
  carrier,
  origin,
  dest,
  dep_delay,
  time_hour,
  updated_at,
  tailnum
FROM ops.public.flights
WHERE
  carrier = 'AA' AND origin IN ('JFK', 'LGA');

CREATE MATERIALIZED VIEW lake.ops.v
  EVERY '1 day' REPLACE
AS
select x::int as x, count(*) from lake.ops.t where a != 1 group by all;

CREATE MATERIALIZED VIEW lake.ops.w
  EVERY '1 day' REPLACE
AS
select
		x,
		y

	from lake.ops.t t
where z;
