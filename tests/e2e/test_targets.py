"""A table and files as their users have them: a program is compiled and deployed, and what it says is in DynamoDB and in S3."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pyarrow.parquet as pq
import pytest

from console.function_call import call
from console.target import Target
from infra.embedded import EmbeddedAws
from shared_metadata.contract.landed import STEP
from slices.registry import installed
from tests.e2e.one_program import CHANGED, as_function, deployed, execute, refused, run, shop

pytestmark = [pytest.mark.xdist_group("targets"), pytest.mark.timeout(900), pytest.mark.budget(300), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("targets.sql")
STACKS = ("CollectPostgresSlice", "OrganizeIcebergSlice", "HarnessDynamoDBSlice", "HarnessS3Slice")
MADE = (
    ("collect.postgres", "lake.ops.flights"),
    ("organize.iceberg", "lake.ops.flights:load"),
    ("organize.iceberg", "lake.ops.carriers"),
)
PUBLISHED = (("harness.dynamodb", "product.carriers"), ("harness.s3", "shelf.carriers"))
MOMENT = "2026-01-01T00:00:00.000001Z"
SENT = [("AA", 2, 4.0), ("UA", 1, None), ("XX", 1, 1.0)]


class Published(NamedTuple):
    target: Target
    aws: EmbeddedAws
    dsn: str

    def items(self) -> list[dict[str, Any]]:
        found = self.aws.session().client("dynamodb").scan(TableName="prod-carriers")["Items"]
        return sorted(found, key=lambda item: str(item["carrier"]["S"]))

    def held(self) -> list[tuple[Any, ...]]:
        """The rows of the table."""
        items = self.items()
        assert {item["changed"]["S"] for item in items} == {MOMENT}
        delays = [float(item["delay"]["N"]) if "delay" in item else None for item in items]
        return [(item["carrier"]["S"], int(item["flights"]["N"]), delay) for item, delay in zip(items, delays, strict=True)]

    def manifest(self) -> dict[str, Any]:
        return json.loads(self._body("out/carriers/manifest.json"))  # type: ignore[no-any-return]

    def fetched(self) -> list[tuple[Any, ...]]:
        """The rows of the files that the manifest names."""
        tables = [pq.read_table(io.BytesIO(self._body(file["key"]))) for file in self.manifest()["files"]]
        return [(row["carrier"], row["flights"], row["delay"]) for table in tables for row in table.to_pylist()]

    def batch(self, slice_id: str, flow: str) -> dict[str, str]:
        """The newest batch that a target says it holds, as the input of an execution."""
        program = self.target.reader.active_program()
        asked = {"of": dataclasses.asdict(program.connections[flow.partition(".")[0]]), "flows": {flow: flow}}
        start, end, _, _ = call(self.target, installed()[slice_id], STEP, asked, PROGRAM.name)["landed"][flow]
        return {"from": start, "to": end}

    def _body(self, key: str) -> bytes:
        return self.aws.session().client("s3").get_object(Bucket="acme-shelf", Key=key)["Body"].read()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def published(own_aws: EmbeddedAws) -> Iterator[Published]:
    """The account, with these stacks and this program, a table and a bucket; the first batch is published to both."""
    dsn = shop(own_aws)
    own_aws.session().client("s3").create_bucket(Bucket="acme-shelf")
    key: Any = [{"AttributeName": "carrier", "KeyType": "HASH"}]
    kinds: Any = [{"AttributeName": "carrier", "AttributeType": "S"}]
    own_aws.session().client("dynamodb").create_table(
        TableName="prod-carriers", KeySchema=key, AttributeDefinitions=kinds, BillingMode="PAY_PER_REQUEST"
    )
    with deployed(own_aws, PROGRAM, *STACKS) as target:
        for slice_id, flow in MADE:
            run(target, slice_id, flow)
        for slice_id, flow in PUBLISHED:
            run(target, "organize.iceberg", f"{flow}:result")
            run(target, slice_id, flow)
        yield Published(target, own_aws, dsn)


def test_every_row_is_in_the_table_and_in_the_files_that_the_manifest_names(published: Published) -> None:
    assert published.held() == published.fetched() == SENT
    assert {item["_atoll"]["S"].split()[0] for item in published.items()} == {"product.carriers"}
    assert [column["type"] for column in published.manifest()["columns"]] == ["string", "long", "double", "timestamptz"]


def test_the_tables_key_is_discovered(published: Published) -> None:
    program = published.target.reader.active_program()
    asked = {"connection": dataclasses.asdict(program.connections["product"]), "tables": ["carriers"]}
    answer = call(published.target, installed()["harness.dynamodb"], "discover", asked, PROGRAM.name)
    (column,) = answer["tables"]["carriers"]["columns"]
    assert (column["name"], column["type"], column["source_type"]) == ("carrier", "string", "S")


def test_what_is_changed_and_gone_at_the_source_is_so_in_both_after_the_batch_is_run_again(published: Published) -> None:
    """A former item that is in the result no more goes; one that another has written stays."""
    with psycopg.connect(published.dsn) as connection:
        connection.execute("DELETE FROM flights WHERE carrier = 'XX'")
        connection.execute("UPDATE flights SET delay = 9.5 WHERE id = 1")
        connection.execute("INSERT INTO flights VALUES (5, 'DL', 0.5, %s)", (CHANGED,))
    session = published.aws.session()
    session.client("dynamodb").put_item(
        TableName="prod-carriers", Item={"carrier": {"S": "ZZ"}, "changed": {"S": MOMENT}, "flights": {"N": "7"}}
    )
    before = [file["key"] for file in published.manifest()["files"]]
    batch = published.batch(*PUBLISHED[0])
    assert published.batch(*PUBLISHED[1]) == batch
    again = [*MADE, *(pair for slice_id, flow in PUBLISHED for pair in (("organize.iceberg", f"{flow}:result"), (slice_id, flow)))]
    for slice_id, flow in again:
        ended = execute(published.target, slice_id, flow, **batch)
        assert ended["status"] == "SUCCEEDED", ended
    result = [("AA", 2, 12.0), ("DL", 1, 0.5), ("UA", 1, None)]
    assert published.fetched() == result and published.held() == [*result, ("ZZ", 7, None)]
    there = {item["Key"] for item in session.client("s3").list_objects_v2(Bucket="acme-shelf")["Contents"]}
    assert {*before} < there and {*before}.isdisjoint(file["key"] for file in published.manifest()["files"])


def test_who_publishes_reaches_what_the_program_names_and_nothing_else(published: Published) -> None:
    aws, target = published.aws, published.target
    tables = as_function(target, aws, "atoll-harness-dynamodb-publish", "dynamodb")
    assert tables.describe_table(TableName="prod-carriers")["Table"]["ItemCount"] >= 0
    key = {"carrier": {"S": "AA"}}
    refused(
        lambda: tables.scan(TableName="prod-carriers"),
        lambda: tables.get_item(TableName="prod-carriers", Key=key),
        lambda: tables.put_item(TableName="prod-others", Item=key),
        lambda: as_function(target, aws, "atoll-harness-dynamodb-diff", "dynamodb").put_item(TableName="prod-carriers", Item=key),
    )
    files = as_function(target, aws, "atoll-harness-s3-publish", "s3")
    files.put_object(Bucket="acme-shelf", Key="out/probe", Body=b"")
    files.delete_object(Bucket="acme-shelf", Key="out/probe")
    refused(
        lambda: files.put_object(Bucket="acme-shelf", Key="in/probe", Body=b""),
        lambda: files.delete_object(Bucket="acme-shelf", Key="in/probe"),
        lambda: as_function(target, aws, "atoll-harness-s3-diff", "s3").put_object(Bucket="acme-shelf", Key="out/probe", Body=b""),
    )
