CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops FROM ops.public TABLES (flights, planes) EVERY '1 hour' REPLACE;

-- What SQL cannot say.
CREATE FUNCTION delay_risk (carrier varchar, dep_delay double) RETURNS TABLE (carrier varchar NOT NULL, risk double)
  USING python WITH (handler = 'models.delay:risk', memory_mb = 2048, timeout_seconds = 600);

CREATE FUNCTION ranked (carrier VARCHAR, risk DOUBLE) RETURNS TABLE (
    carrier VARCHAR,
    rank INTEGER NOT NULL,
    amount DECIMAL(10, 2),
    codes VARCHAR[],
    at TIMESTAMP WITH TIME ZONE
  )
  USING python WITH (handler = 'models.rank:ranked');  -- not heavy

CREATE FUNCTION late (t TABLE (carrier, dep_delay)) RETURNS TABLE USING sql
AS
SELECT * FROM t WHERE dep_delay > 0;

CREATE MATERIALIZED VIEW lake.v.risks
  EVERY '1 day' REPLACE
AS
SELECT r.carrier, r.risk * 2 AS twice, p.model
FROM delay_risk((SELECT carrier, dep_delay FROM lake.ops.flights WHERE updated_at >= batch_start())) r JOIN lake.ops.planes p ON p.model = r.carrier;

CREATE MATERIALIZED VIEW lake.v.nested
  EVERY '1 day' MERGE ON (carrier)
  EXPECT some: (rank > 0) OR FAIL
AS
SELECT * FROM ranked(delay_risk(late(lake.ops.flights)));

INSERT INTO ops.public.risks
  EVERY '1 day' REPLACE
AS
SELECT carrier, risk FROM delay_risk(lake.ops.flights);
