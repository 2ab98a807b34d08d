-- Names with a part too few, or one too many; lists with a gap; texts that sqlglot stops at.
CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE MATERIALIZED VIEW lake.v EVERY '1 hour' REPLACE AS SELECT id FROM lake.ops.t;
CREATE MATERIALIZED VIEW v EVERY '1 hour' REPLACE AS SELECT id FROM lake.ops.t;
CREATE MATERIALIZED VIEW prod.lake.ops.v EVERY '1 hour' REPLACE AS SELECT id FROM lake.ops.t;
INSERT INTO t EVERY '1 hour' REPLACE AS SELECT id FROM ops.public.t;
INSERT INTO lake.ops.t EVERY '1 hour' REPLACE AS SELECT id FROM t;
INSERT INTO lake.ops.u EVERY '1 hour' REPLACE AS SELECT id FROM public.u;
INSERT INTO lake.crm.a EVERY '1 hour' AS SELECT Id, Name, FROM crm.Account;
INSERT INTO lake.crm.b EVERY '1 hour' AS SELECT TOP 10 Id FROM crm.Account;
INSERT INTO lake.crm.c EVERY '1 hour' AS SELECT Id FROM crm.Account WHERE (Name = 'x';
INSERT INTO lake.crm.d EVERY '1 hour' AS SELECT Id FROM crm.Account MASK Name HASH;
