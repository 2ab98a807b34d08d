"""Reads a table in the target's catalog: its columns and their base types, its indexes, constraints and triggers."""

from __future__ import annotations

from collections.abc import Iterator

from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.errors import DefinitionError
from slices.harness.postgres.database import Connection
from systems.sql_target.table import Guard, TargetColumn, TargetTable

_TABLES = """SELECT c.oid, n.nspname, c.relname, c.relkind::text, row_security_active(c.oid),
  ARRAY(SELECT rulename::text FROM pg_catalog.pg_rewrite WHERE ev_class = c.oid AND ev_type <> '1' AND ev_enabled <> 'D')
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE lower(n.nspname) = lower(%s) AND lower(c.relname) = lower(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY (n.nspname = %s AND c.relname = %s) DESC"""
# Below a domain stands another one, or its base; an array's elements may be of a domain too. `=` is looked up, since an extension's
# may be in no schema of the search path, and another one is then taken: citext is compared as text.
_COLUMNS = """WITH RECURSIVE resolved (type, base, kind, below, modifier) AS (
  SELECT DISTINCT a.atttypid, t.oid, t.typtype, t.typbasetype, CASE WHEN own.typtype = 'd' OR t.typtype = 'd' THEN t.typtypmod END
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type own ON own.oid = a.atttypid
  JOIN pg_catalog.pg_type t ON t.oid = CASE WHEN own.typcategory = 'A' AND own.typtype = 'b' THEN own.typelem ELSE own.oid END
  WHERE a.attrelid = %(table)s AND a.attnum > 0
  UNION SELECT r.type, b.oid, b.typtype, b.typbasetype, CASE WHEN b.typtype = 'd' THEN b.typtypmod ELSE r.modifier END
  FROM resolved r JOIN pg_catalog.pg_type b ON r.kind = 'd' AND b.oid = r.below)
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
  CASE WHEN own.typcategory = 'A' AND own.typtype = 'b' THEN '_' ELSE '' END || base.typname,
  a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', coalesce(to_jsonb(a)->>'attgenerated', '') <> '', a.attidentity = 'a',
  NOT a.attnotnull AND own.typnotnull IS NOT TRUE,
  (SELECT 'OPERATOR(' || pg_catalog.quote_ident(n.nspname) || '.=)' FROM pg_catalog.pg_operator o
   JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
   WHERE o.oprname = '=' AND o.oprleft = base.oid AND o.oprright = base.oid AND n.nspname <> 'pg_catalog'
   AND own.typcategory <> 'A'),
  (SELECT ' COLLATE ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.collname)
   FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
   WHERE c.oid = a.attcollation AND a.attcollation <> own.typcollation),
  pg_catalog.format_type(base.oid, coalesce(r.modifier, a.atttypmod))
    || CASE WHEN own.typcategory = 'A' AND own.typtype = 'b' THEN '[]' ELSE '' END
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type own ON own.oid = a.atttypid
JOIN resolved r ON r.type = a.atttypid AND r.kind <> 'd' JOIN pg_catalog.pg_type base ON base.oid = r.base
WHERE a.attrelid = %(table)s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
# All that a column's values are made of: a domain's base, elements, bounds, fields; of types that the server brings.
_PARTS = """WITH RECURSIVE parts (name, type) AS (
  SELECT a.attname, a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
  UNION SELECT p.name, below.type FROM parts p JOIN pg_catalog.pg_type t ON t.oid = p.type CROSS JOIN LATERAL (
    SELECT t.typbasetype UNION ALL SELECT t.typelem
    UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE t.oid IN (r.rngtypid, (to_jsonb(r)->>'rngmultitypid')::oid)
    UNION ALL SELECT f.atttypid FROM pg_catalog.pg_attribute f
      WHERE t.typrelid <> 0 AND f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped) below (type)
  WHERE below.type <> 0)
SELECT p.name, array_agg(t.typname::text) FROM parts p JOIN pg_catalog.pg_type t ON t.oid = p.type
WHERE t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace GROUP BY p.name"""
_UNIQUE = """SELECT array_agg(a.attname::text) FROM pg_catalog.pg_index i
CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1]) k(n)
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n
WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid AND i.indimmediate AND NOT i.indisexclusion AND i.indpred IS NULL
  AND i.indexprs IS NULL GROUP BY i.indexrelid"""
# What an index's expressions and its predicate look at stands among its dependencies, or among its constraint's.
_GUARDS = """SELECT array_agg(a.attname::text),
  NOT i.indisexclusion AND coalesce(to_jsonb(i)->>'indnullsnotdistinct', 'false') = 'false'
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum > 0
LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
WHERE i.indrelid = %s AND (i.indisunique OR i.indisexclusion) AND (a.attnum = ANY (i.indkey) OR EXISTS (
  SELECT 1 FROM pg_catalog.pg_depend d WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid
  AND d.refobjsubid = a.attnum AND (d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
    OR d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid = k.oid)))
GROUP BY i.indexrelid, i.indisexclusion, to_jsonb(i)->>'indnullsnotdistinct'"""
# The tables that a simple view is of: https://www.postgresql.org/docs/current/sql-createview.html#SQL-CREATEVIEW-UPDATABLE-VIEWS
_BENEATH = """SELECT DISTINCT n.nspname || '.' || c.relname FROM pg_catalog.pg_rewrite w
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
  AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> w.ev_class
