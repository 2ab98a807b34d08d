CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION own TO things WITH (secret = 'things');
CREATE CONNECTION theirs TO restful WITH (secret = 'restful', api_url = 'ADDRESS', run = 'task', task_vcpus = 1, task_gb = 2);

INSERT INTO lake.own.things EVERY '1 hour' REPLACE
AS SELECT id, label, number, updated FROM own.thing0;

INSERT INTO lake.theirs.things EVERY '1 hour' MERGE ON (id) CURSOR updated
AS SELECT id, label, number, updated FROM theirs.thing0;
