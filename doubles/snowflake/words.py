"""A statement of Snowflake's as DuckDB takes it: sqlglot reads it, and what DuckDB is kinder in is taken away.

https://docs.snowflake.com/en/sql-reference-commands
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from doubles.snowflake.calls import rewritten
from doubles.snowflake.errors import syntax, unknown

BEGIN, COMMIT, ROLLBACK, DDL, COPY, DML, QUERY, SESSION = "BEGIN", "COMMIT", "ROLLBACK", "DDL", "COPY", "DML", "QUERY", "SESSION"
# Its catalog, with Snowflake's words for types.
COLUMNS = """(
SELECT c.schema_name AS "TABLE_SCHEMA", c.table_name AS "TABLE_NAME", c.column_name AS "COLUMN_NAME",
       c.column_index AS "ORDINAL_POSITION", c.comment AS "COMMENT",
       CASE WHEN c.data_type LIKE 'DECIMAL%' OR c.data_type IN ('INTEGER', 'BIGINT', 'HUGEINT', 'SMALLINT', 'TINYINT') THEN 'NUMBER'
            WHEN c.data_type = 'VARCHAR' THEN 'TEXT' WHEN c.data_type IN ('DOUBLE', 'FLOAT') THEN 'FLOAT'
            WHEN c.data_type = 'TIMESTAMP' THEN 'TIMESTAMP_NTZ' WHEN c.data_type = 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP_LTZ'
            WHEN c.data_type = 'BLOB' THEN 'BINARY' WHEN c.data_type = 'JSON' THEN 'VARIANT' ELSE c.data_type END AS "DATA_TYPE",
       CASE WHEN c.data_type LIKE 'DECIMAL%' THEN c.numeric_precision WHEN c.data_type = 'INTEGER' THEN 9
            WHEN c.data_type = 'BIGINT' THEN 18 WHEN c.data_type = 'HUGEINT' THEN 38 END AS "NUMERIC_PRECISION",
       CASE WHEN c.data_type LIKE 'DECIMAL%' THEN c.numeric_scale WHEN c.data_type IN ('INTEGER', 'BIGINT', 'HUGEINT') THEN 0 END
         AS "NUMERIC_SCALE"
FROM duckdb_columns() AS c WHERE NOT c.internal)"""
# What DuckDB reads and Snowflake does not.
_REFUSED = (exp.DistinctOn,) if hasattr(exp, "DistinctOn") else ()
_FILES = ("READ_TEXT", "READ_CSV", "READ_CSV_AUTO", "READ_PARQUET", "READ_JSON", "READ_BLOB", "GLOB", "PARQUET_SCAN")


@dataclass(frozen=True)
class Said:
    """A statement.  writes: the table whose rows it changes, so that it locks it; '' for none.  comments: of columns, by name."""

    kind: str
    text: str
    written: str
    writes: str = ""
    table: str = ""
    comments: tuple[tuple[str, str], ...] = ()
    tree: exp.Expr | None = field(default=None, repr=False)


def statements(text: str) -> list[Said]:
    """Those of a text, which semicolons part. Raises StatementFailed."""
    try:
        trees = [tree for tree in sqlglot.parse(text, dialect="snowflake") if tree is not None]
    except SqlglotError as error:
        raise syntax(str(error)[:80]) from None
    return [_said(tree) for tree in trees]


def _said(tree: exp.Expr) -> Said:
    written = tree.sql("snowflake")
    if isinstance(tree, exp.Transaction):
        return Said(BEGIN, "BEGIN TRANSACTION", written)
    if isinstance(tree, exp.Commit):
        return Said(COMMIT, "COMMIT", written)
    if isinstance(tree, exp.Rollback):
        return Said(ROLLBACK, "ROLLBACK", written)
    if isinstance(tree, exp.Copy):
        return Said(COPY, "", written, tree=tree)
    if isinstance(tree, exp.Alter) and tree.args.get("kind") == SESSION:
        return Said(SESSION, "", written)
    if isinstance(tree, exp.Create | exp.Drop | exp.Alter):
        return _ddl(tree, written)
    if isinstance(tree, exp.Query):
        return Said(QUERY, _translated(tree), written, tree=tree)
    if isinstance(tree, exp.Insert | exp.Update | exp.Delete | exp.Merge):
        table = _folded(tree).find(exp.Table)
        name = table.sql("duckdb") if table is not None and not isinstance(tree, exp.Insert) else ""
        return Said(DML, _translated(tree), written, name)
    raise unknown(written.split(" ", 1)[0])


def _ddl(tree: exp.Expr, written: str) -> Said:
    found = _folded(tree.copy())
    table = found.find(exp.Table)
    name, comments = table.sql("duckdb", comments=False) if table is not None else "", list[tuple[str, str]]()
    for column in found.find_all(exp.ColumnDef):
        for constraint in [*column.args.get("constraints", ())]:
            if isinstance(constraint.kind, exp.CommentColumnConstraint):
                comments.append((column.this.name, constraint.kind.this.name))
                constraint.pop()
    for altered in found.find_all(exp.AlterColumn):
        if altered.args.get("comment") is not None:
            comments.append((altered.this.name, altered.args["comment"].name))
            return Said(DDL, "", written, table=name, comments=tuple(comments))
    if isinstance(found, exp.Create):
        found.set("properties", None)
    if isinstance(found, exp.Drop) and found.args.get("expressions"):
        raise syntax(",")  # one table a DROP
    return Said(DDL, _duckdb(found), written, table=name, comments=tuple(comments))


def _folded(tree: exp.Expr) -> exp.Expr:
    return normalize_identifiers(tree, dialect="snowflake")


def _translated(tree: exp.Expr) -> str:
    return _duckdb(_folded(tree.copy()))


def translated(tree: exp.Expr) -> str:
    """A query's text for DuckDB."""
    return _translated(tree)


def _duckdb(tree: exp.Expr) -> str:
    return rewritten(tree.transform(_instead)).sql("duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE)


def _instead(node: exp.Expr) -> exp.Expr:
    if isinstance(node, _REFUSED) or (isinstance(node, exp.Distinct) and node.args.get("on") is not None):
        raise syntax("ON")
    if isinstance(node, exp.Table) and node.db.upper() == "INFORMATION_SCHEMA":
        if node.name.upper() != "COLUMNS":
            raise unknown(f"information_schema.{node.name}")
        return sqlglot.parse_one(f"SELECT * FROM {COLUMNS} AS c", dialect="duckdb").find(exp.Subquery).as_("c")  # type: ignore[union-attr]
    if isinstance(node, exp.Anonymous) and node.name.upper() in _FILES:
        raise unknown(node.name)
    if isinstance(node, exp.Filter | exp.Interval) and isinstance(node, exp.Filter):
        raise syntax("FILTER")
    if isinstance(node, exp.ToVariant):
        return exp.Anonymous(this="atoll_json", expressions=[node.this])
    if isinstance(node, exp.DataType) and node.this in (exp.DataType.Type.BINARY, exp.DataType.Type.VARBINARY):
        return exp.DataType.build("BLOB", dialect="duckdb")
    if isinstance(node, exp.DataType) and node.this in (exp.DataType.Type.VARCHAR, exp.DataType.Type.TEXT):
        return exp.DataType.build("VARCHAR", dialect="duckdb")
    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.FLOAT:
        return exp.DataType.build("DOUBLE", dialect="duckdb")
    return node
