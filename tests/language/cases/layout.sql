CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.crm FROM crm TABLES (Account, Opportunity, Contact, Lead, Campaign, Case, Task, Event, User, Asset, Product2, Pricebook2) EVERY '15 minutes';
insert into lake.ops.t every '1 hour' as select id, carrier, origin, dest, dep_delay, time_hour, updated_at, tailnum from ops.public.flights where carrier = 'AA' and origin in ('JFK', 'LGA');
create materialized view lake.ops.v every '1 day' replace as select x::int as x, count(*) from lake.ops.t where a != 1 group by all;
create materialized view lake.ops.w every '1 day' replace as
		select
			x,
			y

		from lake.ops.t t
	where z;
