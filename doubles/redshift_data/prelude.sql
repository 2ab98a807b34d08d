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
-- https://docs.aws.amazon.com/redshift/latest/dg/r_Examples_with_character_types.html: blanks at the end of a VARCHAR are none to `=`, GROUP BY
-- and their like, and are kept, and counted by LEN. So a column is a bpchar, which PostgreSQL compares so, and which keeps them here where it becomes a text.
UPDATE pg_cast SET castfunc = 0, castmethod = 'b' WHERE castsource = 'bpchar'::regtype AND casttarget IN ('text'::regtype, 'varchar'::regtype);
CREATE FUNCTION length(bpchar) RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT pg_catalog.length($1::text) $$;
CREATE FUNCTION char_length(bpchar) RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT pg_catalog.length($1::text) $$;
CREATE FUNCTION character_length(bpchar) RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT pg_catalog.length($1::text) $$;
CREATE FUNCTION collated(bpchar, text) RETURNS bpchar IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;
CREATE FUNCTION len(text) RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT char_length($1) $$;
CREATE FUNCTION isnull(anyelement, anyelement) RETURNS anyelement IMMUTABLE LANGUAGE sql AS $$ SELECT coalesce($1, $2) $$;
CREATE FUNCTION nvl2(anyelement, anycompatible, anycompatible) RETURNS anycompatible IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN $1 IS NOT NULL THEN $2 ELSE $3 END $$;
CREATE FUNCTION decode(anyelement, anyelement, anycompatible, anycompatible) RETURNS anycompatible IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN $1 IS NOT DISTINCT FROM $2 THEN $3 ELSE $4 END $$;
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
CREATE FUNCTION dateadd(part text, n bigint, value date) RETURNS timestamp IMMUTABLE LANGUAGE sql AS
  $$ SELECT value::timestamp + (n || ' ' || part)::interval $$;
CREATE FUNCTION datediff(part text, since date, until date) RETURNS bigint IMMUTABLE LANGUAGE sql AS
  $$ SELECT redshift_double.datediff(part, since::timestamp, until::timestamp) $$;
CREATE FUNCTION date_trunc(text, date) RETURNS timestamp IMMUTABLE LANGUAGE sql AS $$ SELECT date_trunc($1, $2::timestamp) $$;
CREATE FUNCTION last_day(timestamp) RETURNS date IMMUTABLE LANGUAGE sql AS
  $$ SELECT (date_trunc('month', $1) + interval '1 month' - interval '1 day')::date $$;
CREATE FUNCTION last_day(timestamptz) RETURNS date STABLE LANGUAGE sql AS $$ SELECT redshift_double.last_day($1 AT TIME ZONE 'UTC') $$;
CREATE FUNCTION last_day(date) RETURNS date IMMUTABLE LANGUAGE sql AS $$ SELECT redshift_double.last_day($1::timestamp) $$;
CREATE FUNCTION add_months(timestamp, bigint) RETURNS timestamp IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN $1::date = redshift_double.last_day($1)
                 THEN redshift_double.last_day($1 + ($2 || ' months')::interval) + ($1 - date_trunc('day', $1))
                 ELSE $1 + ($2 || ' months')::interval END $$;
CREATE FUNCTION add_months(timestamptz, bigint) RETURNS timestamp STABLE LANGUAGE sql AS
  $$ SELECT redshift_double.add_months($1 AT TIME ZONE 'UTC', $2) $$;
CREATE FUNCTION add_months(date, bigint) RETURNS timestamp IMMUTABLE LANGUAGE sql AS
  $$ SELECT redshift_double.add_months($1::timestamp, $2) $$;
-- https://docs.aws.amazon.com/redshift/latest/dg/r_MONTHS_BETWEEN_function.html: of days alone by months of 31 days
CREATE FUNCTION months_between(timestamp, timestamp) RETURNS double precision IMMUTABLE LANGUAGE sql AS $$
  SELECT (extract(year FROM $1) - extract(year FROM $2)) * 12 + extract(month FROM $1) - extract(month FROM $2)
    + CASE WHEN extract(day FROM $1) = extract(day FROM $2) THEN 0
           WHEN $1::date = redshift_double.last_day($1) AND $2::date = redshift_double.last_day($2) THEN 0
           ELSE (extract(day FROM $1) - extract(day FROM $2)) / 31 END $$;
