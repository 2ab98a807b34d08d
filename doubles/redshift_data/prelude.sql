-- What Redshift has and PostgreSQL has not, or has otherwise: https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_functions.html
CREATE SCHEMA redshift_double;
SET search_path = redshift_double, pg_catalog;
CREATE FUNCTION _avg_of(state numeric[]) RETURNS bigint IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN state[1] > 0 THEN trunc(state[2] / state[1])::bigint END $$;
CREATE FUNCTION _avg_add(state numeric[], value bigint) RETURNS numeric[] IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN value IS NULL THEN state ELSE ARRAY[state[1] + 1, state[2] + value] END $$;
CREATE FUNCTION _avg_add(state numeric[], value integer) RETURNS numeric[] IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN value IS NULL THEN state ELSE ARRAY[state[1] + 1, state[2] + value] END $$;
CREATE FUNCTION _avg_add(state numeric[], value smallint) RETURNS numeric[] IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN value IS NULL THEN state ELSE ARRAY[state[1] + 1, state[2] + value] END $$;
-- https://docs.aws.amazon.com/redshift/latest/dg/r_AVG.html: "BIGINT for any integer type argument"
CREATE AGGREGATE avg(bigint) (SFUNC = _avg_add, STYPE = numeric[], INITCOND = '{0,0}', FINALFUNC = _avg_of);
CREATE AGGREGATE avg(integer) (SFUNC = _avg_add, STYPE = numeric[], INITCOND = '{0,0}', FINALFUNC = _avg_of);
CREATE AGGREGATE avg(smallint) (SFUNC = _avg_add, STYPE = numeric[], INITCOND = '{0,0}', FINALFUNC = _avg_of);
-- https://docs.aws.amazon.com/redshift/latest/dg/r_ROUND.html: of a FLOAT8 too; what it does with halves is not said, and here as of numbers
CREATE FUNCTION round(double precision, integer) RETURNS double precision IMMUTABLE LANGUAGE sql AS
  $$ SELECT sign($1) * floor(abs($1) * 10::float8 ^ $2 + 0.5) / 10::float8 ^ $2 $$;
CREATE FUNCTION _number(boolean) RETURNS bigint IMMUTABLE LANGUAGE sql AS $$ SELECT CASE WHEN $1 THEN 1 WHEN NOT $1 THEN 0 END $$;
CREATE CAST (boolean AS bigint) WITH FUNCTION _number(boolean);
CREATE FUNCTION getdate() RETURNS timestamp STABLE LANGUAGE sql AS $$ SELECT date_trunc('second', now() AT TIME ZONE 'UTC') $$;
CREATE FUNCTION len(text) RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT char_length($1) $$;
CREATE FUNCTION isnull(anyelement, anyelement) RETURNS anyelement IMMUTABLE LANGUAGE sql AS $$ SELECT coalesce($1, $2) $$;
CREATE FUNCTION nvl2(anyelement, anycompatible, anycompatible) RETURNS anycompatible IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN $1 IS NOT NULL THEN $2 ELSE $3 END $$;
CREATE FUNCTION charindex(text, text) RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT strpos($2, $1) $$;
CREATE FUNCTION serialized(jsonb) RETURNS varchar IMMUTABLE LANGUAGE sql AS $$ SELECT $1::varchar $$;
CREATE FUNCTION json_parse(text) RETURNS jsonb IMMUTABLE LANGUAGE sql AS $$ SELECT $1::jsonb $$;
CREATE FUNCTION to_varbyte(value text, format text) RETURNS bytea IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN lower(format) = 'hex' THEN decode(value, 'hex') ELSE convert_to(value, 'UTF8') END $$;
CREATE FUNCTION from_varbyte(value bytea, format text) RETURNS varchar IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN lower(format) IN ('hex', 'hexadecimal') THEN encode(value, 'hex') ELSE convert_from(value, 'UTF8') END $$;
CREATE FUNCTION to_hex(bytea) RETURNS varchar IMMUTABLE LANGUAGE sql AS $$ SELECT encode($1, 'hex') $$;
CREATE FUNCTION convert_timezone(target text, value timestamp) RETURNS timestamp IMMUTABLE LANGUAGE sql AS
  $$ SELECT (value AT TIME ZONE 'UTC') AT TIME ZONE target $$;
