"""Which items of the metadata table a function writes: DynamoDB's write units by kind of item and by how it is written.

Of items up to 1 KB, as those of an empty batch are: a unit each, and two in a transaction
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html). What DynamoDB itself reports of
the whole tells whether that holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from shared_metadata.store import keys

KINDS = {
    keys.STATE_PREFIX: "where a dataset stands",
    keys.BATCH_PREFIX: "what a batch's tables share",
    keys.TABLE_PREFIX: "a table of a batch",
    keys.VERSION_PREFIX: "a version",
}
PARTITIONS = {keys.EVENT_PREFIX: "an event", keys.STATISTICS_PREFIX: "statistics", keys.SOURCE_PREFIX: "a source's table"}


def write_units(operation: str, params: Mapping[str, Any]) -> Counter[str]:
    """Units of a request, by what it writes: 'a table of a batch: SET #worker' ▸ 2."""
    return Counter({what: units for what, units in _counted(operation, params).items() if units})


def _counted(operation: str, params: Mapping[str, Any]) -> Counter[str]:
    if operation == "TransactWriteItems":
        actions = (next(iter(action.values())) for action in params["TransactItems"])
        return sum((_of_one(action, 2) for action in actions), Counter[str]())
    if operation == "BatchWriteItem":
        puts = (request["PutRequest"] for requests in params["RequestItems"].values() for request in requests)
        return sum((_of_one(put, 1) for put in puts), Counter[str]())
    return _of_one(params, 1) if operation in ("PutItem", "UpdateItem", "DeleteItem") else Counter()


def _of_one(action: Mapping[str, Any], units: int) -> Counter[str]:
    key = action.get("Key") or action["Item"]
    kind = next(_kinds(str(key["pk"]["S"]), str(key["sk"]["S"])), "something else")
    wrote = "outcome" if "#outcome =" in str(action.get("UpdateExpression", "")) else "claim" if _claims(action) else ""
    return Counter({f"{kind}{f', its {wrote}' if wrote else ''}": units})


def _claims(action: Mapping[str, Any]) -> bool:
    return "REMOVE #outcome" in str(action.get("UpdateExpression", ""))


def _kinds(partition: str, sort: str) -> Iterator[str]:
    """The kind of item, by its key."""
    if partition.startswith((keys.FLOW_PREFIX, keys.DATASET_PREFIX)):
        yield from (name for prefix, name in KINDS.items() if sort.startswith(prefix))
    yield from (name for prefix, name in PARTITIONS.items() if partition.startswith(prefix))
