"""The door of the collect suite to a stream: a row is an event of its columns, and one that is changed is another event."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shared_metadata.contract.collect import OpenSource
from shared_metadata.program import Mode
from slices.collect.kinesis.client import KinesisSource
from slices.collect.kinesis.slice import SLICE
from tests.conformance.fixtures import BESIDE, NOW
from tests.conformance.sent_events import Event, EventsUnderTest
from tests.memory.kinesis import MemoryKinesis, arn

KINESIS = MemoryKinesis()
BESIDE["kinesis"] = KINESIS
NAMES = {"number": "reading"}  # of events, as a name that `_sequence_number` does not hold


class KinesisUnderTest(EventsUnderTest):
    """Streams of JSON objects."""

    declaration = SLICE
    incremental: Mapping[str, Any] = {"mode": Mode.MERGE, "key": ("label",), "cursor": "_sequence_number"}
    secret_values: Sequence[str] = ()

    def __init__(self) -> None:
        super().__init__()
        self.options: dict[str, Any] = {"streams": arn("none"), **({"compression": "gzip"} if self.packed else {})}

    def open_source(self, aws: Any) -> OpenSource:
        return lambda connection, _: KinesisSource(connection, aws, lambda _: aws.client("kinesis"), lambda: NOW)

    def drop_table(self, table: str) -> None:
        del KINESIS.streams[arn(table)]

    def collected_name(self, column: str) -> str:
        return NAMES.get(column, column)

    def _made(self, table: str) -> None:
        KINESIS.make(arn(table))
        self.options["streams"] = ", ".join(map(arn, self._columns))

    def _sent(self, table: str, events: Sequence[Event], at: datetime) -> None:
        for event in events:
            text = json.dumps({self.collected_name(key): value for key, value in event.items()}, ensure_ascii=False).encode()
            key = hashlib.sha256(str(event.get("label")).encode()).hexdigest()
            KINESIS.put(arn(table), key, gzip.compress(text) if self.packed else text, at)


class PackedUnderTest(KinesisUnderTest):
    """The same with gzip."""

    packed = True
