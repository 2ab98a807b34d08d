"""Scans the whole metadata table, to verify or export it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]


def scan(client: DynamoDBClient, table: str, said: Callable[[int], None] = lambda _: None) -> Iterator[Item]:
    """Yields all items in DynamoDB's own form and order, each as of some moment while this runs; `said` gets the number so far."""
    count = 0
    arguments: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
    while True:
        page = client.scan(**arguments)
        yield from page["Items"]
        count += len(page["Items"])
        said(count)
        if "LastEvaluatedKey" not in page:
            return
        arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]
