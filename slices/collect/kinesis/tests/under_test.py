"""The door of the collect suite to a stream: a row is an event of its columns, and one that is changed is another event."""

from __future__ import annotations

import gzip
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime
from typing import Any

from shared_metadata.contract.collect import OpenSource
from shared_metadata.program import Mode
from slices.collect.kinesis.client import KinesisSource
from slices.collect.kinesis.slice import SLICE
from tests.conformance import hostile
from tests.conformance.collect import Row
from tests.conformance.fixtures import BESIDE, NOW
from tests.memory.kinesis import MemoryKinesis, arn

KINESIS = MemoryKinesis()
BESIDE["kinesis"] = KINESIS
NAMES = {"number": "reading"}  # of events, as a name that `_sequence_number` does not hold


class KinesisUnderTest:
    """Streams of JSON objects."""

    declaration = SLICE
    incremental: Mapping[str, Any] = {"mode": Mode.MERGE, "key": ("label",), "cursor": "_sequence_number"}
    appending: Mapping[str, Any] = {"mode": Mode.APPEND}
    large_rows, most_columns = 1_500, 500
    hostile_names = hostile.NAMES
    secret: Mapping[str, Any] = {}
    refused_secret: Mapping[str, Any] = {}
    unreachable_secret: Mapping[str, Any] = {}
    secret_values: Sequence[str] = ()
    unreadable_day = "2026-02-31"
    moments = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    packed = False

    def __init__(self) -> None:
        self.made = uuid.uuid4().hex[:8]
        self.options: dict[str, Any] = {"streams": arn("none"), **({"compression": "gzip"} if self.packed else {})}
        self._columns: dict[str, dict[str, str]] = {}

    def open_source(self, aws: Any) -> OpenSource:
        return lambda connection, _: KinesisSource(connection, aws, lambda _: aws.client("kinesis"), lambda: NOW)

    def create_table(self, columns: Mapping[str, str]) -> str:
        table = f"thing-{self.made}-{len(self._columns) + 12}"
        self._columns[table] = dict(columns)
        KINESIS.make(arn(table))
        self.options["streams"] = ", ".join(map(arn, self._columns))
        return table

    def put(self, table: str, rows: Sequence[Row], at: datetime) -> None:
        for row in rows:
            self.send(table, {name: _plain(row.get(name)) for name in self._columns[table]}, at)

    def put_slowly(self, table: str, label: str, at: datetime) -> AbstractContextManager[None]:
        return nullcontext()

    def put_unreadable(self, table: str, label: str, at: datetime) -> None:
        self.send(table, {"label": label, "day": self.unreadable_day}, at)

    def delete(self, table: str, labels: Sequence[str], at: datetime) -> None:
        """A stream has no such thing."""

    def drop_column(self, table: str, column: str) -> None:
        """Events have none from now on."""
        del self._columns[table][column]

    def add_column(self, table: str, column: str, kind: str) -> None:
        self._columns[table][column] = kind

    def retype_column(self, table: str, column: str, kind: str) -> None:
        self._columns[table][column] = kind

    def rename_column(self, table: str, column: str, name: str) -> None:
        self._columns[table] = {name if one == column else one: kind for one, kind in self._columns[table].items()}

    def drop_table(self, table: str) -> None:
        del KINESIS.streams[arn(table)]

    def collected_name(self, column: str) -> str:
        return NAMES.get(column, column)

    def send(self, table: str, event: Mapping[str, Any], at: datetime) -> None:
        text = json.dumps({self.collected_name(key): value for key, value in event.items()}, ensure_ascii=False).encode()
        key = hashlib.sha256(str(event.get("label")).encode()).hexdigest()
        KINESIS.put(arn(table), key, gzip.compress(text) if self.packed else text, at)


class PackedUnderTest(KinesisUnderTest):
    """The same with gzip."""

    packed = True


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
