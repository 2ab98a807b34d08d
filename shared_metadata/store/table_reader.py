"""Reads items of the metadata table; consistently where a decision needs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared_metadata.aws.at_once import beside_one_another
from shared_metadata.aws.later import pauses
from shared_metadata.errors import WaitForAws
from shared_metadata.store import items, keys

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Clock = Callable[[], datetime]
BATCH_GET_LIMIT = 100  # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html


def utc_now() -> datetime:
    return datetime.now(UTC)


class TableReader:
    """What all readers ask of the table: an item, many items, a range of one partition."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock = utc_now) -> None:
        self._client, self._table, self._clock = client, table, clock

    def _get(self, key: keys.Key) -> dict[str, Any] | None:
        item = self._client.get_item(TableName=self._table, Key=items.to_item(key), ConsistentRead=True).get("Item")
        return items.from_item(item) if item else None

    def _items(self, wanted: Iterable[keys.Key]) -> Iterator[dict[str, Any]]:
        """Returns the existing items of these keys: a read for a hundred, concurrently where there are more."""
        found = [items.to_item(key) for key in wanted]
        pages = [found[at : at + BATCH_GET_LIMIT] for at in range(0, len(found), BATCH_GET_LIMIT)]
        for page in beside_one_another(self._page, pages):
            yield from map(items.from_item, page)

    def _page(self, wanted: list[dict[str, Any]]) -> list[Any]:
        """Returns the existing items of a hundred keys; asks again for those that DynamoDB leaves over when it throttles."""
        found: list[Any] = []
        for pause in pauses():
            answer = self._client.batch_get_item(RequestItems={self._table: {"Keys": wanted, "ConsistentRead": True}})
            found += answer["Responses"].get(self._table, [])
            left = answer.get("UnprocessedKeys", {})
            if self._table not in left:
                return found
            wanted = [dict(key) for key in left[self._table]["Keys"]]
            time.sleep(pause)
        raise WaitForAws("DynamoDB throttles the metadata table")

    def _one(self, low: keys.Key, high: str, *, newest_first: bool) -> dict[str, Any] | None:
        """The first item between two sort keys of one partition, or the last."""
        page = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :low AND :high",
            ExpressionAttributeValues=items.to_item({":pk": low["pk"], ":low": low["sk"], ":high": high}),
            ScanIndexForward=not newest_first,
            Limit=1,
            ConsistentRead=True,
        )
        return items.from_item(page["Items"][0]) if page["Items"] else None

    def _pages(self, low: keys.Key, high: str, values: Mapping[str, Any] | None = None, **more: Any) -> Iterator[Any]:
        """Pages of a query for the sort keys from `low` to `high` of one partition."""
        return iter(
            self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :low AND :high",
                ExpressionAttributeValues=items.to_item({":pk": low["pk"], ":low": low["sk"], ":high": high, **(values or {})}),
                **more,
            )
        )

    def _query(self, pk: str, sk_prefix: str, *, newest_first: bool = False, limit: int | None = None) -> Iterator[dict[str, Any]]:
        condition, values = "pk = :pk", {":pk": pk}
        if sk_prefix:
            condition, values = condition + " AND begins_with(sk, :sk)", {**values, ":sk": sk_prefix}
        arguments: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": items.to_item(values),
            "ScanIndexForward": not newest_first,
            "ConsistentRead": True,
        }
        if limit:
            arguments["Limit"] = limit
        yielded = 0
        while True:
            page = self._client.query(**arguments)
            for item in page["Items"]:
                yield items.from_item(item)
                yielded += 1
                if limit and yielded >= limit:
                    return
            if "LastEvaluatedKey" not in page:
                return
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]
