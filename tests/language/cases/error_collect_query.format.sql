CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.a.a
  EVERY '1 hour'
AS
SELECT * FROM ops.t JOIN crm.Account a ON true;

INSERT INTO lake.a.b
  EVERY '1 hour'
AS
SELECT * FROM lake.a.a;

INSERT INTO lake.a.c
  EVERY '1 hour'
AS
SELECT * FROM ops.t JOIN lake.a.a x ON true;

INSERT INTO lake.a.d
  EVERY '1 hour'
AS
SELECT 1;

INSERT INTO lake.a.e
  EVERY '1 hour'
AS
SELECT * FROM ops;

INSERT INTO lake.a.f
  EVERY '1 hour'
AS
DELETE FROM ops.t;

INSERT INTO lake.a.g
  EVERY '1 hour'
AS
SELECT a, A FROM ops.t;

INSERT INTO lake.a.h
  EVERY '1 hour' MERGE ON (id) CURSOR updated
AS
SELECT id, updated_at FROM ops.t;

INSERT INTO lake.a.i
  EVERY '1 hour' MERGE ON (idd)
AS
SELECT id, COUNT(*) AS n FROM ops.t GROUP BY 1;

INSERT INTO lake.c.a
  EVERY '1 hour'
AS
SELECT Id, UPPER(Name), SystemModstamp FROM crm.Account;

INSERT INTO lake.c.b
  EVERY '1 hour'
AS
SELECT Id, SystemModstamp FROM crm.Account ORDER BY Id;

INSERT INTO lake.c.c
  EVERY '1 hour'
AS
SELECT COUNT(*) FROM crm.Account;

INSERT INTO lake.c.d
  EVERY '1 hour'
AS
SELECT a.Id FROM crm.Account a JOIN crm.Lead l ON true;

INSERT INTO lake.c.e
  EVERY '1 hour'
AS
SELECT Id FROM crm.Account WHERE Id IN (SELECT AccountId FROM crm.Lead);

INSERT INTO lake.c.f
  EVERY '1 hour'
AS
SELECT Id FROM crm.Account;

INSERT INTO lake.c.g
  EVERY '1 hour'
AS
SELECT Id FROM crm.Account UNION ALL SELECT Id FROM crm.Lead;

INSERT INTO lake.c.h
  EVERY '1 hour'
AS
SELECT id FROM ops.a.b.c.d FOR UPDATE;
