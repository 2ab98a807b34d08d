"""What a batch's work costs at list prices, and how unevenly it was cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from infra.settings import Settings
from infra.slice_bundle import slice_bundle
from shared_metadata.contract.runtime.meter import Meter, capacity_units
from shared_metadata.costs import A_BATCH, cost_dollars, prices, share, skew, together, unpriced
from slices.registry import installed

ROOT = Path(__file__).parents[2]
KINDS = sorted(prices()["per_million"])
USED = st.dictionaries(st.sampled_from(KINDS), st.floats(0, 1e6), max_size=4)


def test_a_million_of_anything_costs_its_list_price() -> None:
    for kind, listed in prices()["per_million"].items():
        logs = 0.35 if kind == "lambda_invocation" else 0  # 700 bytes each at half a dollar a GB
        assert cost_dollars({kind: 1_000_000}) == pytest.approx(listed["price"] + logs)


@given(USED, st.dictionaries(st.sampled_from(["snowflake_credits", "another"]), st.floats(0.1, 1e6)))
def test_what_has_no_price_is_told_and_costs_nothing(used: dict[str, float], other: dict[str, float]) -> None:
    assert cost_dollars(used | other) == cost_dollars(used) and unpriced(used | other) == other


def test_every_price_names_its_page() -> None:
    listed = prices()
    for group in ("per_month", "per_million", "per_gb"):
        for kind, price in listed[group].items():
            assert price["price"] > 0 and "https://" in price["source"], kind


@pytest.mark.parametrize("file", sorted(ROOT.glob("slices/*/*/prices.json")), ids=lambda file: file.parent.name)
def test_what_one_slice_alone_uses_is_priced_in_its_folder(file: Path) -> None:
    own = json.loads(file.read_text())
    shared = json.loads((ROOT / "shared_metadata" / "aws_prices.json").read_text())["per_million"]
    assert own and own.items() <= prices()["per_million"].items() and not own.keys() & shared.keys()
    declaration = installed()[f"{file.parent.parent.name}.{file.parent.name}"]
    for data in (False, True):  # each function makes its batch's figures
        assert str(file.relative_to(ROOT)) in {inside for _, inside in slice_bundle(declaration, Settings(), data=data).files()}


@given(USED, USED)
def test_what_is_used_together_costs_the_sum(one: dict[str, float], other: dict[str, float]) -> None:
    assert cost_dollars(together(one, other)) == pytest.approx(cost_dollars(one) + cost_dollars(other), abs=1e-7)


@given(USED, st.integers(1, 500))
def test_shares_make_the_whole(used: dict[str, float], tables: int) -> None:
    assert cost_dollars(together(*[share(used, tables)] * tables)) == pytest.approx(cost_dollars(used), rel=1e-3, abs=1e-6)


@given(st.lists(st.integers(0, 10**12), max_size=20))
def test_skew_lies_between_even_and_all_in_one_piece(sizes: list[int]) -> None:
    assert 1.0 <= skew(sizes) <= max(len(sizes), 1)


@pytest.mark.parametrize(("sizes", "expected"), [([], 1.0), ([7], 1.0), ([5, 5, 5], 1.0), ([30, 0, 0], 3.0), ([6, 2], 1.5)])
def test_skew_is_the_largest_piece_over_the_mean(sizes: list[int], expected: float) -> None:
    assert skew(sizes) == expected


def test_a_batch_with_nothing_to_work_on_is_shared_by_nobody() -> None:
    assert share(A_BATCH, 0) == {"dollars": cost_dollars(A_BATCH)}


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
    with mock_aws():
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
        yield lambda service: boto3.client(service, **keys)


def test_the_meter_counts_what_its_clients_ask_for_since_the_restart(clients: Any) -> None:
    meter = Meter()
    s3, secrets, glue = (meter.watch(clients(service)) for service in ("s3", "secretsmanager", "glue"))
    s3.create_bucket(Bucket="data")
    secrets.create_secret(Name="atoll/ops", SecretString="{}")
    meter.restart()
    s3.put_object(Bucket="data", Key="a", Body=b"x")
    s3.get_object(Bucket="data", Key="a")
    s3.get_object(Bucket="data", Key="a")
    secrets.get_secret_value(SecretId="atoll/ops")
    glue.get_databases()
    used = meter.used()
    assert 0 < used.pop("lambda_arm64_gb_second") < 60
    assert used == {"s3_put": 1, "s3_get": 2, "secrets_request": 1, "glue_request": 1, "lambda_invocation": 1}


def test_dynamodb_is_asked_what_a_request_took(clients: Any) -> None:
    meter, client = Meter(), clients("dynamodb")
    client.create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    meter.watch(client)
    asked: list[Any] = []
    client.meta.events.register("before-call", lambda params, **_: asked.append(params["body"]))
    client.put_item(TableName="t", Item={"pk": {"S": "a"}})
    client.get_item(TableName="t", Key={"pk": {"S": "a"}})
    assert all(b'"ReturnConsumedCapacity": "TOTAL"' in body for body in asked) and len(asked) == 2
    used = meter.used()
    assert used["dynamodb_write_unit"] > 0 and used["dynamodb_read_unit"] > 0


@pytest.mark.parametrize(
    ("answer", "units"),
    [
        ({"ConsumedCapacity": {"CapacityUnits": 2.5}}, 2.5),
        ({"ConsumedCapacity": [{"CapacityUnits": 4}, {"CapacityUnits": 6}]}, 10),
        ({}, 1),
    ],
)
def test_capacity_is_what_dynamodb_says_or_one(answer: dict[str, Any], units: float) -> None:
    assert capacity_units(answer) == units
