"""A query that runs in a source: the connection that it reads, its text without it, and its projection if it is one."""

from __future__ import annotations

from sqlglot import exp

from language.forms.syntax import CreateConnection
from language.resolve.names import Names
from language.sql.parsed import ParsedQuery, TableReference, edited
from language.sql.projection import Projection
from language.text.diagnostics import Problem, Span, did_you_mean
from shared_metadata.program import Column

_SIMPLE = frozenset({"expressions", "from_", "where"})


def source_connection(query: ParsedQuery, names: Names) -> CreateConnection:
    """The one connection that a collect query reads. Raises Problem for none, two, or a warehouse."""
    found: CreateConnection | None = None
    for reference in query.tables:
        if len(reference.parts) == 1 and (close := did_you_mean(reference.parts[0], query.common_tables)):
            raise Problem(
                reference.span, f"`{reference.parts[0]}` is no query of WITH and no table", close + "name one that there is"
            )
        endpoint = names.endpoint(reference.folded[0], reference.spans[0])
        if not isinstance(endpoint, CreateConnection):
            raise Problem(
                reference.span,
                f"`{reference.span.text}` is inside: `{endpoint.name.folded}` is a warehouse",
                "INSERT INTO a warehouse collects from a connection; make a MATERIALIZED VIEW over its tables",
            )
        if len(reference.parts) < 2:
            raise Problem(reference.span, f"`{reference.span.text}` names no table of it", f"write {reference.span.text}.table")
        if found is not None and endpoint is not found:
            raise Problem(
                reference.span,
                f"one query cannot read two connections, `{found.name.folded}` and `{endpoint.name.folded}`",
                "collect each by a statement of its own, and join them in a view",
            )
        found = endpoint
    if found is None:
        remedy = "name a table in FROM, as in ops.public.flights"
        raise Problem(query.first_word, "this query reads no connection", remedy)
    return found


def without_connection(query: ParsedQuery, connection: CreateConnection) -> list[tuple[Span, str]]:
    """The edits that take the connection's name away before tables, and before columns named through them."""
    prefix = connection.name.folded
    edits = [(_prefix(reference.spans), "") for reference in query.tables]
    tables = {reference.folded for reference in query.tables}
    for names, spans in query.column_names():
        path = tuple(name.lower() for name in names[:-1])
        if path in tables and path[0] == prefix:
            edits.append((_prefix(spans), ""))
    return edits


def _prefix(spans: tuple[Span, ...]) -> Span:
    return Span(spans[0].source, spans[0].start, spans[1].start)


def projection(query: ParsedQuery) -> Projection | Problem:
    """The query as columns and WHERE of one table; or else what makes it more than that."""
    obstacle = _obstacle(query)
    if obstacle is not None:
        return obstacle
    (reference,) = query.tables
    edits = _owner_edits(query, reference)
    columns = _columns(query, edits)
    if isinstance(columns, Problem):
        return columns
    where = query.where()
    return Projection(table_at_source(query, reference), columns, edited(where, edits) if where else "")


def table_at_source(query: ParsedQuery, reference: TableReference) -> str:
    """A table's name as its source means it, without the connection."""
    return query.name_at_source(reference)


def _obstacle(query: ParsedQuery) -> Problem | None:
    """The first thing in the query that is not columns, one table and WHERE."""
    tree, remedy = query.tree, "this source takes columns of one table, renamed by AS if wanted, and WHERE; do the rest in a view"
    if not isinstance(tree, exp.Select):
        return Problem(query.place(tree), "this query is more than a projection", remedy)
    extra = next((value for name, value in tree.args.items() if name not in _SIMPLE and value), None)
    if extra is not None:
        node = extra[0] if isinstance(extra, list) else extra
        place = query.place(node) if isinstance(node, exp.Expr) else query.place(tree)
        return Problem(place, "this query is more than a projection", remedy)
    inner = next(iter(n for n in tree.find_all(exp.Query, exp.AggFunc, exp.Window) if n is not tree), None)
    if inner is not None:
        return Problem(query.place(inner), "this query is more than a projection", remedy)
    single = len(query.tables) == 1 and isinstance(tree.args["from_"].this, exp.Table)
    if not single or any("." in part for part in query.tables[0].parts):
        return Problem(query.place(tree), "this query does not read one table", remedy)
    return None


def _owner_edits(query: ParsedQuery, reference: TableReference) -> list[tuple[Span, str]]:
    """The edits that take the table's own name or alias away before its columns."""
    alias = (reference.node.alias or reference.parts[-1]).lower()
    owners = {(alias,), *(reference.folded[start:] for start in range(len(reference.parts)))}
    edits = []
    for column in query.tree.find_all(exp.Column):
        parts = column.parts
        if tuple(part.name.lower() for part in parts[:-1]) in owners:
            first, last = query.place(parts[0]), query.place(parts[-1])
            edits.append((Span(first.source, first.start, last.start), ""))
    return edits


def _columns(query: ParsedQuery, edits: list[tuple[Span, str]]) -> tuple[Column, ...] | Problem:
    columns: dict[str, Column] = {}
    expressions = query.tree.expressions
    if len(expressions) == 1 and expressions[0].is_star:
        return ()
    for expression in expressions:
        source = expression.this if isinstance(expression, exp.Alias) else expression
        if not isinstance(source, exp.Column) or source.is_star:
            remedy = "take plain columns, renamed by AS if wanted, and compute in a view"
            return Problem(query.place(expression), "this is not a plain column", remedy)
        name = expression.alias_or_name.lower()
        columns[name] = Column(name, edited(query.place(source), edits))
    return tuple(columns.values())
