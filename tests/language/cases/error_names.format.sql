CREATE WAREHOUSE lake USING iceburg;
CREATE WAREHOUSE store USING postgres;
CREATE CONNECTION crm TO salesforc;
CREATE CONNECTION "a b" TO postgres;
CREATE WAREHOUSE w USING iceberg;
CREATE CONNECTION W TO postgres;
CREATE CONNECTION ops TO postgres;
CREATE CONNECTION ev TO events;
INSERT INTO lake.crm FROM crm TABLES (Account) EVERY '1 hour';
INSERT INTO w.a FROM opps TABLES (t) EVERY '1 hour';
INSERT INTO ww.a FROM ops TABLES (t) EVERY '1 hour';
INSERT INTO w.b FROM w TABLES (t) EVERY '1 hour';
INSERT INTO w FROM ops TABLES (t) EVERY '1 hour';
INSERT INTO w.c.d FROM ops TABLES (t) EVERY '1 hour';
INSERT INTO w.e FROM ops TABLES ("Order Items") EVERY '1 hour';
INSERT INTO w.e2 FROM ops TABLES ("my.schema".t) EVERY '1 hour';
INSERT INTO w.f FROM ops TABLES (Carrier, public.CARRIER) EVERY '1 hour';

INSERT INTO w.g.h.i
  EVERY '1 hour'
AS
SELECT * FROM ops.t;

INSERT INTO ev.x
  EVERY '1 hour' REPLACE
AS
SELECT * FROM w.f.carrier;

INSERT INTO ops.x FROM ops TABLES (t) EVERY '1 hour';

INSERT INTO ops."a b"
  EVERY '1 hour' REPLACE
AS
SELECT * FROM w.f.carrier;

INSERT INTO ops
  EVERY '1 hour'
AS
SELECT * FROM w.f.carrier;

CREATE MATERIALIZED VIEW ops.a.b
  EVERY '1 hour' REPLACE
AS
SELECT 1;

CREATE MATERIALIZED VIEW w.a
  EVERY '1 hour' REPLACE
AS
SELECT 1;
