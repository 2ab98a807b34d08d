"""What a program names outside: its connections and their tables, also of a program that does not compile yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from language.forms.resolved import Collect, Publish, Resolved
from language.forms.syntax import CreateConnection
from language.parse.parser import parse
from language.resolve.names import declare
from language.resolve.resolve import resolve
from language.text.diagnostics import Diagnostic, Span, source_text
from language.text.recursion import bounded_recursion
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Connection


@dataclass(frozen=True)
class OutsideTable:
    """A table at a connection, by the name that the connection's slices take; `slice` collects from it or publishes to it."""

    connection: str
    name: str
    slice: Slice
    span: Span


@dataclass(frozen=True)
class Outside:
    """tables: each place that names one, in the order of the statements.  problems: of statements that could not be understood.

    blind: the connections at which nothing tells what columns a table has, so that there is nothing to look at.
    """

    connections: Mapping[str, Connection]
    tables: tuple[OutsideTable, ...]
    problems: tuple[Diagnostic, ...]
    blind: frozenset[str] = frozenset()


def tables_outside(sources: Mapping[str, str], slices: Mapping[str, Slice]) -> Outside:
    """The connections and tables of the program whose files are `sources` (name to text), for the installed `slices` (by id)."""
    with bounded_recursion():
        syntax, problems = parse([source_text(file, sources[file]) for file in sorted(sources)])
        names = declare(syntax, slices, problems)
        resolved = resolve(syntax, names, problems)
        named = [table for statement in resolved.statements for table in _tables(statement)]
    tables = tuple(table for table in named if table.slice.discovers)
    connections = {name: _connection(found) for name, found in resolved.connections.items()}
    blind = frozenset(table.connection for table in named) - {table.connection for table in tables}
    return Outside(connections, tables, tuple(sorted(problems)), blind)


def _tables(statement: Resolved) -> Iterator[OutsideTable]:
    if isinstance(statement, Publish):
        connection = statement.connection.name.folded
        name, span = statement.target.removeprefix(f"{connection}."), statement.statement.target.span
        yield OutsideTable(connection, name, statement.harness, span)
    if isinstance(statement, Collect):
        found = [(table.source, table.span) for table in statement.tables]
        if statement.query is not None:
            found = [(statement.query.name_at_source(reference), reference.span) for reference in statement.query.tables]
        for name, span in found:
            yield OutsideTable(statement.connection.name.folded, name, statement.collector, span)


def _connection(statement: CreateConnection) -> Connection:
    options = {option.key: option.value for option in statement.options}
    return Connection(statement.name.folded, statement.system.folded, options, statement.name.span.position)
