CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

-- the slice casts: of one table, and of what a query makes
INSERT INTO lake.ops.priced EVERY '1 hour' TOLERATE 5 BAD ROWS
AS SELECT id, amount::DECIMAL(38, 9), CAST(p."Tax" AS numeric(12, 2)) AS tax, "Note"::text AS note FROM ops.public.priced AS p WHERE p.id > 0;
INSERT INTO lake.ops.columns EVERY '1 hour' AS SELECT id, ops.public.priced.amount::numeric(20) AS amount FROM ops.public.priced;
INSERT INTO lake.ops.joined EVERY '1 hour'
AS SELECT p.id, ( p.amount * r.rate ) :: numeric ( 18 , 4 ) AS total, (p.doc ->> 'fee')::decimal(10, 2) AS fee
   FROM ops.public.priced p JOIN ops.public.rates r USING (currency) ORDER BY p.id;

INSERT INTO lake.ops.summed EVERY '1 day' AS SELECT currency, sum(amount)::numeric(38, 2) AS total FROM ops.public.priced GROUP BY currency;

INSERT INTO lake.ops.documents EVERY '1 day'
AS SELECT id, CAST(payload AS "struct<a:int, b: list<string>>") AS payload, tags::"map<string, long>" FROM ops.public.documents;

-- the source casts: elsewhere the query reads what is cast, or no decimal holds it
INSERT INTO lake.ops.grouped EVERY '1 day' AS SELECT amount::numeric(10, 0) AS amount, count(*) AS n FROM ops.public.priced GROUP BY 1;
INSERT INTO lake.ops.named EVERY '1 day' AS SELECT id, amount::numeric(10, 0) AS size FROM ops.public.priced ORDER BY size LIMIT 10;
INSERT INTO lake.ops.apart EVERY '1 day' AS SELECT DISTINCT amount::numeric(10, 0) AS amount FROM ops.public.priced;
INSERT INTO lake.ops.wide EVERY '1 day' AS SELECT id, amount::numeric(50, 2) AS amount, amount::numeric AS same FROM ops.public.priced;
INSERT INTO lake.ops.united EVERY '1 day'
AS SELECT amount::numeric(10, 2) AS amount FROM ops.public.priced UNION ALL SELECT amount::numeric(10, 2) FROM ops.public.old;
INSERT INTO lake.ops.rounded EVERY '1 day'
AS SELECT amount::numeric(10, 0) AS amount, count(*) AS n FROM ops.public.priced GROUP BY amount::numeric(10, 0);
