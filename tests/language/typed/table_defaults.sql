-- What a statement leaves open, the source's table tells.
CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION hiring TO postgres WITH (secret = 'hiring');

INSERT INTO lake.hiring FROM hiring.public TABLES (candidates, jobs, degrees) EVERY '1 hour';

INSERT INTO lake.hiring.offers EVERY '1 hour' MERGE
AS SELECT id AS offer, state, moved AS moved_at FROM hiring.public.offers;

CREATE MATERIALIZED VIEW lake.hiring.open EVERY '1 hour' MERGE ON (id)
AS SELECT c.id, c.name, j.title FROM lake.hiring.candidates c JOIN lake.hiring.jobs j ON j.id = c.job;
