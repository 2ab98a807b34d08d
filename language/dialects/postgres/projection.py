"""A query as columns and WHERE of one table, where it is no more than that."""

from __future__ import annotations

from language.dialects.postgres.parser import Node
from language.dialects.postgres.query import PostgresQuery, inner_nodes, is_aggregate
from language.dialects.postgres.targets import output_name
from language.sql.edits import edited
from language.sql.projection import Projection
from language.text.diagnostics import Span
from shared_metadata.program import Column

_SIMPLE = frozenset({"targetList", "fromClause", "whereClause", "limitOption", "op"})
Edits = list[tuple[Span, str]]


def projection(query: PostgresQuery, casts: Edits) -> Projection | None:
    """None for a query that is more.  casts: the edits that take casts of the columns away."""
    statement = query.statement
    if any(name not in _SIMPLE for name in statement) or len(statement.get("fromClause", ())) != 1:
        return None
    table = statement["fromClause"][0].get("RangeVar")
    if table is None or "colnames" in table.get("alias", {}) or any("." in part for part in query.tables[0].parts):
        return None
    if len(query.tables) != 1 or any("over" in call or is_aggregate(call) for call in inner_nodes(statement, "FuncCall")):
        return None
    if next(inner_nodes({"in": statement}, "SubLink"), None) is not None:
        return None
    edits = [*_owner_edits(query, table), *casts]
    columns = _columns(query, edits)
    if columns is None:
        return None
    where = where_text(query)
    return Projection(query.name_at_source(query.tables[0]), columns, edited(where, edits) if where is not None else "")


def _columns(query: PostgresQuery, edits: Edits) -> tuple[Column, ...] | None:
    targets = [each["ResTarget"] for each in query.statement["targetList"]]
    if len(targets) == 1 and "A_Star" in targets[0]["val"].get("ColumnRef", {}).get("fields", [{}])[-1]:
        return ()
    columns: dict[str, Column] = {}
    for target in targets:
        value = target["val"]
        span = query.at(query.places.of(value))
        value = value["TypeCast"]["arg"] if "TypeCast" in value and any(_within(edit, span) for edit, _ in edits) else value
        fields = value.get("ColumnRef", {}).get("fields", ())
        name = output_name(target)
        if not fields or "A_Star" in fields[-1] or name is None:
            return None
        columns[name.lower()] = Column(name.lower(), edited(span, edits))
    return tuple(columns.values())


def _within(edit: Span, span: Span) -> bool:
    return span.start <= edit.start and edit.end == span.end


def _owner_edits(query: PostgresQuery, table: Node) -> Edits:
    """The edits that take the table's own name or alias away before its columns."""
    (reference,) = query.tables
    parts = reference.parts
    alias = table.get("alias", {}).get("aliasname")
    owners = {(alias,)} if alias else {parts[start:] for start in range(len(parts))}
    edits = []
    for names, spans in query.column_names():
        if names[:-1] in owners:
            edits.append((Span(spans[0].source, spans[0].start, spans[-1].start), ""))
    return edits


def where_text(query: PostgresQuery) -> Span | None:
    """The condition, to the query's end."""
    if "whereClause" not in query.statement:
        return None
    after = query.places.of(query.statement["fromClause"])[1]
    word = next(word for word in query.text.words if word.start >= after and word.upper == "WHERE")
    rest = query.span.text[word.end :]
    return Span(query.span.source, query.span.end - len(rest.lstrip()), query.span.end)
