"""The columns of a query of one table, out of the table's snapshot, where names are the same in any case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sqlglot import exp

from language.sql.dialect import Tables
from language.sql.one_table import OneTableQuery
from language.sql.problems import QueryProblem
from language.sql.source_names import source_name
from language.sql.typing import QueryColumn, QueryUse, TypedQuery
from language.text.diagnostics import did_you_mean
from shared_metadata.program.lineage import Use
from shared_metadata.program.schema import SchemaColumn


def typed(query: OneTableQuery, names: Mapping[tuple[str, ...], str], tables: Tables, noun: str = "column") -> TypedQuery:
    """Types each item of the query, and for `*` all that the snapshot has.  noun: what a column is called there."""
    ((name, known),) = tables.items()
    fields = {source_name(column).lower(): column for column in known}
    columns, uses, problems = [], [], []
    for item, field, start, end in _items(query, known):
        found = fields.get(field.lower())
        if found is None:
            problems.append(_unknown(name, field, fields, start, end, noun))
            continue
        source = source_name(found)
        columns.append(QueryColumn(item, found.type, ((name, source),), start, end, found.nullable, found.source_type))
        uses.append(QueryUse(name, source, Use.VALUE, start, end))
    for field, start, end in _filtered(query):
        found = fields.get(field.lower())
        if found is None:
            problems.append(_unknown(name, field, fields, start, end, noun))
        else:
            uses.append(QueryUse(name, source_name(found), Use.FILTER, start, end))
    return TypedQuery(tuple(columns), tuple(uses), (), tuple(problems))


def _items(query: OneTableQuery, known: Iterable[SchemaColumn]) -> Iterator[tuple[str, str, int, int]]:
    """(output name, field, start, end) of each selected item."""
    for item in query.tree.selects:
        place = query.place(item)
        start, end = place.start - query.span.start, place.end - query.span.start
        if item.is_star:
            yield from ((column.name, source_name(column), start, end) for column in known)
        else:
            yield item.alias_or_name.lower(), item.unalias().name, start, end


def _filtered(query: OneTableQuery) -> Iterator[tuple[str, int, int]]:
    where = query.tree.args.get("where")
    for column in where.find_all(exp.Column) if where is not None else ():
        place = query.place(column.this)
        if place.text.strip('"`') == column.name:  # not the stand-in for a literal of the source's own
            yield column.name, place.start - query.span.start, place.end - query.span.start


def _unknown(table: str, field: str, known: dict[str, SchemaColumn], start: int, end: int, noun: str) -> QueryProblem:
    names = sorted(source_name(column) for column in known.values())
    listed = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
    return QueryProblem(start, end, f"`{table}` has no {noun} `{field}`", did_you_mean(field, names) + f"it has {listed}")
