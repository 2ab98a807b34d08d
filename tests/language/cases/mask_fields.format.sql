CREATE WAREHOUSE lake USING iceberg WITH (mask_key = 'mask');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.people.person
  EVERY '1 hour'
  MASK (
    profile.email HASH,
    Profile.ADDRESS.street DROP,
    profile."e.mail" HASH,
    "we.ird".a HASH,
    note DROP
  )
AS
SELECT id, note, CAST(profile AS "struct<email: string, ""e.mail"": string, Address: struct<street: string, city: string>, born: int>") AS profile,
CAST(doc AS "struct<a: struct<b: int>>") AS "we.ird" FROM ops.public.people;

-- a query of more than columns
INSERT INTO lake.people.joined
  EVERY '1 hour'
  -- who
  MASK (doc."it's" HASH, doc.b DROP)
AS
SELECT p.id, (p.doc -> 'x')::"struct<""it's"": string, b: int, c: list<int>>" AS doc FROM ops.public.people p JOIN ops.public.other o USING (id);