CREATE FUNCTION months_between(timestamptz, timestamptz) RETURNS double precision STABLE LANGUAGE sql AS
  $$ SELECT redshift_double.months_between($1 AT TIME ZONE 'UTC', $2 AT TIME ZONE 'UTC') $$;
CREATE FUNCTION months_between(date, date) RETURNS double precision IMMUTABLE LANGUAGE sql AS
  $$ SELECT redshift_double.months_between($1::timestamp, $2::timestamp) $$;
-- https://docs.aws.amazon.com/redshift/latest/dg/r_NEXT_DAY.html
CREATE FUNCTION next_day(date, text) RETURNS date IMMUTABLE LANGUAGE sql AS
  $$ SELECT $1 + (((position(left(lower($2), 2) IN 'motuwethfrsasu') + 1) / 2 - extract(isodow FROM $1)::integer + 6) % 7 + 1) $$;
CREATE FUNCTION next_day(timestamp, text) RETURNS date IMMUTABLE LANGUAGE sql AS $$ SELECT redshift_double.next_day($1::date, $2) $$;
CREATE FUNCTION next_day(timestamptz, text) RETURNS date STABLE LANGUAGE sql AS
  $$ SELECT redshift_double.next_day(($1 AT TIME ZONE 'UTC')::date, $2) $$;
CREATE FUNCTION trunc(timestamp) RETURNS date IMMUTABLE LANGUAGE sql AS $$ SELECT $1::date $$;
CREATE FUNCTION trunc(timestamptz) RETURNS date STABLE LANGUAGE sql AS $$ SELECT ($1 AT TIME ZONE 'UTC')::date $$;
CREATE FUNCTION trunc(date) RETURNS date IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;
-- https://docs.aws.amazon.com/redshift/latest/dg/r_EXTRACT_function.html: whole numbers, and of a moment with a zone inexact ones
CREATE FUNCTION extracted(text, timestamp) RETURNS integer IMMUTABLE LANGUAGE sql AS $$
  SELECT CASE lower($1) WHEN 'millisecond' THEN extract(microseconds FROM $2)::bigint / 1000 % 1000
                        WHEN 'microsecond' THEN extract(microseconds FROM $2)::bigint % 1000
                        ELSE trunc(date_part(CASE lower($1) WHEN 'dayofweek' THEN 'dow' WHEN 'dayofyear' THEN 'doy' ELSE $1 END, $2)) END $$;
CREATE FUNCTION extracted(text, date) RETURNS integer IMMUTABLE LANGUAGE sql AS
  $$ SELECT redshift_double.extracted($1, $2::timestamp) $$;
CREATE FUNCTION extracted(text, timestamptz) RETURNS double precision STABLE LANGUAGE sql AS
  $$ SELECT redshift_double.extracted($1, $2 AT TIME ZONE 'UTC')::double precision $$;
CREATE FUNCTION extracted(text, interval) RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT trunc(date_part($1, $2)) $$;
CREATE FUNCTION extracted(text, time) RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT trunc(date_part($1, $2)) $$;
CREATE FUNCTION extracted_epoch(text, timestamp) RETURNS double precision IMMUTABLE LANGUAGE sql AS $$ SELECT trunc(date_part($1, $2)) $$;
CREATE FUNCTION extracted_epoch(text, timestamptz) RETURNS double precision STABLE LANGUAGE sql AS $$ SELECT trunc(date_part($1, $2)) $$;
CREATE FUNCTION extracted_epoch(text, date) RETURNS double precision IMMUTABLE LANGUAGE sql AS
  $$ SELECT redshift_double.extracted_epoch($1, $2::timestamp) $$;
