"""Records of the maintenance of tables: when each was last maintained, and with which outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared_metadata.program.intervals import from_text, to_text
from shared_metadata.store import items, keys

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class MaintenanceRecord:
    """The last maintenance of a table, `at` a moment, when it was complete `through` another; `swept_at`: looked for garbage."""

    dataset: str
    at: datetime
    through: datetime
    swept_at: datetime
    done: Mapping[str, int] = field(default_factory=dict)


class MaintenanceRecords:
    """Keeps one record for each table; a later one replaces an earlier one."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table = client, table

    def put(self, record: MaintenanceRecord) -> None:
        moments = {name: to_text(getattr(record, name)) for name in ("at", "through", "swept_at")}
        values = {**keys.maintained(record.dataset), **moments, "done": dict(record.done)}
        self._client.put_item(TableName=self._table, Item=items.to_item(values))

    def all(self) -> dict[str, MaintenanceRecord]:
        """All records by dataset."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=items.to_item({":pk": keys.MAINTENANCE}),
        )
        return {item["sk"]["S"]: _record(items.from_item(item)) for page in pages for item in page["Items"]}


def _record(values: Mapping[str, Any]) -> MaintenanceRecord:
    at, through, swept_at = (from_text(values[name]) for name in ("at", "through", "swept_at"))
    return MaintenanceRecord(values["sk"], at, through, swept_at, values.get("done", {}))
