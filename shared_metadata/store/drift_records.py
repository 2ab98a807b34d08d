"""The records of drift, and their reader."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared_metadata.drift.changes import DriftChange
from shared_metadata.program import from_plain
from shared_metadata.program.intervals import from_text
from shared_metadata.store import items, keys
from shared_metadata.store.reader import MetadataReader

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Drift:
    """One change of a source, as recorded.

    seen_by: the collect flow that saw it.  program: the version under which its impact was last evaluated.
    flows: those that hold its marks.  notified_at: when the notification was sent, if anything was quiesced.
    """

    number: int
    change: DriftChange
    first_seen: datetime
    seen_by: str
    program: str
    flows: tuple[str, ...] = ()
    notified_at: datetime | None = None
    resolved_at: datetime | None = None
    resolution: str = ""

    @property
    def open(self) -> bool:
        return self.resolved_at is None


@dataclass
class Register:
    """The item that lists open drift: number ▸ [table, identity of the change]."""

    revision: int
    last: int
    open: dict[str, list[str]]

    def numbers(self, table: str) -> list[int]:
        return sorted(int(number) for number, (name, _) in self.open.items() if name == table)


class DriftReader:
    """Lists and shows drift; needs no more than read access."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table = client, table
        self.reader = MetadataReader(client, table)

    def drift(self, number: int) -> Drift | None:
        values = self._get(keys.drift(number))
        return drift_of(values) if values else None

    def drifts(self, limit: int = 100) -> list[Drift]:
        """The latest drifts, newest first."""
        page = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues=items.to_item({":pk": keys.drift(0)["pk"], ":sk": "NUMBER#"}),
            ScanIndexForward=False,
            Limit=limit,
            ConsistentRead=True,
        )
        return [drift_of(items.from_item(item)) for item in page["Items"]]

    def open_drifts(self) -> list[Drift]:
        """The open drifts, oldest first."""
        return self._drifts(sorted(map(int, self._register().open)))

    def _drifts(self, numbers: Iterable[int]) -> list[Drift]:
        return [found for number in numbers if (found := self.drift(number)) is not None]

    def _register(self) -> Register:
        values = self._get(keys.open_drifts()) or {}
        return Register(values.get("revision", 0), values.get("last", 0), dict(values.get("open", {})))

    def _get(self, key: keys.Key) -> dict[str, Any] | None:
        item = self._client.get_item(TableName=self._table, Key=items.to_item(key), ConsistentRead=True).get("Item")
        return items.from_item(item) if item else None


def drift_of(values: Mapping[str, Any]) -> Drift:
    moments = {name: from_text(values[name]) for name in ("notified_at", "resolved_at") if values.get(name)}
    return Drift(
        number=values["number"],
        change=from_plain(DriftChange, json.loads(values["change"])),
        first_seen=from_text(values["first_seen"]),
        seen_by=values["seen_by"],
        program=values["program"],
        flows=tuple(values["flows"]),
        resolution=values.get("resolution", ""),
        **moments,
    )
