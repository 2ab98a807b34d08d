"""Reads an Oracle database by python-oracledb's thin mode: rows for the catalog and the plan, Arrow for the tables."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import ExtractRequest, TablePlan, Window
from shared_metadata.contract.parquet.masking import without_dropped
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.sizes import Size
from shared_metadata.drift.changes import source_name
from shared_metadata.drift.column_values import SAMPLE_ROWS, ColumnValues, sampled
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection, Flow, Table
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import Concern, SourceNote
from slices.collect.oracle import catalog, failures, sessions
from slices.collect.oracle.address import read_address
from slices.collect.oracle.catalog import TableName, identifier, rows
from slices.collect.oracle.config import read_config
from slices.collect.oracle.dialect import DIALECT
from slices.collect.oracle.logic import columns_to_read, read_columns, spelled
from slices.collect.oracle.planning import as_of, change_number, due_rows, estimated_size, may_look_back, table_size
from slices.collect.oracle.policies import hiding
from slices.collect.oracle.slice import SLICE
from slices.collect.oracle.type_mapping import map_type
from systems.sql_source.dialect import Scan
from systems.sql_source.due_rows import DueRows
from systems.sql_source.parts import Part, comes_again
from systems.sql_source.relation import Relation, table_relation
from systems.sql_source.source import SqlSource

if TYPE_CHECKING:
    from oracledb import Connection as Session

PLAN_TIMEOUT_SECONDS, DAY_SECONDS = 30.0, 86_400.0
LEAVES = "a row that leaves this view by its own WHERE stays in a MERGE; collect the table below it with that WHERE, or use REPLACE"
LATE = "this database is a standby, which shows rows late: give the connection a `lag` that is longer than it may be behind"
_ROLE = "SELECT SYS_CONTEXT('USERENV', 'DATABASE_ROLE') FROM DUAL"


class OracleSource(SqlSource[TableName]):
    """A Source over one connection of a program."""

    dialect = DIALECT

    def __init__(self, connection: Connection, secret: Mapping[str, Any], aws: Any, until: Callable[[], float], part_mb: int) -> None:
        self._config, self.address = read_config(connection), read_address(connection, secret)
        super().__init__(connection, aws, until, self._config.max_parts, part_mb)
        self._looked_back: set[str] = set()  # datasets whose tables can be read as they were

    def open_scan(self, request: ExtractRequest, deadline: Deadline, part: Part, before: Mapping[str, str] | None) -> Scan:
        from slices.collect.oracle.scanning import OracleScan

        return OracleScan(self, request, deadline, part)

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        """What has to be of one state, or may be in several parts, is read as of the change that was the newest when all else had
        been asked: what had been committed by then, it shows."""
        found = super().plan(flow, table, schema, window)
        if found is None or table.dataset not in self._looked_back or not (window.first or not comes_again(flow)):
            return found
        with self.translated(str(flow.position)):
            number = change_number(self.session)
        return found if number is None else replace(found, parts=tuple(_read_as_of(part, number) for part in found.parts))

    # -- what discover and drift ask

    def tables(self) -> list[str]:
        with self.translated(self.place):
            return catalog.allowed_tables(self.session)

    def warnings(self, tables: Sequence[str] | None) -> dict[str, str]:
        """Warns of tables of which policies hide rows, so that a batch of them is refused, or whose columns are not all collected."""
        with self.translated(self.place):
            found = {table: self._warning(table) for table in (self.tables() if tables is None else tables)}
        return {table: warning for table, warning in found.items() if warning}

    def notes(self, tables: Sequence[str]) -> dict[str, list[SourceNote]]:
        """Tells of views, whose own WHERE is not looked at, and of what a standby may show late."""
        found = {}
        with self.translated(self.place):
            ((role,),) = rows(self.session, _ROLE)
            late = [SourceNote(Concern.CURSOR, LATE)] if "STANDBY" in str(role).upper() else []
            for table in tables:
                if name := self.find(table):
                    found[table] = [*([SourceNote(Concern.MERGE, LEAVES)] if name.kind == "VIEW" else ()), *late]
        return {table: notes for table, notes in found.items() if notes}

    def sample(self, table: str, column: SchemaColumn) -> ColumnValues:
        with self.translated(f"{self.place}: {table}"):
            name = self.found(table, self.place)
            value = next((c for c in catalog.columns_of(self.session, name) if c.name == source_name(column)), None)
            mapped = map_type(value.type) if value else None
            if mapped is None:
                return sampled(column.type, [])
            wanted = mapped.expression(identifier(source_name(column)))
            found = rows(self.session, f"SELECT {wanted} FROM {name.quoted} FETCH FIRST {SAMPLE_ROWS} ROWS ONLY")
            return sampled(column.type, [_text(each) for (each,) in found])

    # -- sessions

    @cached_property
    def session(self) -> Session:
        """The session for the catalog and the plan: with a short time for each answer, and given up with the call."""
        return self.connect(min(self.seconds_left, PLAN_TIMEOUT_SECONDS))

    def connect(self, seconds: float) -> Session:
        """A new session, settled, that `close` ends; an answer that does not come is waited for so long."""
        session = sessions.connect(self.address, reference=self._config.secret, place=self.place, seconds=min(seconds, DAY_SECONDS))
        self._opened.append(session)
        return session

    # -- tables, and their due rows

    @cached_property
    def due(self) -> DueRows:
        return due_rows(self.session, self._config.lag, self.place)

    def described(self, flow: Flow, table: Table) -> Relation:
        flow, place = without_dropped(flow, table), str(flow.position)
        name = self.found(table.source, place)
        if said := hiding(self.session, name):
            raise failures.hidden(said, place)
        columns = columns_to_read(flow, table, catalog.columns_of(self.session, name))
        flow, read = spelled(flow, columns), read_columns(flow, columns)
        where = f" AND ({flow.filter}\n)" if flow.filter else ""
        selected = ", ".join(identifier(column.name) for column in columns) or "1"
        rows(
            self.session, f"SELECT {selected} FROM {name.quoted} WHERE 1 = 0{where}"
        )  # which names what is missing or may not be read
        if name.kind == "TABLE" and may_look_back(self.session, name):
            self._looked_back.add(table.dataset)
        in_ranges = comes_again(flow) or table.dataset in self._looked_back
        return table_relation(flow, name.quoted, read, table_size(self.session, name, in_ranges=in_ranges))

    @property
    def _schema(self) -> str:
        return self._config.default_schema or self.address.username.upper()

    def find(self, table: str) -> TableName | None:
        return catalog.find_table(self.session, table, self._schema)

    def missing(self, table: str, place: str) -> DefinitionError:
        return catalog.missing_table(self.session, table, self._schema, place)

    def key_of(self, name: TableName) -> Sequence[str]:
        return catalog.primary_key(self.session, name)

    def schema_of(self, name: TableName) -> Schema:
        rows(self.session, f"SELECT 1 FROM {name.quoted} WHERE 1 = 0")  # which names what may not be read
        return catalog.table_schema(catalog.columns_of(self.session, name))

    def size_of(self, name: TableName) -> Size:
        return estimated_size(self.session, name)

    def _warning(self, table: str) -> str:
        name = self.find(table)
        if name is None:
            return ""
        said = hiding(self.session, name)
        told = failures.hidden(said, self.place)
        without = [
            column.name for column in catalog.columns_of(self.session, name) if not column.hidden and not map_type(column.type)
        ]
        hidden = f"{told.what}; {told.remedy}" if said else ""
        return hidden or (f"no plain values: {', '.join(without)}; name the other columns in a query" if without else "")

    @contextlib.contextmanager
    def translated(self, place: str) -> Iterator[None]:
        """Translates the driver's errors to Atoll's."""
        import oracledb

        try:
            yield
        except oracledb.Error as error:
            raise failures.statement_error(error, place) from None


def _read_as_of(part: Mapping[str, Any], number: int) -> dict[str, Any]:
    return {**part, "reads": f"{part['reads']}{as_of(number)}"}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def open_source(
    connection: Connection,
    secret: Mapping[str, Any],
    *,
    aws: Any,
    until: Callable[[], float] = lambda: math.inf,
    part_mb: int = SLICE.capabilities.part_mb,
) -> OracleSource:
    """The Source of a connection; nothing is opened before it is needed. Raises DefinitionError or SecretError."""
    return OracleSource(connection, secret, aws, until, part_mb)
