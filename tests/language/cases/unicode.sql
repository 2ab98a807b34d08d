CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops.t EVERY '1 hour' AS SELECT 'Zürich ☃ 🙂' AS größe, "naïve" FROM ops.public.ort; -- größer
