"""What the Source of a slice does whatever database it reads: plans a table's window and parts, and runs the extraction of one."""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from shared_metadata.contract.collect import Extracted, ExtractRequest, TablePlan, Window
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.sizes import Size
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection, Flow, Table
from shared_metadata.program.schema import Schema
from shared_metadata.program.source_schemas import TableDefaults
from systems.sql_source.dialect import Dialect, Scan
from systems.sql_source.due_rows import DueRows
from systems.sql_source.parts import Part, table_plan
from systems.sql_source.relation import Relation
from systems.sql_source.silence import ANSWER_SECONDS

Name = TypeVar("Name")  # of a table, as the database's catalog has found it


class SqlSource(ABC, Generic[Name]):
    """A Source for a slice's own to inherit from, which adds sessions and what its catalog answers."""

    dialect: Dialect

    def __init__(self, connection: Connection, aws: Any, until: Callable[[], float], max_parts: int, part_mb: int) -> None:
        """aws: the boto3 session whose role writes the staged files.  part_mb: the least size of a part.

        until: when the call at work must have returned, on the monotonic clock.
        """
        self.connection, self._aws, self._until = connection, aws, until
        self._max_parts, self._part_mb = max_parts, part_mb
        self._relations: dict[str, Relation] = {}
        self._opened: list[Any] = []  # sessions

    @property
    @abstractmethod
    def due(self) -> DueRows:
        """Finds the due rows, over the session of a plan."""

    @abstractmethod
    def described(self, flow: Flow, table: Table) -> Relation:
        """What a flow's table is at the source."""

    @abstractmethod
    def open_scan(self, request: ExtractRequest, deadline: Deadline, part: Part, before: Mapping[str, str] | None) -> Scan: ...

    @abstractmethod
    def translated(self, place: str) -> contextlib.AbstractContextManager[None]:
        """Translates the driver's errors to Atoll's."""

    # -- what the catalog answers

    @abstractmethod
    def find(self, table: str) -> Name | None:
        """A table that a program names; None where there is none."""

    @abstractmethod
    def missing(self, table: str, place: str) -> DefinitionError:
        """Tells that a table is not there, with those that have nearly its name."""

    @abstractmethod
    def key_of(self, name: Name) -> Sequence[str]:
        """The columns of a table's primary key, in its order; none where it has none."""

    @abstractmethod
    def schema_of(self, name: Name) -> Schema:
        """The columns of a table that may be read."""

    @abstractmethod
    def size_of(self, name: Name) -> Size | None:
        """What the database estimates of a table, without reading its rows; None where it may not be asked."""

    def found(self, table: str, place: str) -> Name:
        """Raises DefinitionError where there is no such table."""
        name = self.find(table)
        if name is None:
            raise self.missing(table, place)
        return name

    # -- what discover and drift ask

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        return {table: self._described(table) for table in tables}

    def sizes(self, tables: Sequence[str]) -> dict[str, Size]:
        found = {table: self._size(table) for table in tables}
        return {table: size for table, size in found.items() if size is not None}

    def primary_key(self, table: str) -> Sequence[str]:
        """None where the table is not there, too."""
        name = self.find(table)
        return () if name is None else self.key_of(name)

    def defaults(self, tables: Sequence[str]) -> dict[str, TableDefaults]:
        """Tells the primary keys. Whether a column moves whenever a row changes, no catalog knows."""
        with self.translated(self.place):
            keys = {table: self.primary_key(table) for table in tables}
        return {table: TableDefaults(tuple(name.lower() for name in key)) for table, key in keys.items() if key}

    # -- a batch

    def schema(self, flow: Flow, table: Table) -> Schema:
        return self._relation(flow, table).schema

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        relation = self._relation(flow, table)
        with self.translated(str(flow.position)):
            bounds = self.due.bounds(flow, relation, window)
        if bounds is None:
            return None
        return table_plan(flow, relation, window, bounds, self._max_parts, self._part_mb)

    def extract(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        return self.read_table(request, resume, deadline)

    def read_table(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        """One call of extract over rows of a table or a query."""
        from systems.sql_source.extraction import Extraction

        def open_scan(part: Part, before: Mapping[str, str] | None) -> Scan:
            return self.open_scan(request, deadline, part, before)

        return Extraction(request, deadline, self.dialect, self._aws, open_scan).run(resume)

    def close(self) -> None:
        while self._opened:
            with contextlib.suppress(Exception):  # it has ended already
                self._opened.pop().close()

    @property
    def seconds_left(self) -> float:
        """Seconds left for the server's answers, with just enough time kept to report their absence."""
        return max(self._until() - time.monotonic() - ANSWER_SECONDS, 0.1)

    @property
    def place(self) -> str:
        return f"connection {self.connection.name} ({self.connection.position})"

    def _relation(self, flow: Flow, table: Table) -> Relation:
        if table.dataset not in self._relations:
            with self.translated(str(flow.position)):
                self._relations[table.dataset] = self.described(flow, table)
        return self._relations[table.dataset]

    def _described(self, table: str) -> Schema | None:
        with self.translated(f"{self.place}: {table}"):
            name = self.find(table)
            return None if name is None else self.schema_of(name)

    def _size(self, table: str) -> Size | None:
        with self.translated(f"{self.place}: {table}"):
            name = self.find(table)
            return None if name is None else self.size_of(name)
