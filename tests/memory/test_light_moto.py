"""A transaction that moto takes back leaves all as it was, also without its copies of the table."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models import Table, dynamodb_backends

from tests.conformance.fixtures import create_metadata_table
from tests.memory.light_moto import moto_client

ABSENT = "attribute_not_exists(pk)"


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with moto_client("dynamodb") as client:
        create_metadata_table(client, "metadata")
        yield client


def item(name: str, **more: Any) -> dict[str, Any]:
    return {"pk": {"S": name}, "sk": {"S": "x"}, **more}


def written(client: Any) -> Any:
    (backend,) = (backend["eu-central-1"] for backend in dynamodb_backends.values())
    return client.scan(TableName="metadata")["Items"], len(backend.tables["metadata"].stream_shard.items)


CHANGES = (
    {"Put": {"TableName": "metadata", "Item": item("new")}},
    {"Put": {"TableName": "metadata", "Item": item("replaced", n={"N": "2"})}},
    {"Delete": {"TableName": "metadata", "Key": item("deleted")}},
    {
        "Update": {
            "TableName": "metadata",
            "Key": item("changed"),
            "UpdateExpression": "SET m.k = :v",
            "ExpressionAttributeValues": {":v": {"S": "other"}},
        }
    },
    {
        "Update": {
            "TableName": "metadata",
            "Key": item("made"),
            "UpdateExpression": "SET n = :v",
            "ExpressionAttributeValues": {":v": {"S": "other"}},
        }
    },
)
REFUSED = {"Put": {"TableName": "metadata", "Item": item("there"), "ConditionExpression": ABSENT}}


@pytest.mark.parametrize("end", [(REFUSED,), (CHANGES[1],)], ids=["a condition", "the same item twice"])
def test_a_transaction_that_is_refused_at_its_end_leaves_no_trace(dynamodb: Any, end: tuple[dict[str, Any], ...]) -> None:
    for name in ("replaced", "deleted", "changed", "there"):
        dynamodb.put_item(TableName="metadata", Item=item(name, n={"N": "1"}, m={"M": {"k": {"S": "one"}}}))
    before = written(dynamodb)
    with pytest.raises(ClientError):
        dynamodb.transact_write_items(TransactItems=[*CHANGES, *end])
    assert written(dynamodb) == before
    dynamodb.transact_write_items(TransactItems=CHANGES)
    items, records = written(dynamodb)
    assert {one["pk"]["S"] for one in items} == {"new", "replaced", "changed", "made", "there"}
    assert records >= before[1] + len(CHANGES)


def test_no_table_is_copied(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = []
    monkeypatch.setattr(Table, "__deepcopy__", lambda table, _: copied.append(table) or table)
    dynamodb.transact_write_items(TransactItems=CHANGES[:2])
    assert copied, "moto copies in another way now"


def test_a_table_may_be_read_while_another_thread_writes_into_it(dynamodb: Any) -> None:
    """Each call is one step for all others."""
    entries = {str(number): {"S": "x"} for number in range(100)}
    dynamodb.put_item(TableName="metadata", Item=item("one", m={"M": entries}))
    with threads_that_take_turns_often(), ThreadPoolExecutor() as pool:
        reading = [pool.submit(dynamodb.batch_get_item, RequestItems={"metadata": {"Keys": [item("one")]}}) for _ in range(10)]
        for number in range(10):
            dynamodb.update_item(
                TableName="metadata",
                Key=item("one"),
                UpdateExpression=f"SET m.new{number} = :v",
                ExpressionAttributeValues={":v": {"S": "new"}},
            )
    found = [len(one.result()["Responses"]["metadata"][0]["m"]["M"]) for one in reading]
    assert min(found) >= len(entries) and max(found) <= len(entries) + 10


@contextmanager
def threads_that_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
