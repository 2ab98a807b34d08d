-- the head of the file

/* a block
     of two lines */ -- and one after it
CREATE WAREHOUSE lake USING iceberg;   -- where tables live
-- about ops

CREATE CONNECTION ops /* inside */ TO postgres WITH (secret = 'ops' -- by reference
);


INSERT INTO lake.ops -- into a schema
  FROM ops TABLES (public.flights, -- the main one
    public.weather /* and /* the nested */ other */)
  -- not too often
  EVERY '1 hour' -- hourly
  -- after all clauses
;
CREATE MATERIALIZED VIEW lake.ops.v EVERY '1 day' REPLACE EXPECT ok: (a -- why
    > 1) OR WARN
AS -- the query
     SELECT a, -- a column
            'text -- no comment
   kept' AS b /* c */
       FROM lake.ops.flights

     WHERE a > 1 -- last
; -- done
-- the end
