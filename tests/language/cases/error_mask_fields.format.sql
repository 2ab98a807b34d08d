CREATE WAREHOUSE lake USING iceberg WITH (mask_key = 'mask');
CREATE WAREHOUSE keyless USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');

-- through a list, a map, and what has no fields
INSERT INTO lake.a.t
  EVERY '1 hour'
  MASK (p.phones.number HASH, p.tags.x DROP, p.email.domain HASH)
AS
SELECT id, CAST(p AS "struct<email: string, phones: list<struct<number: string>>, tags: map<string, string>>") AS p FROM ops.public.t;

INSERT INTO lake.b.t
  EVERY '1 hour'
  MASK (l.a HASH, m.k HASH, n.k HASH)
AS
SELECT id, l::"list<int>", m::"map<string, int>", n FROM ops.public.t;

-- names
INSERT INTO lake.c.t
  EVERY '1 hour'
  MASK (p.emial HASH, p.address.stret DROP, q.email HASH, t.id HASH)
AS
SELECT id, CAST(doc AS "struct<email: string, address: struct<street: string, zip: string>>") AS p FROM ops.public.t;

INSERT INTO lake.d.t
  EVERY '1 hour'
  MASK (doc.email HASH)
AS
SELECT * FROM ops.public.t;

INSERT INTO lake.e.t
  EVERY '1 hour'
  MASK (owner.email HASH)
AS
SELECT Id, Owner.Name AS owner FROM crm.Account;

-- twice
INSERT INTO lake.f.t
  EVERY '1 hour'
  MASK (p HASH, p.email HASH, p.EMAIL DROP, q.a.b HASH, q.a DROP, p DROP)
AS
SELECT id, CAST(p AS "struct<email: string>") AS p, CAST(q AS "struct<a: struct<b: int, c: int>, d: int>") AS q FROM ops.public.t;

-- nothing left
INSERT INTO lake.g.t
  EVERY '1 hour'
  MASK (p.email DROP, p.address.street DROP, p.address.zip DROP, q.a DROP)
AS
SELECT id, CAST(p AS "struct<email: string, address: struct<street: string, zip: string>>") AS p, CAST(q AS "struct<a: int>") AS q FROM ops.public.t;

-- what rows are matched and taken by
INSERT INTO lake.h.t
  EVERY '1 hour' MERGE ON (id) CURSOR u
  MASK (id.a HASH, u.a HASH)
AS
SELECT CAST(id AS "struct<a: int, b: int>") AS id, CAST(u AS "struct<a: int, b: int>") AS u FROM ops.public.t;

-- no key
INSERT INTO keyless.i.t
  EVERY '1 hour'
  MASK (p.email HASH)
AS
SELECT id, CAST(p AS "struct<email: string>") AS p FROM ops.public.t;
