"""The resolved form: statements with their slices, settings and parsed queries, every name known for what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from language.forms.syntax import CreateCoded, CreateConnection, CreateView, CreateWarehouse, Insert, Name
from language.sql.edits import edited
from language.sql.query import Places, SourceQuery, WarehouseQuery
from language.text.diagnostics import Diagnostic, Span
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Beyond, Column, Mask, Mode
from shared_metadata.program.masks import Path
from shared_metadata.program.schema import SchemaColumn

Edits = tuple[tuple[Span, str], ...]


@dataclass(frozen=True)
class Settings:
    """How a flow's rows arrive, after the defaults of the source's table and of the slice.

    rising: the program says that the cursor's values rise.  capture: changes are read from the source's log.
    """

    interval_seconds: int
    mode: Mode
    key: tuple[str, ...] = ()
    cursor: str = ""
    rising: bool = False
    capture: bool = False


@dataclass(frozen=True)
class MaskedPath:
    """A column that is masked, folded, or a field of one, as its struct names it; name: where the statement says so."""

    path: Path
    how: Mask
    name: Name

    @property
    def column(self) -> str:
        return self.path[0]

    @property
    def is_field(self) -> bool:
        return len(self.path) > 1


@dataclass(frozen=True)
class CollectTable:
    """One table to collect: its dataset in the warehouse, its name at the source, what of its columns is masked.

    settings: its own, where the statement's tables have different ones.
    """

    dataset: str
    source: str
    span: Span
    masks: tuple[MaskedPath, ...] = ()
    settings: Settings | None = None


@dataclass(frozen=True)
class Input:
    """One dataset that a query reads, and where it first says so."""

    dataset: str
    span: Span


@dataclass(frozen=True)
class Collect:
    """INSERT into a warehouse from a connection; `columns`, `filter`, `casts` are the plan's, `edits` make the text the source's.

    condition: the query's WHERE, where its rows are those of one table.  places: of the batch's bounds in its expectations.
    """

    statement: Insert
    id: str
    connection: CreateConnection
    warehouse: CreateWarehouse
    collector: Slice
    organizer: Slice
    settings: Settings
    tables: tuple[CollectTable, ...]
    query: SourceQuery | None = None
    edits: Edits = ()
    columns: tuple[Column, ...] = ()
    filter: str = ""
    casts: Mapping[str, str] = field(default_factory=dict)
    condition: Span | None = None
    places: Places = ()

    @property
    def sql(self) -> str:
        return edited(self.query.span, self.edits) if self.query is not None else ""

    def settings_of(self, table: CollectTable) -> Settings:
        return table.settings or self.settings

    @property
    def left_out(self) -> str:
        """The query over the rows that its WHERE does not take; '' where it has none."""
        if self.query is None or self.condition is None:
            return ""
        span = self.query.span
        before, after = (Span(span.source, *ends) for ends in ((span.start, self.condition.start), (self.condition.end, span.end)))
        # A condition may end in a comment.
        return f"{edited(before, self.edits)}({edited(self.condition, self.edits)}\n) IS NOT TRUE{edited(after, self.edits)}"

    @property
    def reports_left(self) -> bool:
        """Whether rows that the source has no more, or that the WHERE takes no more, are told."""
        return self.settings.mode is Mode.MERGE and (self.settings.capture or self.condition is not None)


@dataclass(frozen=True)
class Call:
    """A call of a function in code: what it is given is a query of its own.

    table: the dataset as which the statement's query, and later calls, name what it gives.
    span: where it is called.  takes, returns: the function's columns, with types as schemas have them.
    """

    table: str
    span: Span
    function: CreateCoded
    takes: tuple[SchemaColumn, ...]
    returns: tuple[SchemaColumn, ...]
    query: WarehouseQuery
    inputs: tuple[Input, ...]
    edits: Edits
    places: Places

    @property
    def sql(self) -> str:
        return edited(self.query.span, self.edits)


@dataclass(frozen=True)
class View:
    """A materialized view; `sql` names every dataset in full, and every column where the statement was typed.

    places: of the datasets in its query, and of the batch's bounds in that and in its expectations.
    sees_deleted: the inputs whose `_deleted` it names, once it was typed.
    larger: with the engine 'auto', the slice that runs it, by whose own engine what is large is computed.  beyond: its query there,
    once it was typed.
    calls: of functions in code, each after those whose results it is given.
    """

    statement: CreateView
    dataset: str
    warehouse: CreateWarehouse
    organizer: Slice
    settings: Settings
    query: WarehouseQuery
    inputs: tuple[Input, ...]
    edits: Edits
    places: Places
    sees_deleted: tuple[str, ...] = ()
    larger: Slice | None = None
    beyond: Beyond | None = None
    calls: tuple[Call, ...] = ()

    @property
    def sql(self) -> str:
        return edited(self.query.span, self.edits)

    @property
    def whole(self) -> bool:
        return _whole(self)


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
    query: WarehouseQuery
    inputs: tuple[Input, ...]
    edits: Edits
    places: Places
    sees_deleted: tuple[str, ...] = ()
    larger: Slice | None = None
    beyond: Beyond | None = None
    calls: tuple[Call, ...] = ()

    @property
    def sql(self) -> str:
        return edited(self.query.span, self.edits)

    @property
    def whole(self) -> bool:
        return _whole(self)


def _whole(statement: View | Publish) -> bool:
    """Whether nothing of it says batch_start() or batch_end()."""
    return not any(query.uses_batch_bounds for query in (statement.query, *(call.query for call in statement.calls)))


Resolved = Collect | View | Publish


@dataclass(frozen=True)
class ResolvedProgram:
    """Everything that the program says, resolved."""

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
