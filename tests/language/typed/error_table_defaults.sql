CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION hiring TO postgres WITH (secret = 'hiring');
INSERT INTO lake.hiring FROM hiring.public TABLES (candidates, degrees) EVERY '1 hour' MERGE;
INSERT INTO lake.hiring.offers EVERY '1 hour' MERGE AS SELECT state, moved FROM hiring.public.offers;
INSERT INTO lake.hiring.people EVERY '1 hour' AS SELECT id, name FROM hiring.public.candidates;
INSERT INTO lake.hiring.counted EVERY '1 hour' MERGE AS SELECT count(*) AS id FROM hiring.public.candidates;
CREATE MATERIALIZED VIEW lake.hiring.open EVERY '1 hour' MERGE AS SELECT id FROM lake.hiring.candidates;
