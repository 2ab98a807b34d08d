CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');

INSERT INTO lake.ops.a EVERY '1 hour' CAPTURE AS SELECT id FROM ops.public.flights;
INSERT INTO lake.ops.b EVERY '1 hour' APPEND CAPTURE AS SELECT id FROM ops.public.flights;
INSERT INTO lake.ops.c EVERY '1 hour' MERGE ON (id) CURSOR id CAPTURE AS SELECT id FROM ops.public.flights;
INSERT INTO lake.ops.d EVERY '1 hour' MERGE ON (id) CAPTURE AS SELECT id FROM ops.public.flights WHERE id > 3;
INSERT INTO lake.ops.e EVERY '1 hour' MERGE ON (id) CAPTURE AS SELECT id, upper(carrier) AS carrier FROM ops.public.flights;
INSERT INTO lake.ops.f EVERY '1 hour' MERGE ON (id) CAPTURE CAPTURE AS SELECT id FROM ops.public.flights;
INSERT INTO lake.crm.g EVERY '1 hour' MERGE ON (id) CAPTURE AS SELECT Id FROM crm.Account;
CREATE MATERIALIZED VIEW lake.ops.h EVERY '1 hour' MERGE ON (id) CAPTURE AS SELECT id FROM lake.ops.a;
INSERT INTO ops.public.i EVERY '1 hour' MERGE ON (id) CAPTURE AS SELECT id FROM lake.ops.a;