JOIN pg_catalog.pg_class c ON c.oid = d.refobjid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE w.ev_class = %s AND pg_catalog.pg_relation_is_updatable(w.ev_class, false) & 8 <> 0"""
# The table and those below it: a trigger or a foreign key may be a partition's, or an heir's, own.
_TREE = """WITH RECURSIVE tree (oid) AS (SELECT %s::oid
  UNION SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid)"""
# https://www.postgresql.org/docs/current/catalog-pg-trigger.html: for each row (1), before (2), an insert (4) or an update (16)
_BEFORE = f"""{_TREE} SELECT DISTINCT tgname::text FROM tree JOIN pg_catalog.pg_trigger ON tgrelid = tree.oid
WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 3 = 3 AND tgtype & 20 <> 0
  AND tgfoid <> 'pg_catalog.suppress_redundant_updates_trigger'::pg_catalog.regproc ORDER BY 1"""
_BELOW = f"""{_TREE} SELECT n.nspname, c.relname FROM tree JOIN pg_catalog.pg_class c USING (oid)
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"""
_UNLOGGED = f"""{_TREE} SELECT bool_or(c.relpersistence = 'u') FROM tree JOIN pg_catalog.pg_class c USING (oid)"""
_HAS_HEIRS = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_inherits i WHERE i.inhparent = %s)"
_REACTS = f"""{_TREE} SELECT bool_or((c.relhassubclass AND c.relkind = 'r')
  OR EXISTS (SELECT 1 FROM pg_catalog.pg_constraint WHERE contype = 'f' AND confrelid = c.oid)
  OR EXISTS (SELECT 1 FROM pg_catalog.pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal AND tgenabled <> 'D'))
FROM tree JOIN pg_catalog.pg_class c USING (oid)"""
_REFERENCED = f"""{_TREE} SELECT DISTINCT a.attname::text FROM tree JOIN pg_catalog.pg_constraint k ON k.confrelid = tree.oid
JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey) WHERE k.contype = 'f'"""
_PARENTS = """SELECT k.conname, n.nspname, c.relname FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.confrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.conrelid = %s"""


def read_table(connection: Connection, schema: str, name: str) -> TargetTable | None:
    """The table by its exact name, or the only one whose name differs in case; None when there is none."""
    found = connection.execute(_TABLES, (schema, name, schema, name)).fetchall()
    exact = [row for row in found if row[1:3] == (schema, name)] or found
    if not exact:
        return None
    if len(exact) > 1:
        raise DefinitionError(f"{schema}.{name} are several tables that differ in case", remedy="publish to one that has no twin")
    oid, schema, name, kind, guarded, rules = exact[0]
    _check_kind(connection, oid, f"{schema}.{name}", kind, rules)
    # ON CONFLICT looks at the table alone, and its heirs may have the key.
    alone = kind == "p" or not _asked(connection, _HAS_HEIRS, oid)
    return TargetTable(
        schema,
        name,
        tuple(_columns(connection, oid)),
        tuple(frozenset(columns) for (columns,) in connection.execute(_UNIQUE, (oid,)) if alone),
        guarded=guarded,
        guards=tuple(Guard(frozenset(columns), differ) for columns, differ in connection.execute(_GUARDS, (oid,))),
        reacts=_asked(connection, _REACTS, oid),
        before=tuple(name for (name,) in connection.execute(_BEFORE, (oid,))),
        below=frozenset(connection.execute(_BELOW, (oid,)).fetchall()),
        referenced=frozenset(column for (column,) in connection.execute(_REFERENCED, (oid,))),
        parents={constraint: (schema, parent) for constraint, schema, parent in connection.execute(_PARENTS, (oid,))},
    )


def _asked(connection: Connection, question: str, oid: int) -> bool:
    found = connection.execute(question, (oid,)).fetchone()
    return bool(found and found[0])


def _check_kind(connection: Connection, oid: int, name: str, kind: str, rules: list[str]) -> None:
    """Raises DefinitionError for a relation whose rows cannot be written, compared and counted like those of a table."""
    if kind == "v":
        beneath = [table for (table,) in connection.execute(_BENEATH, (oid,))]
        remedy = f"publish to {beneath[0]}, which it shows" if len(beneath) == 1 else "publish to a table, and let the view show that"
        what = "a view: what its table holds beside it, and who else watches over that, is not seen through it"
        raise DefinitionError(f"{name} is {what}", remedy=remedy)
    if kind not in "rp":
        what = "a materialized view" if kind == "m" else "a foreign table"
        raise DefinitionError(f"{name} is {what}", remedy="publish to an ordinary table")
    if _asked(connection, _UNLOGGED, oid):
        what = "unlogged: a crash of its server empties it, and what was published before would not come again"
        raise DefinitionError(f"{name} is {what}", remedy=f"ALTER TABLE {name} SET LOGGED, and its partitions")
    if rules:
        remedy = f"make triggers of them: DROP RULE {identifier(rules[0])} ON {name}"
        what = f"rules ({', '.join(rules)}), which make something else of what is written"
        raise DefinitionError(f"{name} has {what}", remedy=remedy)


def _columns(connection: Connection, oid: int) -> Iterator[TargetColumn]:
    parts = {name: frozenset(types) for name, types in connection.execute(_PARTS, (oid,))}
    for name, kind, base, required, generated, identity, nullable, equals, collation, stored in connection.execute(
        _COLUMNS, {"table": oid}
    ):
        yield TargetColumn(
            name, kind, base, required, generated or identity, identity, nullable and not generated, equals or "=", collation or "",
            stored, parts.get(name, frozenset()),
        )  # fmt: skip
