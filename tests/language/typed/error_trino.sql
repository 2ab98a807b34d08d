CREATE WAREHOUSE far USING remote;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO far.ops.flights EVERY '1 hour' MERGE ON (id) CURSOR updated_at AS
SELECT id, carrier, dest, distance, dep_delay, updated_at FROM ops.public.flights;
INSERT INTO far.ops.airports EVERY '1 day' REPLACE AS SELECT faa, name FROM ops.public.airports;

CREATE MATERIALIZED VIEW far.bad.s0 EVERY '1 hour' REPLACE AS SELECT carrier + 1 AS x FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.s1 EVERY '1 hour' REPLACE AS SELECT no_such(carrier) AS x FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.s2 EVERY '1 hour' REPLACE AS SELECT now() AS x FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.s3 EVERY '1 hour' REPLACE AS SELECT upper(distance) AS x FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.s4 EVERY '1 hour' REPLACE AS SELECT transform(split(carrier, ','), x -> x + 1) AS x FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.s5 EVERY '1 hour' REPLACE AS SELECT carrierr AS x FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.s6 EVERY '1 hour' REPLACE AS SELECT random() AS x FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.s7 EVERY '1 hour' REPLACE AS SELECT carrier || distance AS x FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.s8 EVERY '1 hour' REPLACE AS SELECT NULL AS x FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.s9 EVERY '1 hour' REPLACE AS SELECT carrier AS x, dest AS x FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.s10 EVERY '1 hour' REPLACE AS SELECT listagg(carrier) AS x FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.s11 EVERY '1 hour' REPLACE AS SELECT max(carrier) AS x, dest FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.s12 EVERY '1 hour' REPLACE AS SELECT CASE WHEN carrier THEN 1 END AS x FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.s13 EVERY '1 hour' REPLACE AS SELECT (SELECT faa, name FROM far.ops.airports) AS x FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.s14 EVERY '1 hour' REPLACE AS SELECT carrier = 5 AS x,  FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.w0 EVERY '1 hour' REPLACE AS SELECT id FROM far.ops.flights WHERE carrier > 5;
CREATE MATERIALIZED VIEW far.bad.w1 EVERY '1 hour' REPLACE AS SELECT id FROM far.ops.flights WHERE dest = date '2024-01-01';
CREATE MATERIALIZED VIEW far.bad.w2 EVERY '1 hour' REPLACE AS SELECT id FROM far.ops.flights WHERE distance;
CREATE MATERIALIZED VIEW far.bad.w3 EVERY '1 hour' REPLACE AS SELECT id FROM far.ops.flights WHERE count(*) > 1;
CREATE MATERIALIZED VIEW far.bad.w4 EVERY '1 hour' REPLACE AS SELECT id FROM far.ops.flights WHERE updated_at > '2024-01-01';
CREATE MATERIALIZED VIEW far.bad.e0 EVERY '1 hour' REPLACE EXPECT odd: (lower(id) = 'a') OR WARN AS SELECT id FROM far.ops.flights;
CREATE MATERIALIZED VIEW far.bad.j0 EVERY '1 hour' REPLACE AS SELECT id, name FROM far.ops.flights JOIN far.ops.airports ON id = faa;
CREATE MATERIALIZED VIEW far.bad.j1 EVERY '1 hour' REPLACE AS SELECT f.* , g.* FROM far.ops.flights f CROSS JOIN far.ops.flights g;
CREATE MATERIALIZED VIEW far.bad.f0 EVERY '1 hour' REPLACE AS SELECT id FROM far.ops.flights UNION SELECT name FROM far.ops.airports;
