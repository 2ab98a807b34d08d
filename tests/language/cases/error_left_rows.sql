CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

-- what its source tells: rows of one table, and those that its WHERE takes no more
INSERT INTO lake.good.a EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, upper(x) AS x, u FROM ops.public.t WHERE ops.public.t.x = '1' OR y -- not null
;
INSERT INTO lake.good.b EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT a.id, b.x, a.u FROM ops.public.t a LEFT JOIN ops.public.b b ON a.id = b.id;
INSERT INTO lake.good.c EVERY '1 hour' REPLACE AS SELECT id, max(u) AS u FROM ops.public.t WHERE u > now() GROUP BY 1;
INSERT INTO lake.good.d EVERY '1 hour' APPEND AS SELECT a.id, u FROM ops.public.t a JOIN ops.public.b b ON a.id = b.id WHERE x > 1;
INSERT INTO lake.good.e EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, u FROM ops.public.t WHERE upper(now) > 'today' AND age(u, v) > '1 day';

-- what it cannot
INSERT INTO lake.bad.a EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT a.id, u FROM ops.public.t a JOIN ops.public.b b ON a.id = b.id;
INSERT INTO lake.bad.b EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT a.id, u FROM ops.public.t a LEFT JOIN ops.public.b b ON a.id = b.id WHERE b.x = 1;
INSERT INTO lake.bad.c EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, max(u) AS u FROM ops.public.t GROUP BY id;
INSERT INTO lake.bad.d EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT DISTINCT id, u FROM ops.public.t;
INSERT INTO lake.bad.e EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, u FROM ops.public.t UNION ALL SELECT id, u FROM ops.public.b;
INSERT INTO lake.bad.f EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, u FROM ops.public.t LIMIT 10;
INSERT INTO lake.bad.g EVERY '1 hour' MERGE ON (id) CURSOR u AS WITH x AS (SELECT id, u FROM ops.public.t WHERE id > 1) SELECT id, u FROM x;
INSERT INTO lake.bad.h EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, u FROM ops.public.t WHERE id IN (SELECT id FROM ops.public.b);
INSERT INTO lake.bad.i EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, u FROM (SELECT id, u FROM ops.public.t WHERE id > 1) AS x;
INSERT INTO lake.bad.j EVERY '1 hour' MERGE ON (id) AS SELECT id, sum(u) AS u FROM ops.public.t GROUP BY id;

-- rows that leave by themselves
INSERT INTO lake.late.a EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, u FROM ops.public.t WHERE u > now() - interval '1 day';
INSERT INTO lake.late.b EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, u FROM ops.public.t WHERE u >= current_date AND id > 1;
INSERT INTO lake.late.c EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, u FROM ops.public.t WHERE u >= 'yesterday'::date;
INSERT INTO lake.late.d EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, u FROM ops.public.t WHERE age(u) < '1 day' OR owner = current_user;
INSERT INTO lake.late.e EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, u FROM ops.public.t WHERE random() < 0.1;
INSERT INTO lake.late.f EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, u FROM ops.public.t WHERE u <@ '[yesterday,today)'::daterange;

-- what only the source knows of
INSERT INTO lake.own.a EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, u FROM ops.public.t WHERE x = 1 AND public.is_recent(u);
INSERT INTO lake.own.b EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, u FROM ops.public.t WHERE x OPERATOR(public.=) 1;
INSERT INTO lake.good.f EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, public.is_recent(u) AS recent, u FROM ops.public.t WHERE pg_catalog.lower(x) = 'today'::text;