CREATE FUNCTION date_part(text, date) RETURNS double precision IMMUTABLE LANGUAGE sql AS $$ SELECT date_part($1, $2::timestamp) $$;
CREATE FUNCTION days_between(date, date) RETURNS bigint IMMUTABLE LANGUAGE sql AS $$ SELECT ($1 OPERATOR(pg_catalog.-) $2)::bigint $$;
CREATE OPERATOR - (LEFTARG = date, RIGHTARG = date, FUNCTION = days_between);
-- https://docs.aws.amazon.com/redshift/latest/dg/r_CONCAT.html: NULL where one is
CREATE FUNCTION concat(text, text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT $1 || $2 $$;
-- Numbers
CREATE FUNCTION sign(double precision) RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT CASE WHEN $1 > 0 THEN 1 WHEN $1 < 0 THEN -1 WHEN $1 = 0 THEN 0 END $$;
CREATE FUNCTION trunc(double precision, integer) RETURNS double precision IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN $1 - $1 = 0 THEN trunc($1::numeric, $2)::double precision ELSE $1 END $$;
-- Of whatever number they are asked, these give an inexact one
DO $$
DECLARE name text; kind text;
BEGIN
  FOREACH name IN ARRAY '{exp,ln,log,sqrt}'::text[] LOOP
    EXECUTE format('CREATE FUNCTION %1$I(numeric) RETURNS double precision IMMUTABLE LANGUAGE sql AS
      ''SELECT pg_catalog.%1$I($1::double precision)''', name);
  END LOOP;
  FOREACH kind IN ARRAY '{smallint,integer,bigint,numeric}'::text[] LOOP
    EXECUTE format('CREATE FUNCTION _accumulated(double precision[], %1$s) RETURNS double precision[] IMMUTABLE STRICT LANGUAGE sql AS
      ''SELECT float8_accum($1, $2::double precision)''', kind);
    FOREACH name IN ARRAY '{stddev,stddev_samp,stddev_pop,variance,var_samp,var_pop}'::text[] LOOP
      EXECUTE format('CREATE AGGREGATE %1$I(%2$s) (SFUNC = _accumulated, STYPE = double precision[], INITCOND = ''{0,0,0}'',
        FINALFUNC = %3$I)', name, kind, 'float8_' || CASE name WHEN 'stddev' THEN 'stddev_samp' WHEN 'variance' THEN 'var_samp' ELSE name END);
    END LOOP;
  END LOOP;
END $$;
CREATE FUNCTION ntile(integer) RETURNS bigint STRICT IMMUTABLE LANGUAGE internal WINDOW AS 'window_ntile';
CREATE FUNCTION share_of(double precision, double precision) RETURNS double precision IMMUTABLE LANGUAGE sql AS
  $$ SELECT $1 / nullif($2, 0) $$;
CREATE FUNCTION _sum_of(double precision, real) RETURNS double precision IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN $2 IS NULL THEN $1 ELSE coalesce($1, 0) + $2 END $$;
CREATE AGGREGATE sum(real) (SFUNC = _sum_of, STYPE = double precision);
CREATE FUNCTION strtol(text, integer) RETURNS bigint IMMUTABLE LANGUAGE sql AS $$
  SELECT CASE WHEN left($1, 1) = '-' THEN -1 ELSE 1 END
         * sum((position(digit IN '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ') - 1) * ($2::numeric ^ (length(ltrim($1, '-')) - place)))::bigint
  FROM regexp_split_to_table(upper(ltrim($1, '-')), '') WITH ORDINALITY AS digits (digit, place) $$;
CREATE FUNCTION _truth(bigint) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT $1 <> 0 $$;
CREATE FUNCTION _truth(smallint) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT $1 <> 0 $$;
CREATE FUNCTION _small(boolean) RETURNS smallint IMMUTABLE LANGUAGE sql AS $$ SELECT $1::integer::smallint $$;
CREATE CAST (bigint AS boolean) WITH FUNCTION _truth(bigint);
CREATE CAST (smallint AS boolean) WITH FUNCTION _truth(smallint);
CREATE CAST (boolean AS smallint) WITH FUNCTION _small(boolean);
-- https://docs.aws.amazon.com/redshift/latest/dg/r_MEDIAN.html
CREATE FUNCTION _kept(anyarray, anyelement) RETURNS anyarray IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN $2 IS NULL THEN $1 ELSE $1 || $2 END $$;
CREATE FUNCTION _kept(numeric[], bigint) RETURNS numeric[] IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN $2 IS NULL THEN $1 ELSE $1 || $2::numeric END $$;
CREATE FUNCTION _kept(numeric[], integer) RETURNS numeric[] IMMUTABLE LANGUAGE sql AS
  $$ SELECT CASE WHEN $2 IS NULL THEN $1 ELSE $1 || $2::numeric END $$;
CREATE FUNCTION _middle(anyarray) RETURNS anyarray IMMUTABLE LANGUAGE sql AS $$
  SELECT array_agg(v) FROM (SELECT v, row_number() OVER (ORDER BY v) AS n, count(*) OVER () AS c FROM unnest($1) AS v) AS q
  WHERE n IN ((c + 1) / 2, (c + 2) / 2) $$;
CREATE FUNCTION _median(double precision[]) RETURNS double precision IMMUTABLE LANGUAGE sql AS
  $$ SELECT avg(v) FROM unnest(_middle($1)) AS v $$;
CREATE FUNCTION _median(numeric[]) RETURNS numeric IMMUTABLE LANGUAGE sql AS $$ SELECT avg(v) FROM unnest(_middle($1)) AS v $$;
CREATE FUNCTION _median(timestamp[]) RETURNS timestamp IMMUTABLE LANGUAGE sql AS
  $$ SELECT min(v) + (max(v) - min(v)) / 2 FROM unnest(_middle($1)) AS v $$;
CREATE FUNCTION _median(timestamptz[]) RETURNS timestamptz STABLE LANGUAGE sql AS
  $$ SELECT min(v) + (max(v) - min(v)) / 2 FROM unnest(_middle($1)) AS v $$;
CREATE FUNCTION _median(date[]) RETURNS date IMMUTABLE LANGUAGE sql AS
  $$ SELECT min(v) + (max(v) OPERATOR(pg_catalog.-) min(v)) / 2 FROM unnest(_middle($1)) AS v $$;
CREATE AGGREGATE median(double precision) (SFUNC = _kept, STYPE = double precision[], INITCOND = '{}', FINALFUNC = _median);
CREATE AGGREGATE median(numeric) (SFUNC = _kept, STYPE = numeric[], INITCOND = '{}', FINALFUNC = _median);
CREATE AGGREGATE median(bigint) (SFUNC = _kept, STYPE = numeric[], INITCOND = '{}', FINALFUNC = _median);
CREATE AGGREGATE median(integer) (SFUNC = _kept, STYPE = numeric[], INITCOND = '{}', FINALFUNC = _median);
CREATE AGGREGATE median(timestamp) (SFUNC = _kept, STYPE = timestamp[], INITCOND = '{}', FINALFUNC = _median);
CREATE AGGREGATE median(timestamptz) (SFUNC = _kept, STYPE = timestamptz[], INITCOND = '{}', FINALFUNC = _median);
CREATE AGGREGATE median(date) (SFUNC = _kept, STYPE = date[], INITCOND = '{}', FINALFUNC = _median);
-- Texts
CREATE AGGREGATE string_agg(text) (SFUNC = textcat, STYPE = text);
CREATE FUNCTION regexp_replace(text, text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT regexp_replace($1, $2, '', 'g') $$;
CREATE FUNCTION regexp_replace(text, text, text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT regexp_replace($1, $2, $3, 'g') $$;
CREATE FUNCTION crc32(text) RETURNS varchar IMMUTABLE LANGUAGE sql AS
  $$ SELECT lpad(pg_catalog.to_hex(pg_catalog.crc32(convert_to($1, 'UTF8'))), 8, '0') $$;
CREATE FUNCTION sha2(text, integer) RETURNS varchar IMMUTABLE LANGUAGE sql AS $$
  SELECT encode(CASE $2 WHEN 224 THEN sha224(b) WHEN 384 THEN sha384(b) WHEN 512 THEN sha512(b) ELSE sha256(b) END, 'hex')
  FROM convert_to($1, 'UTF8') AS b $$;
-- https://www.rfc-editor.org/rfc/rfc3174: PostgreSQL has no SHA-1 of its own
CREATE FUNCTION sha1(value text) RETURNS varchar IMMUTABLE STRICT LANGUAGE plpgsql AS $$
DECLARE
  m bytea := convert_to(value, 'UTF8'); bits bigint := 8 * length(convert_to(value, 'UTF8')); mask CONSTANT bigint := 4294967295;
  h bigint[] := ARRAY[1732584193, 4023233417, 2562383102, 271733878, 3285377520]; w bigint[]; v bigint[]; f bigint; k bigint; t bigint;
BEGIN
  m := m || decode('80', 'hex') || decode(repeat('00', ((55 - length(m)) % 64 + 64) % 64), 'hex') || int8send(bits);
  FOR at IN 0 .. length(m) / 64 - 1 LOOP
    FOR i IN 0 .. 79 LOOP
      IF i < 16 THEN
        w[i] := ('x' || encode(substring(m FROM at * 64 + i * 4 + 1 FOR 4), 'hex'))::bit(32)::bigint & mask;
      ELSE
        t := w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16];
        w[i] := ((t << 1) | (t >> 31)) & mask;
      END IF;
    END LOOP;
    v := h;
    FOR i IN 0 .. 79 LOOP
      IF i < 20 THEN f := (v[2] & v[3]) | ((v[2] # mask) & v[4]); k := 1518500249;
      ELSIF i < 40 THEN f := v[2] # v[3] # v[4]; k := 1859775393;
      ELSIF i < 60 THEN f := (v[2] & v[3]) | (v[2] & v[4]) | (v[3] & v[4]); k := 2400959708;
      ELSE f := v[2] # v[3] # v[4]; k := 3395469782; END IF;
      t := ((((v[1] << 5) | (v[1] >> 27)) & mask) + f + v[5] + k + w[i]) & mask;
      v := ARRAY[t, v[1], ((v[2] << 30) | (v[2] >> 2)) & mask, v[3], v[4]];
    END LOOP;
    FOR i IN 1 .. 5 LOOP h[i] := (h[i] + v[i]) & mask; END LOOP;
  END LOOP;
  RETURN (SELECT string_agg(lpad(pg_catalog.to_hex(part), 8, '0'), '' ORDER BY place) FROM unnest(h) WITH ORDINALITY AS p (part, place));
END $$;
-- JSON in texts
CREATE FUNCTION json_extract_path_text(text, VARIADIC text[]) RETURNS varchar IMMUTABLE LANGUAGE sql AS $$ SELECT $1::json #>> $2 $$;
CREATE FUNCTION json_extract_array_element_text(text, integer) RETURNS varchar IMMUTABLE LANGUAGE sql AS $$ SELECT $1::json ->> $2 $$;
CREATE FUNCTION json_array_length(text) RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT pg_catalog.json_array_length($1::json) $$;
CREATE FUNCTION is_valid_json(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT $1 IS JSON $$;
-- https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_COLUMNS.html, as far as it is asked here
CREATE VIEW svv_columns AS
SELECT table_schema::varchar AS table_schema, table_name::varchar AS table_name, column_name::varchar AS column_name,
       ordinal_position::integer AS ordinal_position,
       (CASE data_type WHEN 'bytea' THEN 'binary varying' WHEN 'jsonb' THEN 'super' WHEN 'character' THEN 'character varying' ELSE data_type END)::varchar AS data_type,
       character_maximum_length::integer AS character_maximum_length,
       numeric_precision::integer AS numeric_precision, numeric_scale::integer AS numeric_scale
FROM information_schema.columns;
-- https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_TABLES.html
CREATE VIEW svv_tables AS
SELECT table_schema::varchar AS table_schema, table_name::varchar AS table_name, table_type::varchar AS table_type
FROM information_schema.tables;
