"""`atoll run`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from click.testing import Result

from shared_metadata.program.intervals import floor, to_text

Atoll = Callable[..., Result]
BROKEN = {
    "StartAt": "Broken",
    "States": {"Broken": {"Type": "Fail", "Error": "SecretError", "Cause": "the password is refused. Remedy: change it"}},
}


@pytest.fixture
def applied(ready: Any, atoll: Atoll) -> Any:
    assert atoll("apply").exit_code == 0
    return ready


def test_what_is_due_is_started_and_waited_for(atoll: Atoll, applied: Any) -> None:
    result = atoll("run", "lake.ops.orders")
    assert result.exit_code == 0
    assert "started 1 batch of lake.ops.orders: arn:aws:states:" in result.stdout and "succeeded" in result.stdout
    assert applied.executions("collect.postgres") == [{"flow": "lake.ops.orders"}]


def test_the_result_is_json_with_the_execution(atoll: Atoll, applied: Any) -> None:
    answer = json.loads(atoll("run", "lake.ops.orders", "--json").stdout)
    assert answer["status"] == "SUCCEEDED" and ":execution:atoll-collect-postgres:" in answer["execution"]


def test_a_backfill_passes_its_moments_on(atoll: Atoll, applied: Any) -> None:
    result = atoll("run", "lake.ops.customers", "--from", "2026-11-01", "--to", "2026-11-01T01:00")
    assert result.exit_code == 0 and "started 4 batches" in result.stdout
    assert applied.executions("organize.iceberg") == [{"flow": "lake.ops.customers", "from": "2026-11-01", "to": "2026-11-01T01:00"}]


def test_without_waiting_the_execution_is_only_started(atoll: Atoll, applied: Any) -> None:
    answer = json.loads(atoll("run", "lake.ops.orders", "--no-wait", "--json").stdout)
    assert answer["status"] == "RUNNING" and len(applied.executions("collect.postgres")) == 1


def test_a_failed_execution_shows_its_cause(atoll: Atoll, ready: Any) -> None:
    boto3.client("stepfunctions").update_state_machine(
        stateMachineArn="arn:aws:states:eu-central-1:123456789012:stateMachine:atoll-collect-postgres",
        definition=json.dumps(BROKEN),
    )
    atoll("apply")
    result = atoll("run", "lake.ops.orders")
    assert result.exit_code == 1
    assert "the execution ended FAILED: the password is refused" in result.stderr
    assert "help: atoll logs lake.ops.orders --errors" in result.stderr
    answer = json.loads(atoll("run", "lake.ops.orders", "--json").stdout)
    assert (answer["status"], answer["error"]) == ("FAILED", "SecretError")


def test_nothing_due_starts_nothing_and_says_why(atoll: Atoll, applied: Any) -> None:
    result = atoll("run", "lake.ops.customers")
    assert result.exit_code == 0 and "Nothing of lake.ops.customers is due." in result.stdout
    assert "lake.ops.customers is complete through" in result.stdout and "waits for lake.ops.orders" in result.stdout
    assert json.loads(atoll("run", "lake.ops.customers", "--json").stdout)["status"] == "NOTHING_DUE"
    assert applied.executions("organize.iceberg") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "the active program has no flow 'nope'"),
        (["lake.ops.orders", "--from", "2026-11-01"], "--from and --to go together"),
        (["lake.ops.orders", "--to", "2026-11-01"], "add --from MOMENT"),
        (["lake.ops.orders", "--from", "yesterday", "--to", "2026-11-01"], "--from 'yesterday' is no moment"),
        (["lake.ops.orders", "--from", "2026-11-02", "--to", "2026-11-01"], "is not before --to"),
        (["lake.ops.orders", "--from", "2026-11-01", "--to", "2126-11-01"], "lies in the future"),
        (["lake.ops.orders", "--from", "2020-11-01", "--to", "2026-11-01"], "more than the 1000"),
    ],
)
def test_a_wrong_input_is_refused_before_anything_starts(atoll: Atoll, applied: Any, arguments: list[str], said: str) -> None:
    result = atoll("run", *arguments)
    assert result.exit_code == 1 and said in result.stderr and "help: " in result.stderr
    assert applied.executions("collect.postgres") == []


def test_a_moment_has_an_offset_if_it_wants(atoll: Atoll, applied: Any) -> None:
    end = floor(datetime.now(UTC), 900)
    result = atoll("run", "lake.ops.orders", "--from", (end - timedelta(hours=1)).isoformat(), "--to", to_text(end))
    assert result.exit_code == 0 and "started 4 batches" in result.stdout


def test_without_an_active_program_it_says_to_apply_one(atoll: Atoll, account: Any) -> None:
    result = atoll("run", "lake.ops.orders")
    assert result.exit_code == 1 and "no program is active" in result.stderr and "atoll apply" in result.stderr
