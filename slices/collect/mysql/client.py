"""Reads a MySQL or MariaDB database: PyMySQL for the catalog, the plan and every session, DuckDB's scanner for the rows."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import Extracted, ExtractRequest, TablePlan, Window
from shared_metadata.contract.parquet.masking import without_dropped
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.sizes import Size
from shared_metadata.drift.changes import source_name
from shared_metadata.drift.column_values import SAMPLE_ROWS, ColumnValues, sampled
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection, Flow, Table
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import Concern, SourceNote
from slices.collect.mysql import failures, replica
from slices.collect.mysql.config import read_config
from slices.collect.mysql.dialect import DIALECT
from slices.collect.mysql.logic import columns_to_read, read_columns, spelled
from slices.collect.mysql.members import members_of_table
from slices.collect.mysql.planning import due_rows, estimated_size, first, table_size
from slices.collect.mysql.slice import SLICE
from systems.mysql import catalog, sessions
from systems.mysql.address import read_address
from systems.mysql.catalog import TableName, identifier
from systems.sql_source.dialect import Scan
from systems.sql_source.due_rows import DueRows
from systems.sql_source.parts import Part, comes_again
from systems.sql_source.relation import Relation, table_relation
from systems.sql_source.source import SqlSource

if TYPE_CHECKING:
    from pymysql import Connection as Session

PLAN_TIMEOUT_SECONDS, DAY_SECONDS = 30, 86_400.0
LEAVES = "a row that leaves this view by its own WHERE stays in a MERGE; collect the table below it with that WHERE, or use REPLACE"


class MysqlSource(SqlSource[TableName]):
    """A Source over one connection of a program."""

    dialect = DIALECT

    def __init__(self, connection: Connection, secret: Mapping[str, Any], aws: Any, until: Callable[[], float], part_mb: int) -> None:
        self._config, self.address = read_config(connection), read_address(connection, secret)
        super().__init__(connection, aws, until, self._config.max_parts, part_mb)

    def open_scan(self, request: ExtractRequest, deadline: Deadline, part: Part, before: Mapping[str, str] | None) -> Scan:
        from slices.collect.mysql.scanning import MysqlScan

        return MysqlScan(self, request, deadline)

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        if not flow.capture:
            return super().plan(flow, table, schema, window)
        from slices.collect.mysql.capture.planning import CapturePlan

        relation = self._relation(flow, table)
        with self.translated(str(flow.position)):
            name = self.found(table.source, str(flow.position))
            return CapturePlan(self, self._max_parts, self._part_mb).of(flow, table, relation, name, window)

    def extract(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        if "log" not in request.part:
            return self.read_table(request, resume, deadline)
        from slices.collect.mysql.capture.extraction import CaptureExtraction

        return CaptureExtraction(self, request, deadline, self._aws).run(resume, copy=request.part["copy"])

    # -- what discover and drift ask

    def tables(self) -> list[str]:
        with self.translated(self.place):
            return catalog.allowed_tables(self.session)

    def notes(self, tables: Sequence[str]) -> dict[str, list[SourceNote]]:
        """Tells of views, whose own WHERE a user without SHOW VIEW cannot read, and of what a replica may show late."""
        found = {}
        with self.translated(self.place):
            late = [SourceNote(Concern.CURSOR, replica.UNTOLD)] if replica.is_untold(self.session) else []
            for table in tables:
                if name := self.find(table):
                    found[table] = [*([SourceNote(Concern.MERGE, LEAVES)] if name.kind == "VIEW" else ()), *late]
        return {table: notes for table, notes in found.items() if notes}

    def sample(self, table: str, column: SchemaColumn) -> ColumnValues:
        with self.translated(f"{self.place}: {table}"):
            name = self.found(table, self.place)
            value = f"CAST({identifier(source_name(column))} AS CHAR)"
            with self.session.cursor() as cursor:
                cursor.execute(f"SELECT {value} FROM {name.quoted} LIMIT {SAMPLE_ROWS}")
                return sampled(column.type, [found for (found,) in cursor.fetchall()])

    # -- sessions

    @cached_property
    def session(self) -> Session[Any]:
        """The session for the catalog and the plan: with a short timeout for each statement, and given up with the call."""
        session = self.connect(self.seconds_left)
        sessions.settle(session, sessions.time_limit(PLAN_TIMEOUT_SECONDS))
        return session

    def connect(self, seconds: float) -> Session[Any]:
        """A new session, settled, that `close` ends; an answer that does not come is waited for so long."""
        session = sessions.connect(self.address, reference=self._config.secret, place=self.place, seconds=min(seconds, DAY_SECONDS))
        self._opened.append(session)
        return session

    # -- tables, and their due rows

    @cached_property
    def due(self) -> DueRows:
        return due_rows(self.session, self._config.lag, self.place)

    def described(self, flow: Flow, table: Table) -> Relation:
        flow = without_dropped(flow, table)
        name = self.found(table.source, str(flow.position))
        columns = columns_to_read(flow, table, catalog.columns_of(self.session, name))
        flow = spelled(flow, columns)
        where = f" WHERE ({flow.filter}\n)" if flow.filter else ""
        selected = ", ".join(identifier(column.name) for column in columns) or "1"
        first(self.session, f"SELECT {selected} FROM {name.quoted}{where} LIMIT 0")  # which names what is missing or may not be read
        size = table_size(self.session, name, in_ranges=comes_again(flow))
        members = members_of_table(self.session, name, {column.name for column in columns})
        return replace(table_relation(flow, name.quoted, read_columns(columns), size), members=members)

    def find(self, table: str) -> TableName | None:
        return catalog.find_table(self.session, table, self.address.dbname)

    def missing(self, table: str, place: str) -> DefinitionError:
        return catalog.missing_table(self.session, table, self.address.dbname, place)

    def key_of(self, name: TableName) -> Sequence[str]:
        return catalog.primary_key(self.session, name)

    def schema_of(self, name: TableName) -> Schema:
        first(self.session, f"SELECT 1 FROM {name.quoted} LIMIT 0")  # which names what may not be read
        return catalog.table_schema(catalog.columns_of(self.session, name))

    def size_of(self, name: TableName) -> Size:
        return estimated_size(self.session, name)

    @contextlib.contextmanager
    def translated(self, place: str) -> Iterator[None]:
        """Translates PyMySQL's errors to Atoll's."""
        import pymysql

        try:
            yield
        except pymysql.err.Error as error:
            raise failures.statement_error(error, place) from None


def open_source(
    connection: Connection,
    secret: Mapping[str, Any],
    *,
    aws: Any,
    until: Callable[[], float] = lambda: math.inf,
    part_mb: int = SLICE.capabilities.part_mb,
) -> MysqlSource:
    """The Source of a connection; nothing is opened before it is needed. Raises DefinitionError or SecretError."""
    return MysqlSource(connection, secret, aws, until, part_mb)
