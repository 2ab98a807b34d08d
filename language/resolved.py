"""The resolved form: statements with their slices, settings and parsed queries, every name known for what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from language.diagnostics import Diagnostic, Span
from language.queries import ParsedQuery
from language.syntax import CreateConnection, CreateView, CreateWarehouse, Insert
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Column, Mode


@dataclass(frozen=True)
class Settings:
    """How a flow's rows arrive, after the slice's defaults."""

    interval_seconds: int
    mode: Mode
    key: tuple[str, ...] = ()
    cursor: str = ""


@dataclass(frozen=True)
class CollectTable:
    """One table to collect: its dataset in the warehouse and its name at the source."""

    dataset: str
    source: str
    span: Span


@dataclass(frozen=True)
class Input:
    """One dataset that a query reads, and where it first says so."""

    dataset: str
    span: Span


@dataclass(frozen=True)
class Collect:
    """INSERT into a warehouse from a connection; `sql`, `columns` and `filter` are the plan's."""

    statement: Insert
    id: str
    connection: CreateConnection
    warehouse: CreateWarehouse
    collector: Slice
    organizer: Slice
    settings: Settings
    tables: tuple[CollectTable, ...]
    query: ParsedQuery | None = None
    sql: str = ""
    columns: tuple[Column, ...] = ()
    filter: str = ""


@dataclass(frozen=True)
class View:
    """A materialized view; `sql` names every dataset in full."""

    statement: CreateView
    dataset: str
    warehouse: CreateWarehouse
    organizer: Slice
    settings: Settings
    query: ParsedQuery
    inputs: tuple[Input, ...]
    sql: str


@dataclass(frozen=True)
class Publish:
    """INSERT into a connection from a warehouse."""

    statement: Insert
    target: str
    connection: CreateConnection
    warehouse: CreateWarehouse
    organizer: Slice
    harness: Slice
    settings: Settings
    query: ParsedQuery
    inputs: tuple[Input, ...]
    sql: str


Resolved = Collect | View | Publish


@dataclass(frozen=True)
class ResolvedProgram:
    """Everything that the program says, resolved; typing will stand between this and the plan."""

    connections: Mapping[str, CreateConnection]
    warehouses: Mapping[str, CreateWarehouse]
    statements: tuple[Resolved, ...]

    def option_diagnostic(self, endpoint: str, option: str, cause: str, remedy: str) -> Diagnostic:
        """What is wrong with an option of a connection or warehouse, placed at it (or at the system where it is missing).

        endpoint: the folded name of a connection or warehouse.  Raises KeyError for one that is not there.
        """
        statement = self.connections.get(endpoint) or self.warehouses[endpoint]
        span = next((o.span for o in statement.options if o.key == option), statement.system.span)
        return span.diagnostic(cause, remedy)
