CREATE WAREHOUSE lake USING iceberg WITH (mask_key = 'mask');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops.odd EVERY '1 hour' MASK (note.email HASH, note.at.street DROP, note.born DROP)
  EXPECT there: (note.born > 1900) OR WARN
AS SELECT "Id" AS id, CAST(note AS "struct<email: string, at: struct<street: string, zip: int>, born: int>") AS note FROM ops.public.mixed;

CREATE MATERIALIZED VIEW lake.v.person EVERY '1 hour' REPLACE AS SELECT id, note.at.street AS street, o.note.born AS born FROM lake.ops.odd o;
CREATE MATERIALIZED VIEW lake.v.number EVERY '1 hour' REPLACE AS SELECT id, note.email + 1 AS number FROM lake.ops.odd;
CREATE MATERIALIZED VIEW lake.v.other EVERY '1 hour' REPLACE AS SELECT id, note.emial FROM lake.ops.odd;
