-- What Oracle has and PostgreSQL has not, or has otherwise; each name as the double's translation writes it.
CREATE SCHEMA oracle;
SET search_path = oracle, pg_catalog;
GRANT USAGE ON SCHEMA oracle TO PUBLIC;
CREATE TABLE "DUAL" ("DUMMY" varchar(1));
INSERT INTO "DUAL" VALUES ('X');
CREATE TABLE users (name varchar PRIMARY KEY, password varchar NOT NULL, role varchar NOT NULL);
CREATE TABLE rights (grantee varchar, what varchar, PRIMARY KEY (grantee, what));
-- Types that PostgreSQL's own do not tell apart; the catalog knows them by these names.
CREATE DOMAIN "DATE" AS timestamp(0);
CREATE DOMAIN "CLOB" AS text;
CREATE DOMAIN "NCLOB" AS text;
CREATE DOMAIN "BLOB" AS bytea;
CREATE DOMAIN "LONG" AS text;
CREATE DOMAIN "LONG RAW" AS bytea;
CREATE DOMAIN "FLOAT" AS numeric;
CREATE DOMAIN "JSON" AS text;
CREATE DOMAIN "XMLTYPE" AS text;
CREATE DOMAIN "ROWID" AS varchar(18);
CREATE DOMAIN "BFILE" AS varchar;
CREATE DOMAIN "SDO_GEOMETRY" AS text;
CREATE DOMAIN "INTERVAL YEAR(2) TO MONTH" AS interval;
CREATE DOMAIN "INTERVAL DAY(2) TO SECOND(6)" AS interval;
CREATE DOMAIN "TIMESTAMP(6) WITH LOCAL TIME ZONE" AS timestamptz;
CREATE FUNCTION me() RETURNS varchar STABLE LANGUAGE sql SECURITY DEFINER SET search_path = oracle, pg_catalog AS
  $$ SELECT name FROM users WHERE role = session_user $$;
-- https://docs.oracle.com/en/database/oracle/oracle-database/23/sqlrf/Single-Row-Functions.html
CREATE FUNCTION systimestamp() RETURNS timestamptz VOLATILE LANGUAGE sql AS $$ SELECT clock_timestamp() $$;
CREATE FUNCTION sysdate() RETURNS timestamp(0) VOLATILE LANGUAGE sql AS
  $$ SELECT date_trunc('second', clock_timestamp() AT TIME ZONE 'Asia/Kolkata')::timestamp(0) $$;
CREATE FUNCTION sys_extract_utc(timestamptz) RETURNS timestamp IMMUTABLE LANGUAGE sql AS $$ SELECT $1 AT TIME ZONE 'UTC' $$;
CREATE FUNCTION to_char(numeric, text, text) RETURNS varchar IMMUTABLE LANGUAGE sql AS
  $$ SELECT regexp_replace(regexp_replace(trim_scale($1)::text, '^(-?)0\.', '\1.'), '^-?0$', '0')::varchar $$;
CREATE FUNCTION to_char(numeric) RETURNS varchar IMMUTABLE LANGUAGE sql AS $$ SELECT to_char($1, '', '') $$;
CREATE FUNCTION to_char(double precision) RETURNS varchar IMMUTABLE LANGUAGE sql AS $$ SELECT $1::varchar $$;
CREATE FUNCTION to_char(varchar) RETURNS varchar IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;
CREATE FUNCTION to_char(interval) RETURNS varchar IMMUTABLE LANGUAGE sql AS $$ SELECT
  CASE WHEN extract(month FROM $1) <> 0 OR extract(year FROM $1) <> 0
  THEN to_char(extract(year FROM $1), 'S00') || '-' || trim(to_char(extract(month FROM $1), '00'))
  ELSE to_char(extract(day FROM $1), 'S00') || ' ' || pg_catalog.to_char($1, 'HH24:MI:SS.US') END::varchar $$;
CREATE FUNCTION to_char(timestamp, text) RETURNS varchar IMMUTABLE LANGUAGE sql AS $$ SELECT
  (CASE WHEN left($2, 1) <> 'S' THEN '' WHEN $1 < '0001-01-01' THEN '-' ELSE ' ' END
  || pg_catalog.to_char($1, replace(ltrim($2, 'S'), '.FF', '.US')))::varchar $$;
CREATE FUNCTION to_date(text, text) RETURNS timestamp(0) IMMUTABLE LANGUAGE sql AS $$ SELECT
  (CASE WHEN $1 LIKE '-%' THEN substr($1, 2) || ' BC' ELSE trim($1) END)::timestamp(0) $$;
CREATE FUNCTION to_number(text, text) RETURNS numeric IMMUTABLE LANGUAGE sql AS
  $$ SELECT (('x' || lpad($1, 16, '0'))::bit(64)::bigint)::numeric $$;
