"""The columns of what is collected without SQL that sqlglot could type: whole tables, and projections in a source's own language."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from language.sql.parsed import ParsedQuery
from language.sql.problems import QueryProblem
from language.sql.typing import QueryColumn, QueryUse, TypedQuery
from language.text.diagnostics import Span, did_you_mean
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Column
from shared_metadata.program.lineage import Use
from shared_metadata.program.schema import Schema, SchemaColumn


def own_columns(collector: Slice, *, reports_left: bool) -> tuple[SchemaColumn, ...]:
    """The columns that Atoll adds to every collected row; reports_left: of a statement whose WHERE lets rows go."""
    batch = SchemaColumn("_batch", "timestamptz", False)
    marked = collector.capabilities.reports_deletes or reports_left
    return (batch, SchemaColumn("_deleted", "boolean")) if marked else (batch,)


def source_name(column: SchemaColumn) -> str:
    """The column's name at the source, without quotes."""
    name = column.source or column.name
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def whole_table(name: str, schema: Schema, span: Span) -> TypedQuery:
    """Every column of a table that is listed in TABLES (…); places are relative to `span`."""
    width = span.end - span.start
    columns = tuple(
        QueryColumn(column.name, column.type, ((name, source_name(column)),), 0, width, column.nullable) for column in schema.columns
    )
    return TypedQuery(columns, tuple(QueryUse(name, source_name(c), Use.VALUE, 0, width) for c in schema.columns))


def projection(query: ParsedQuery, name: str, schema: Schema) -> TypedQuery:
    """Of a projection whose field names are the same in any case, as SOQL's; in place of `*` all that the snapshot has."""
    fields = {source_name(column).lower(): column for column in schema.columns}
    columns, uses, problems = [], [], []
    for item, field, start, end in _items(query, schema):
        found = fields.get(field.lower())
        if found is None:
            problems.append(_unknown(name, field, fields, start, end))
            continue
        source = source_name(found)
        columns.append(QueryColumn(item, found.type, ((name, source),), start, end, found.nullable))
        uses.append(QueryUse(name, source, Use.VALUE, start, end))
    for field, start, end in _filtered(query):
        found = fields.get(field.lower())
        if found is None:
            problems.append(_unknown(name, field, fields, start, end))
        else:
            uses.append(QueryUse(name, source_name(found), Use.FILTER, start, end))
    return TypedQuery(tuple(columns), tuple(uses), (), tuple(problems))


def pinned_columns(schema: Schema, dialect: str) -> tuple[Column, ...]:
    """The columns that `*` stands for, by name."""
    return tuple(Column(column.name, _spelled(source_name(column), dialect)) for column in schema.columns)


def _spelled(name: str, dialect: str) -> str:
    if dialect == "soql":
        return name
    plain = name.isascii() and name.isidentifier() and name == name.lower()
    return exp.to_identifier(name, quoted=not plain).sql(dialect)


def _items(query: ParsedQuery, schema: Schema) -> Iterator[tuple[str, str, int, int]]:
    """(output name, field, start, end) of each selected item."""
    for item in query.tree.selects:
        place = query.place(item)
        start, end = place.start - query.span.start, place.end - query.span.start
        if item.is_star:
            yield from ((column.name, source_name(column), start, end) for column in schema.columns)
        else:
            yield item.alias_or_name.lower(), item.unalias().name, start, end


def _filtered(query: ParsedQuery) -> Iterator[tuple[str, int, int]]:
    where = query.tree.args.get("where")
    for column in where.find_all(exp.Column) if where is not None else ():
        place = query.place(column.this)
        if place.text.strip('"') == column.name:  # not the stand-in for a literal of the source's own
            yield column.name, place.start - query.span.start, place.end - query.span.start


def _unknown(table: str, field: str, known: dict[str, SchemaColumn], start: int, end: int) -> QueryProblem:
    names = sorted(source_name(column) for column in known.values())
    listed = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
    return QueryProblem(start, end, f"`{table}` has no field `{field}`", did_you_mean(field, names) + f"it has {listed}")
