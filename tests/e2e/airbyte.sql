CREATE WAREHOUSE lake USING iceberg;

CREATE CONNECTION things TO things WITH (secret = 'things');

INSERT INTO lake.coded.things EVERY '1 hour' MERGE ON (id) CURSOR updated AS SELECT id, label, number, updated FROM things.thing0;
INSERT INTO lake.whole.things EVERY '1 hour' REPLACE AS SELECT id, label FROM things.thing0;