CREATE FUNCTION rawtohex(bytea) RETURNS varchar IMMUTABLE LANGUAGE sql AS $$ SELECT upper(encode($1, 'hex'))::varchar $$;
CREATE FUNCTION hextoraw(text) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$ SELECT decode($1, 'hex') $$;
CREATE FUNCTION to_blob(bytea) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;
CREATE FUNCTION dbms_lob_substr(bytea, integer, integer) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$ SELECT substr($1, $3, $2) $$;
CREATE FUNCTION standard_hash(text, text) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$ SELECT decode(md5($1), 'hex') $$;
CREATE FUNCTION standard_hash(anyelement, text) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$ SELECT decode(md5($1::text), 'hex') $$;
CREATE FUNCTION xml_text(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;
CREATE FUNCTION json_joined(VARIADIC json[]) RETURNS text IMMUTABLE LANGUAGE sql AS
  $$ SELECT '{' || string_agg(substr(o::text, 2, length(o::text) - 2), ', ') || '}' FROM unnest($1) AS o $$;
CREATE FUNCTION json_text(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;
CREATE FUNCTION rowidtochar(varchar) RETURNS varchar IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;
CREATE FUNCTION chartorowid(text) RETURNS varchar IMMUTABLE LANGUAGE sql AS $$ SELECT $1::varchar $$;
-- Eighteen characters that rise from block to block, as an extended ROWID's do.
CREATE FUNCTION rowid_of(oid, tid) RETURNS varchar IMMUTABLE LANGUAGE sql AS $$ SELECT
  ('AAA' || lpad(to_hex(split_part(trim('()' FROM $2::text), ',', 1)::bigint), 10, '0')
  || lpad(to_hex(split_part(trim('()' FROM $2::text), ',', 2)::bigint), 5, '0'))::varchar COLLATE "C" $$;
CREATE FUNCTION ora_hash(text, bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS
  $$ SELECT (hashtextextended($1, 7) & 9223372036854775807) % ($2 + 1) $$;
CREATE FUNCTION sys_context(text, text) RETURNS varchar STABLE LANGUAGE sql AS
  $$ SELECT CASE upper($2) WHEN 'DATABASE_ROLE' THEN 'PRIMARY' WHEN 'SESSION_USER' THEN me() END $$;
CREATE FUNCTION has_right(text) RETURNS boolean STABLE LANGUAGE sql SECURITY DEFINER SET search_path = oracle, pg_catalog AS
  $$ SELECT EXISTS (SELECT FROM rights WHERE grantee = me() AND what = $1) $$;
-- What the catalog calls the type of a column: its name, precision, scale, length.
CREATE FUNCTION oracle_type(kind oid, modifier integer, OUT name varchar, OUT digits integer, OUT places integer, OUT size integer, OUT owner varchar)
STABLE LANGUAGE plpgsql AS $$
BEGIN
  SELECT typname INTO name FROM pg_type WHERE oid = kind AND typnamespace = 'oracle'::regnamespace;
  size := 0;
  IF name IS NOT NULL THEN
    IF name = 'FLOAT' THEN digits := 126; END IF;
    IF name = 'SDO_GEOMETRY' THEN owner := 'MDSYS'; END IF;
    IF name = 'XMLTYPE' THEN owner := 'SYS'; END IF;
    RETURN;
  END IF;
  CASE kind::regtype::text
    WHEN 'numeric' THEN
      name := 'NUMBER';
      IF modifier >= 0 THEN
        digits := ((modifier - 4) >> 16) & 65535;
        places := (((modifier - 4) & 2047) # 1024) - 1024;
      END IF;
    WHEN 'smallint', 'integer', 'bigint' THEN name := 'NUMBER';
    WHEN 'real' THEN name := 'BINARY_FLOAT';
    WHEN 'double precision' THEN name := 'BINARY_DOUBLE';
    WHEN 'boolean' THEN name := 'BOOLEAN';
    WHEN 'bytea' THEN name := 'RAW'; size := 2000;
    WHEN 'timestamp without time zone' THEN name := format('TIMESTAMP(%s)', CASE WHEN modifier < 0 THEN 6 ELSE modifier END);
    WHEN 'timestamp with time zone' THEN name := format('TIMESTAMP(%s) WITH TIME ZONE', CASE WHEN modifier < 0 THEN 6 ELSE modifier END);
    WHEN 'character' THEN name := 'CHAR'; size := modifier - 4;
    ELSE name := 'VARCHAR2'; size := CASE WHEN modifier < 0 THEN 4000 ELSE modifier - 4 END;
  END CASE;
END $$;
CREATE VIEW "ALL_USERS" AS SELECT name AS "USERNAME", 'N'::varchar AS "ORACLE_MAINTAINED" FROM users
  UNION ALL SELECT 'SYS', 'Y';
CREATE VIEW relations AS
  SELECT c.oid, n.nspname::varchar AS owner, c.relname::varchar AS name, c.relkind, c.reltuples, c.relrowsecurity
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'v', 'm', 'p') AND n.nspname IN (SELECT name FROM users)
  AND (pg_has_role(session_user, c.relowner, 'USAGE') OR has_table_privilege(session_user, c.oid, 'SELECT, INSERT, UPDATE, DELETE'));
CREATE VIEW "ALL_OBJECTS" AS SELECT owner AS "OWNER", name AS "OBJECT_NAME", 'N'::varchar AS "SECONDARY",
  CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END::varchar AS "OBJECT_TYPE" FROM relations;
CREATE VIEW "ALL_TABLES" AS SELECT owner AS "OWNER", name AS "TABLE_NAME",
  CASE WHEN reltuples >= 0 THEN reltuples::bigint END AS "NUM_ROWS",
  CASE WHEN reltuples >= 0 THEN pg_relation_size(oid) / 8192 END AS "BLOCKS",
  CASE WHEN reltuples > 0 THEN (pg_relation_size(oid) / reltuples)::bigint ELSE 0 END AS "AVG_ROW_LEN",
  NULL::varchar AS "IOT_TYPE", NULL::varchar AS "CLUSTER_NAME", 'N'::varchar AS "TEMPORARY"
FROM relations WHERE relkind IN ('r', 'p');
CREATE VIEW "ALL_TAB_COLS" AS SELECT r.owner AS "OWNER", r.name AS "TABLE_NAME", a.attname::varchar AS "COLUMN_NAME", t.name AS "DATA_TYPE",
  t.digits AS "DATA_PRECISION", t.places AS "DATA_SCALE", t.size AS "CHAR_LENGTH", t.size AS "DATA_LENGTH", t.owner AS "DATA_TYPE_OWNER",
  CASE WHEN a.attnotnull THEN 'N' ELSE 'Y' END::varchar AS "NULLABLE", 
  CASE a.attname WHEN 'ORA_ARCHIVE_STATE' THEN 'YES' ELSE 'NO' END::varchar AS "HIDDEN_COLUMN",
  CASE a.attname WHEN 'ORA_ARCHIVE_STATE' THEN 'NO' ELSE 'YES' END::varchar AS "USER_GENERATED",
  a.attnum::integer AS "INTERNAL_COLUMN_ID"
FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
CROSS JOIN LATERAL oracle_type(a.atttypid, a.atttypmod) t;
CREATE VIEW "ALL_CONSTRAINTS" AS SELECT r.owner AS "OWNER", c.conname::varchar AS "CONSTRAINT_NAME", r.name AS "TABLE_NAME",
  upper(c.contype::text)::varchar AS "CONSTRAINT_TYPE" FROM pg_constraint c JOIN relations r ON r.oid = c.conrelid;
CREATE VIEW "ALL_CONS_COLUMNS" AS SELECT r.owner AS "OWNER", c.conname::varchar AS "CONSTRAINT_NAME", r.name AS "TABLE_NAME",
  a.attname::varchar AS "COLUMN_NAME", k.position AS "POSITION"
FROM pg_constraint c JOIN relations r ON r.oid = c.conrelid CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY k (attnum, position)
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum;
-- Row level security is PostgreSQL's own here.
CREATE VIEW "ALL_POLICIES" AS SELECT r.owner AS "OBJECT_OWNER", r.name AS "OBJECT_NAME", p.polname::varchar AS "POLICY_NAME",
  CASE WHEN p.polcmd IN ('r', '*') THEN 'YES' ELSE 'NO' END::varchar AS "SEL", CASE WHEN r.relrowsecurity THEN 'YES' ELSE 'NO' END::varchar AS "ENABLE"
FROM pg_policy p JOIN relations r ON r.oid = p.polrelid WHERE p.polname <> 'ROW ARCHIVAL';
CREATE VIEW "SESSION_PRIVS" AS SELECT 'EXEMPT ACCESS POLICY'::varchar AS "PRIVILEGE" FROM pg_roles WHERE rolname = session_user AND rolbypassrls
  UNION ALL SELECT 'CREATE SESSION';
CREATE FUNCTION open_transactions() RETURNS TABLE (at timestamptz) VOLATILE LANGUAGE sql SECURITY DEFINER SET search_path = oracle, pg_catalog AS
  $$ SELECT xact_start FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL $$;
CREATE VIEW "GV$TRANSACTION" AS SELECT date_trunc('second', at AT TIME ZONE 'Asia/Kolkata')::timestamp(0) AS "START_DATE" FROM open_transactions();
GRANT SELECT ON "DUAL", "ALL_USERS", "ALL_OBJECTS", "ALL_TABLES", "ALL_TAB_COLS", "ALL_CONSTRAINTS", "ALL_CONS_COLUMNS", "ALL_POLICIES",
  "SESSION_PRIVS" TO PUBLIC;
