"""A query that runs in a source: the connection that it reads, and its text without it."""

from __future__ import annotations

from language.forms.syntax import CreateConnection
from language.resolve.names import Names
from language.sql.query import Query, SourceQuery, TableReference
from language.text.diagnostics import Problem, Span, did_you_mean


def source_connection(query: Query, names: Names) -> CreateConnection:
    """The one connection that a collect query reads. Raises Problem for none, two, or a warehouse."""
    found: CreateConnection | None = None
    for reference in query.tables:
        if len(reference.parts) == 1 and (close := did_you_mean(reference.parts[0], query.common_tables)):
            raise Problem(
                reference.span, f"`{reference.parts[0]}` is no query of WITH and no table", close + "name one that there is"
            )
        endpoint = names.endpoint(reference.folded[0], reference.spans[0], f"begin with {_example(reference, names)}")
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


def _example(reference: TableReference, names: Names) -> str:
    """A table's name with a connection before it."""
    return f"the connection, as in {next(iter(names.connections), 'ops')}.{'.'.join(reference.parts)}"


def without_connection(query: SourceQuery, connection: CreateConnection) -> list[tuple[Span, str]]:
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
