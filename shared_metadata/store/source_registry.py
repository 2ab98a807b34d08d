"""The registry of sources' tables: each as a slice last saw it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared_metadata.program import Connection, from_plain
from shared_metadata.program.intervals import from_text, to_text
from shared_metadata.program.lineage import schema_digest
from shared_metadata.program.schema import Schema
from shared_metadata.store import items, keys
from shared_metadata.store.formats import schema_json
from shared_metadata.store.table_reader import Clock, utc_now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class SeenTable:
    """A table at a connection, as it was at `seen_at`. schema: None when it was not there; its digest is '' then."""

    connection: str
    table: str
    schema: Schema | None
    digest: str
    seen_at: datetime


class SourceRegistry:
    """Tables of sources by connection and name there; a later look replaces an earlier one."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock = utc_now) -> None:
        self._client, self._table, self._clock = client, table, clock

    def put(self, connection: Connection, table: str, schema: Schema | None) -> None:
        """Records a table as it is now. One with 1,600 columns takes some 250 KB of the 400 that an item may have."""
        values = {
            **keys.source_table(connection.name, table),
            "connection": connection.name,
            "system": connection.system,
            "table": table,
            "schema": schema_json(schema) if schema else "",
            "digest": schema_digest(schema) if schema else "",
            "seen_at": to_text(self._clock()),
        }
        self._client.put_item(TableName=self._table, Item=items.to_item(values))

    def table(self, connection: str, table: str) -> SeenTable | None:
        """The table as it was last seen; None if it never was."""
        key = items.to_item(keys.source_table(connection, table))
        item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return _seen(items.from_item(item)) if item else None

    def tables(self, connection: str) -> Iterator[SeenTable]:
        """All tables of a connection that were seen, by name."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=items.to_item({":pk": keys.source_table(connection, "")["pk"]}),
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                yield _seen(items.from_item(item))


def _seen(values: dict[str, Any]) -> SeenTable:
    schema = from_plain(Schema, json.loads(values["schema"])) if values["schema"] else None
    return SeenTable(values["connection"], values["table"], schema, values["digest"], from_text(values["seen_at"]))
