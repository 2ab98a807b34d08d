"""A statement of Databricks' as DuckDB takes it: sqlglot reads it, and what DuckDB is kinder in is taken away.

https://docs.databricks.com/aws/en/sql/language-manual/
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from doubles.databricks.errors import StatementFailed, syntax, unknown

DDL, DML, QUERY = "DDL", "DML", "QUERY"
COLUMNS = "databricks_columns"  # what a session calls that part of its catalog
_FILES = ("READ_TEXT", "READ_CSV", "READ_CSV_AUTO", "READ_PARQUET", "READ_JSON", "READ_BLOB", "GLOB", "PARQUET_SCAN")
_AGGREGATES = {"every": "bool_and", "some": "bool_or"}
_NAME = r"(?:`(?:[^`]|``)*`|\w+)"
_WIDENED = re.compile(
    rf"ALTER TABLE (?P<table>{_NAME}\.{_NAME}) ALTER COLUMN (?P<path>{_NAME}(?:\.{_NAME})*) TYPE (?P<type>.*)", re.DOTALL
)
_TABLE_NAME = re.compile(r"[ ./\x00-\x1f\x7f]")  # what Unity Catalog takes in no name of a schema or a table


@dataclass(frozen=True)
class Said:
    """A statement.  table: that it makes or changes.  properties: of a table that is made.  comments: of columns, by name.

    overwrites: whether what the table holds goes first.  widened: names that lead to a column or a field, and its new type.
    """

    kind: str
    text: str
    table: str = ""
    properties: frozenset[str] = frozenset()
    comments: tuple[tuple[str, str], ...] = ()
    overwrites: bool = False
    widened: tuple[tuple[str, ...], str] | None = None
    tree: exp.Expr | None = field(default=None, repr=False)


def said(text: str) -> Said:
    """Raises StatementFailed."""
    if found := _WIDENED.fullmatch(text):
        names = tuple(one.strip("`").replace("``", "`") for one in re.findall(_NAME, found["path"]))
        return Said(DDL, "", sqlglot.to_table(found["table"], dialect="databricks").sql("duckdb"), widened=(names, found["type"]))
    try:
        tree = sqlglot.parse_one(text, dialect="databricks")
    except SqlglotError as error:
        raise syntax(str(error)[:80]) from None
    if isinstance(tree, exp.Create | exp.Drop | exp.Alter):
        return _ddl(tree)
    if isinstance(tree, exp.Query):
        return Said(QUERY, duckdb_text(tree), tree=tree)
    if isinstance(tree, exp.Insert | exp.Update | exp.Delete | exp.Merge):
        if isinstance(tree, exp.Delete) and tree.args.get("using"):
            raise syntax("USING")
        if isinstance(tree, exp.Update) and tree.args.get("from_"):
            raise syntax("FROM")
        table, overwrites = tree.find(exp.Table), bool(tree.args.get("overwrite"))
        if overwrites:
            tree.set("overwrite", False)
        name = table.sql("duckdb") if table is not None else ""
        return Said(DML, duckdb_text(tree), name, overwrites=overwrites, tree=tree)
    raise unknown(text.split(" ", 1)[0])


def _ddl(tree: exp.Expr) -> Said:
    table = tree.find(exp.Table)
    name, comments = table.sql("duckdb", comments=False) if table is not None else "", list[tuple[str, str]]()
    if table is not None and any(_TABLE_NAME.search(part.name) or part.name != part.name.lower() for part in table.parts):
        raise StatementFailed("INVALID_PARAMETER_VALUE", f"{name} is not a valid name.", "22023")
    for column in tree.find_all(exp.ColumnDef):
        for constraint in [*column.args.get("constraints", ())]:
            if isinstance(constraint.kind, exp.CommentColumnConstraint):
                comments.append((column.this.name, constraint.kind.this.name))
                constraint.pop()
    for altered in tree.find_all(exp.AlterColumn):
        if altered.args.get("comment") is not None:
            return Said(DDL, "", name, comments=((altered.this.name, altered.args["comment"].name),))
    properties = frozenset[str]()
    if isinstance(tree, exp.Create):
        properties = frozenset(
            f"{one.this.name}={one.args['value'].name}" for one in tree.find_all(exp.Property) if type(one) is exp.Property
        )
        tree.set("properties", None)
    return Said(DDL, duckdb_text(tree), name, properties, tuple(comments), tree=tree)


def duckdb_text(tree: exp.Expr) -> str:
    whole = tree.copy()
    for node in reversed([*whole.walk()]):  # what stands within another comes first
        made = _instead(node)
        if made is not node:
            whole = made if node is whole else whole
            node.replace(made)
    return whole.sql("duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE)


def _instead(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Distinct) and node.args.get("on") is not None:
        raise syntax("ON")
    if isinstance(node, exp.Table) and node.db.lower() == "information_schema":
        if node.name.lower() != "columns":
            raise unknown(f"information_schema.{node.name}")
        return exp.to_table(COLUMNS)
    if isinstance(node, exp.Anonymous) and node.name.upper() in _FILES:
        raise unknown(node.name)
    if isinstance(node, exp.CurrentTimezone):
        return exp.Anonymous(this="current_setting", expressions=[exp.Literal.string("TimeZone")])
    if isinstance(node, exp.JSONFormat):
        pairs = node.this.expressions if isinstance(node.this, exp.Struct) else ()
        if not pairs or node.args.get("options") is None:
            raise unknown("to_json of what is no struct")
        parts = [part for pair in pairs for part in (exp.Literal.string(pair.this.name), pair.expression)]
        return exp.cast(exp.Anonymous(this="json_object", expressions=parts), "text", dialect="duckdb")
    if isinstance(node, exp.Div | exp.IntDiv | exp.Mod):
        zero = exp.EQ(this=node.expression.copy(), expression=exp.Literal.number(0))
        fails = exp.Anonymous(this="error", expressions=[exp.Literal.string("Division by zero")])
        kept = {"typed": False} if isinstance(node, exp.Div) else {}
        return exp.Case(ifs=[exp.If(this=zero, true=fails)], default=type(node)(this=node.this, expression=node.expression, **kept))
    if isinstance(node, exp.TimestampTrunc | exp.DateTrunc):
        node.set("this", exp.cast(node.this, "timestamptz", dialect="duckdb"))
    if isinstance(node, exp.CountIf):  # of which DuckDB says NULL where each is NULL
        return exp.Count(this=exp.Case(ifs=[exp.If(this=node.this, true=exp.Literal.number(1))]))
    if isinstance(node, exp.Anonymous) and (name := node.name.lower()) in _AGGREGATES:
        return exp.Anonymous(this=_AGGREGATES[name], expressions=node.expressions)
    return node
