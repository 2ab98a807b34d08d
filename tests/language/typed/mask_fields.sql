CREATE WAREHOUSE lake USING iceberg WITH (mask_key = 'mask');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops.odd EVERY '1 hour' MASK (note.email HASH, note."e.mail" HASH, note.at.street DROP, note.at.geo HASH)
  EXPECT hashed: (length(note.email) = 64) OR WARN
AS SELECT "Id" AS id, CAST(note AS "struct<email: string, ""e.mail"": int, at: struct<street: string, zip: int, geo: list<double>>, born: int>") AS note
   FROM ops.public.mixed;

CREATE MATERIALIZED VIEW lake.v.person EVERY '1 hour' REPLACE AS
SELECT id, note.email AS email, note."e.mail" AS second, note.at AS at, note.at.zip + 1 AS zip FROM lake.ops.odd;
