"""Reads a PostgreSQL database: one short-lived session for the catalog and the plan, DuckDB's scanner for the rows."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import Extracted, ExtractRequest, TablePlan, Window
from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.contract.parquet.masking import without_dropped
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.sizes import Size
from shared_metadata.drift.changes import source_name
from shared_metadata.drift.column_values import SAMPLE_ROWS, ColumnValues, sampled
from shared_metadata.errors import AtollError, DefinitionError
from shared_metadata.program import Connection, Flow, Mask, Table
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import SourceNote
from shared_metadata.spelling import did_you_mean
from slices.collect.postgres import failures
from slices.collect.postgres.capture import requirements
from slices.collect.postgres.capture.watching import Bounds, Slots
from slices.collect.postgres.config import read_config
from slices.collect.postgres.dialect import DIALECT
from slices.collect.postgres.logic import read_columns
from slices.collect.postgres.members import members_of_query, members_of_table
from slices.collect.postgres.planning import due_rows
from slices.collect.postgres.slice import SLICE
from slices.collect.postgres.table_sizes import estimated_size, table_size
from slices.collect.postgres.unseen import hidden_columns, unseen
from systems.postgres import catalog, sessions
from systems.postgres.address import read_address
from systems.postgres.catalog import TableName
from systems.postgres.failures import connection_error, scrub
from systems.postgres.watchdog import Watchdog
from systems.sql_source.dialect import Scan
from systems.sql_source.due_rows import DueRows
from systems.sql_source.parts import Part
from systems.sql_source.relation import Relation, query_relation, rows_sql, table_relation
from systems.sql_source.silence import silent
from systems.sql_source.source import SqlSource

if TYPE_CHECKING:
    from psycopg import Connection as Session

PLAN_TIMEOUT_SECONDS = 30


class PostgresSource(SqlSource[TableName]):
    """A Source over one connection of a program."""

    dialect = DIALECT

    def __init__(
        self, connection: Connection, secret: Mapping[str, Any], aws: Any, until: Callable[[], float], part_mb: int, owner: str,
        bounds: Bounds,
    ) -> None:  # fmt: skip
        self._config, self.address = read_config(connection), read_address(connection, secret)
        super().__init__(connection, aws, until, self._config.max_parts, part_mb)
        self._owner, self._slots = owner, Slots(owner, self._config.most_log_bytes, bounds)
        self._watchdog: Watchdog | None = None

    def open_scan(self, request: ExtractRequest, deadline: Deadline, part: Part, before: Mapping[str, str] | None) -> Scan:
        from slices.collect.postgres.scanning import PostgresScan

        return PostgresScan(self, request, deadline, part, before)

    def watch(self, flow: Flow) -> None:
        with self.translated(str(flow.position)):
            self._slots.watch(self.session, flow)

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        if not flow.capture:
            return super().plan(flow, table, schema, window)
        from slices.collect.postgres.capture.planning import CapturePlan

        relation, config = self._relation(flow, table), self._config
        with self.translated(str(flow.position)):
            plan = CapturePlan(self.session, config, self._owner, self._max_parts, self._part_mb)
            return plan.of(flow, table, relation, window)

    def extract(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        if "log" not in request.part:
            return self.read_table(request, resume, deadline)
        from slices.collect.postgres.capture.extraction import extract

        return extract(self, request, resume, deadline, self._aws)

    # -- what discover and drift ask

    def tables(self) -> list[str]:
        with self.translated(self.place):
            return list(catalog.allowed_tables(self.session))

    def warnings(self, tables: Sequence[str] | None) -> dict[str, str]:
        """Warns of tables of which policies hide rows, so that a batch of them is refused, or some columns may not be read."""
        with self.translated(self.place):
            if tables is None:
                told = failures.hidden("policies hold for the secret's user", self.place)
                guarded = (name for name, guarded in catalog.allowed_tables(self.session).items() if guarded)
                return dict.fromkeys(guarded, f"{told.what}; {told.remedy}")
            found = {name: self._warning(name) for name in tables}
        return {name: warning for name, warning in found.items() if warning}

    def notes(self, tables: Sequence[str]) -> dict[str, list[SourceNote]]:
        """Tells by what rows of tables may be missed by a cursor, and what CAPTURE would leave without a bound."""
        session, found = self.session, dict[str, list[SourceNote]]()
        with self.translated(self.place):
            for table in tables:
                if name := self.find(table):
                    found[table] = [*unseen(session, name), *requirements.notes(session, name, self._config.publication)]
        return {table: notes for table, notes in found.items() if notes}

    def _warning(self, table: str) -> str:
        import psycopg

        name = self.find(table)
        try:
            self.session.execute(f"SELECT 1 FROM {name.quoted}\nLIMIT 0" if name else "SELECT 1")
        except psycopg.errors.InsufficientPrivilege as error:
            refused = failures.statement_error(error, self.place)
            return f"{refused.what}; {refused.remedy}"
        return hidden_columns(self.session, name) if name else ""

    def sample(self, table: str, column: SchemaColumn) -> ColumnValues:
        with self.translated(f"{self.place}: {table}"):
            name = self.found(table, self.place)
            rows = rows_sql(name.quoted, [f"({identifier(source_name(column))})::text"], [])
            found = self.session.execute(f"{rows}\nLIMIT {SAMPLE_ROWS}").fetchall()
        return sampled(column.type, [value for (value,) in found])

    def close(self) -> None:
        if self._watchdog:
            self._watchdog.stop()
        super().close()

    # -- sessions

    @cached_property
    def session(self) -> Session[Any]:
        """The session for the catalog and the plan: read only, with a short timeout for each statement, and cut off with the call."""
        session = self._connected()
        self._watchdog = Watchdog(session, self.seconds_left)
        session.execute(self.settling({"statement_timeout": f"{PLAN_TIMEOUT_SECONDS}s"}))
        return session

    def connect(self) -> Session[Any]:
        """A new session, settled and read only, that `close` ends. Raises SecretError or RetryLater."""
        session = self._connected()
        session.execute(self.settling())
        return session

    def settling(self, own: Mapping[str, str] | None = None, *, local: bool = False) -> str:
        """The statements that settle a session which only reads."""
        own = {"default_transaction_read_only": "on", **(own or {})}
        return sessions.settling(own, schema=self._config.default_schema.strip('"'), local=local)

    def _connected(self) -> Session[Any]:
        session = sessions.connect(self.address, reference=self._config.secret, place=self.place, seconds=self.seconds_left)
        self._opened.append(session)
        return session

    def connection_error(self, text: str) -> AtollError:
        return connection_error(self.scrub(text), self._config.secret, self.place)

    def scrub(self, text: str) -> str:
        return scrub(text, self.address.password)

    # -- tables, and their due rows

    @cached_property
    def due(self) -> DueRows:
        return due_rows(self.session, self._config.lag, self.place)

    def described(self, flow: Flow, table: Table) -> Relation:
        import psycopg

        session, flow, dropped = self.session, without_dropped(flow, table), table.masked(Mask.DROP)
        if not table.source:
            found = catalog.columns_of(session, rows_sql(f"({flow.query}\n) AS query", ["*"], []))
            # A column that is NOT NULL in its table may be null in the answer: beyond an outer join, or in a total of GROUPING SETS.
            found = [replace(column, not_null=False) for column in found]
            relation = query_relation(flow, read_columns(flow, found), dropped)
            return replace(relation, members=members_of_query(session, relation.reads, str(flow.position)))
        name = self.found(table.source, str(flow.position))
        columns = [column.source for column in flow.columns] or ["*"]
        try:
            found = catalog.columns_of(session, rows_sql(name.quoted, columns, [flow.filter] if flow.filter else []))
        except psycopg.errors.UndefinedColumn as error:
            missing = str(error.diag.message_primary).removeprefix("column ").split(" ")[0].strip('"')
            remedy = did_you_mean(missing, catalog.column_names(session, name)) + "take it out of the statement"
            raise DefinitionError(f"{table.source}: {error.diag.message_primary}", place=str(flow.position), remedy=remedy) from None
        if not flow.columns:
            found = [column for column in found if column.name.lower() not in dropped]
        read = read_columns(flow, found, [column.name for column in flow.columns])
        relation = table_relation(flow, name.quoted, read, table_size(session, name))
        members, remade = members_of_table(session, name, flow, str(flow.position))
        return replace(relation, members=members, remade=remade)

    def find(self, table: str) -> TableName | None:
        return catalog.find_table(self.session, table, self._config.default_schema)

    def missing(self, table: str, place: str) -> DefinitionError:
        return catalog.missing_table(self.session, table, self._config.default_schema, place)

    def key_of(self, name: TableName) -> Sequence[str]:
        return catalog.primary_key(self.session, name)

    def schema_of(self, name: TableName) -> Schema:
        rows = rows_sql(name.quoted, catalog.allowed_columns(self.session, name), [])
        return catalog.table_schema(catalog.columns_of(self.session, rows))

    def size_of(self, name: TableName) -> Size | None:
        import psycopg

        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            return estimated_size(self.session, name)
        return None

    @contextlib.contextmanager
    def translated(self, place: str) -> Iterator[None]:
        """Translates psycopg's errors to Atoll's."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            if self._watchdog and self._watchdog.ended:
                raise silent(place) from None
            raise failures.statement_error(error, place) from None


def open_source(
    connection: Connection,
    secret: Mapping[str, Any],
    *,
    aws: Any,
    until: Callable[[], float] = lambda: math.inf,
    part_mb: int = SLICE.capabilities.part_mb,
    owner: str = "",
    bounds: Bounds = dict,
) -> PostgresSource:
    """The Source of a connection. Raises DefinitionError or SecretError. owner: names the installation.  bounds: as `bounds_of`."""
    return PostgresSource(connection, secret, aws, until, part_mb, owner, bounds)