CREATE FUNCTION convert_timezone(source text, target text, value timestamp) RETURNS timestamp IMMUTABLE LANGUAGE sql AS
  $$ SELECT (value AT TIME ZONE source) AT TIME ZONE target $$;
CREATE FUNCTION dateadd(part text, n bigint, value timestamp) RETURNS timestamp IMMUTABLE LANGUAGE sql AS
  $$ SELECT value + (n || ' ' || part)::interval $$;
CREATE FUNCTION dateadd(part text, n bigint, value timestamptz) RETURNS timestamptz IMMUTABLE LANGUAGE sql AS
  $$ SELECT ((value AT TIME ZONE 'UTC') + (n || ' ' || part)::interval) AT TIME ZONE 'UTC' $$;
CREATE FUNCTION _boundaries(part text, value timestamp) RETURNS bigint IMMUTABLE LANGUAGE sql AS $$
  SELECT CASE lower(part)
    WHEN 'year' THEN extract(year FROM value)::bigint
    WHEN 'quarter' THEN extract(year FROM value)::bigint * 4 + extract(quarter FROM value)::bigint
    WHEN 'month' THEN extract(year FROM value)::bigint * 12 + extract(month FROM value)::bigint
    WHEN 'week' THEN floor((extract(epoch FROM date_trunc('day', value)) / 86400 + 4) / 7)::bigint
    WHEN 'day' THEN floor(extract(epoch FROM value) / 86400)::bigint
    WHEN 'hour' THEN floor(extract(epoch FROM value) / 3600)::bigint
    WHEN 'minute' THEN floor(extract(epoch FROM value) / 60)::bigint
    WHEN 'second' THEN floor(extract(epoch FROM value))::bigint END $$;
CREATE FUNCTION datediff(part text, since timestamp, until timestamp) RETURNS bigint IMMUTABLE LANGUAGE sql AS
  $$ SELECT _boundaries(part, until) - _boundaries(part, since) $$;
ALTER FUNCTION datediff(text, timestamp, timestamp) SET search_path = redshift_double, pg_catalog;
CREATE FUNCTION datediff(part text, since timestamptz, until timestamptz) RETURNS bigint IMMUTABLE LANGUAGE sql AS
  $$ SELECT redshift_double.datediff(part, since AT TIME ZONE 'UTC', until AT TIME ZONE 'UTC') $$;
CREATE FUNCTION last_day(timestamp) RETURNS date IMMUTABLE LANGUAGE sql AS
  $$ SELECT (date_trunc('month', $1) + interval '1 month' - interval '1 day')::date $$;
CREATE FUNCTION add_months(timestamp, bigint) RETURNS timestamp IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN $1::date = redshift_double.last_day($1)
                 THEN redshift_double.last_day($1 + ($2 || ' months')::interval) + ($1 - date_trunc('day', $1))
                 ELSE $1 + ($2 || ' months')::interval END $$;
-- https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_COLUMNS.html, as far as it is asked here
CREATE VIEW svv_columns AS
SELECT table_schema::varchar AS table_schema, table_name::varchar AS table_name, column_name::varchar AS column_name,
       ordinal_position::integer AS ordinal_position,
       (CASE data_type WHEN 'bytea' THEN 'binary varying' WHEN 'jsonb' THEN 'super' ELSE data_type END)::varchar AS data_type,
       character_maximum_length::integer AS character_maximum_length,
       numeric_precision::integer AS numeric_precision, numeric_scale::integer AS numeric_scale
FROM information_schema.columns;
-- https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_TABLES.html
CREATE VIEW svv_tables AS
SELECT table_schema::varchar AS table_schema, table_name::varchar AS table_name, table_type::varchar AS table_type
FROM information_schema.tables;
