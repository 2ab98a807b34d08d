"""DynamoDB in memory by partitions, as fast with millions of items as with few; counts requests and the units that reads cost."""

from __future__ import annotations

import bisect
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from botocore import xform_name
from botocore.awsrequest import AWSResponse

from benchmarks.metered import Raw, as_base64
from tests.memory.dynamodb import Item, MemoryDynamoDB

UNIT_BYTES = 4096  # of a consistent read: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html


class CountingDynamoDB(MemoryDynamoDB):
    """Of its own are the reads that the conductor makes, all of them consistent; writes are those of the memory double.

    taken: is called with the name of each request.
    """

    def __init__(self, taken: Callable[[str], None] = lambda _: None) -> None:
        super().__init__()
        self.calls, self.read_units, self._taken = Counter[str](), 0, taken
        self._sorted: dict[str, list[str]] = {}

    def reset(self) -> None:
        self.calls.clear()
        self.read_units = 0

    def get_item(self, *, TableName: str, Key: Item, **_: Any) -> dict[str, Any]:
        found = self._rows(TableName).get((Key["pk"]["S"], Key["sk"]["S"]))
        self._count("GetItem", [found] if found else [])
        return {"Item": found} if found else {}

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        ((table, wanted),) = RequestItems.items()
        rows = self._rows(table)
        found = [rows.get((key["pk"]["S"], key["sk"]["S"])) for key in wanted["Keys"]]
        self.calls["BatchGetItem"] += 1
        self.read_units += sum(units([item] if item else []) for item in found)
        self._taken("BatchGetItem")
        return {"Responses": {table: [item for item in found if item]}, "UnprocessedKeys": {}}

    def query(self, *, TableName: str, **asked: Any) -> dict[str, Any]:
        """Of a range of sort keys; any other goes to the double."""
        if "BETWEEN" not in asked["KeyConditionExpression"] or "ExclusiveStartKey" in asked or "Limit" in asked:
            return super().query(TableName=TableName, **asked)
        values = asked["ExpressionAttributeValues"]
        pk, low, high = (values[name]["S"] for name in (":pk", ":low", ":high"))
        keys, rows = self._keys(TableName, pk), self._rows(TableName)
        found = [rows[pk, sk] for sk in keys[bisect.bisect_left(keys, low) : bisect.bisect_right(keys, high)]]
        self._count("Query", found)
        return {"Items": found, "Count": len(found)}

    def put(self, table: str, item: Item) -> None:
        """Puts an item of which nobody asks whether it may be put."""
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        keys = self._keys(table, pk)
        if (pk, sk) not in self._rows(table):
            bisect.insort(keys, sk)
        self._rows(table)[pk, sk] = item

    def drop(self, table: str, key: Mapping[str, str]) -> None:
        pk, sk = key["pk"], key["sk"]
        keys = self._keys(table, pk)
        del keys[bisect.bisect_left(keys, sk)]
        del self._rows(table)[pk, sk]

    def _keys(self, table: str, pk: str) -> list[str]:
        if pk not in self._sorted:
            self._sorted[pk] = sorted(sk for known, sk in self._rows(table) if known == pk)
        return self._sorted[pk]

    def _put(self, action: Mapping[str, Any], item: Item | None) -> None:
        super()._put(action, item)
        if item is not None:
            self._sorted.pop(item["pk"]["S"], None)

    def _count(self, operation: str, found: list[Item]) -> None:
        self.calls[operation] += 1
        self.read_units += units(found)
        self._taken(operation)


def units(found: list[Item]) -> int:
    """Of one consistent read that brings these items together."""
    return max(1, math.ceil(sum(map(_bytes, found)) / UNIT_BYTES))


def _bytes(item: Any) -> int:
    """Of an item, its names included; of a value what it holds."""
    if isinstance(item, dict):
        return sum(len(name) + _bytes(value) for name, value in item.items())
    return sum(map(_bytes, item)) if isinstance(item, list) else len(str(item))


def through_botocore(client: Any, memory: Any) -> None:
    """Lets a real client ask what is in memory: all of botocore's work but the network."""
    client.meta.events.register(f"before-send.{client.meta.service_model.service_id.hyphenize()}", _Answer(memory))


class _Answer:
    """In place of the network; DynamoDB and Step Functions both speak JSON, with the operation in a header."""

    def __init__(self, memory: Any) -> None:
        self._memory = memory

    def __call__(self, request: Any, **_: Any) -> Any:
        target = request.headers["X-Amz-Target"]
        target = target.decode() if isinstance(target, bytes) else target
        found = getattr(self._memory, xform_name(target.rpartition(".")[2]))(**json.loads(request.body))
        return AWSResponse(
            request.url, 200, {"content-type": "application/x-amz-json-1.0"}, Raw(json.dumps(found, default=as_base64).encode())
        )
