"""The door of the collect suite to events: a row is an event of its columns, and one that is changed is another event."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime
from typing import Any, ClassVar

from shared_metadata.program import Mode
from tests.conformance import hostile
from tests.conformance.collect import Row

Event = Mapping[str, Any]


class EventsUnderTest:
    """Tables of JSON objects. packed: they are sent with gzip."""

    appending: Mapping[str, Any] = {"mode": Mode.APPEND}
    large_rows, most_columns = 1_500, 500
    hostile_names = hostile.NAMES
    secret: Mapping[str, Any] = {}
    refused_secret: Mapping[str, Any] = {}
    unreachable_secret: Mapping[str, Any] = {}
    unreadable_day = "2026-02-31"
    moments = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    packed: ClassVar[bool] = False

    def __init__(self) -> None:
        self.made = uuid.uuid4().hex[:8]
        self._columns: dict[str, dict[str, str]] = {}

    def _made(self, table: str) -> None:
        """A table has come that is sent to."""
        raise NotImplementedError

    def _sent(self, table: str, events: Sequence[Event], at: datetime) -> None:
        raise NotImplementedError

    def create_table(self, columns: Mapping[str, str]) -> str:
        table = f"thing-{self.made}-{len(self._columns) + 12}"
        self._columns[table] = dict(columns)
        self._made(table)
        return table

    def put(self, table: str, rows: Sequence[Row], at: datetime) -> None:
        self._sent(table, [{name: _plain(row.get(name)) for name in self._columns[table]} for row in rows], at)

    def put_slowly(self, table: str, label: str, at: datetime) -> AbstractContextManager[None]:
        return nullcontext()

    def put_unreadable(self, table: str, label: str, at: datetime) -> None:
        self._sent(table, [{"label": label, "day": self.unreadable_day}], at)

    def delete(self, table: str, labels: Sequence[str], at: datetime) -> None:
        """There is no such thing."""

    def drop_column(self, table: str, column: str) -> None:
        """Events have none from now on."""
        del self._columns[table][column]

    def add_column(self, table: str, column: str, kind: str) -> None:
        self._columns[table][column] = kind

    def retype_column(self, table: str, column: str, kind: str) -> None:
        self._columns[table][column] = kind

    def rename_column(self, table: str, column: str, name: str) -> None:
        self._columns[table] = {name if one == column else one: kind for one, kind in self._columns[table].items()}

    def collected_name(self, column: str) -> str:
        return column


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
