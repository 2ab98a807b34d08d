-- the head of the file

/* a block
     of two lines */
-- and one after it
CREATE WAREHOUSE lake USING iceberg;  -- where tables live

-- about ops

/* inside */
-- by reference
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops  -- into a schema
  -- the main one
  /* and /* the nested */ other */
  FROM ops TABLES (public.flights, public.weather)
  -- not too often
  EVERY '1 hour'  -- hourly
  -- after all clauses
;

CREATE MATERIALIZED VIEW lake.ops.v
  EVERY '1 day' REPLACE
  EXPECT ok: (a -- why
    > 1) OR WARN
-- the query
AS
SELECT a, -- a column
       'text -- no comment
   kept' AS b /* c */
  FROM lake.ops.flights

WHERE a > 1  -- last
;  -- done

-- the end
