"""`atoll logs`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from click.testing import Result

from console.project import compile_files

Atoll = Callable[..., Result]
PLAN, EXTRACT = "/aws/lambda/atoll-collect-postgres-plan", "/aws/lambda/atoll-collect-postgres-extract"
CONDUCTOR = "/aws/lambda/atoll-conductor"


def write(group: str, *messages: Any, minutes_ago: float = 1) -> None:
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="1")
    at = int((time.time() - minutes_ago * 60) * 1000)
    events = [{"timestamp": at + n, "message": m if isinstance(m, str) else json.dumps(m)} for n, m in enumerate(messages)]
    logs.put_log_events(logGroupName=group, logStreamName="1", logEvents=events)


@pytest.fixture
def written(ready: Any) -> Any:
    program = compile_files([])
    ready.writer().put_program(program)
    ready.writer().activate(program, former_version="")
    write(
        PLAN,
        "START RequestId: 1 Version: $LATEST",
        {"level": "INFO", "message": "planned", "flow": "lake.ops.orders", "parts": 3, "timestamp": "x", "service": "y"},
        {"_aws": {"CloudWatchMetrics": []}, "StepSeconds": [1.0]},
        {"level": "INFO", "message": "planned", "flow": "lake.other"},
    )
    write(
        EXTRACT,
        {"level": "ERROR", "message": "step failed", "flow": "lake.ops.orders", "error": "RetryLater"},
        "2026-11-23T01:00:00Z 1 Task timed out after 900.00 seconds",
        "REPORT RequestId: 1 Duration: 3 ms",
        "Traceback (most recent call last):",
        '  File "handlers.py", line 1, in <module>',
        "ModuleNotFoundError: No module named 'psycopg'",
        "END RequestId: 1",
    )
    write(CONDUCTOR, {"level": "INFO", "message": "started"}, minutes_ago=30)
    return ready


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_flow_shows_its_entries_oldest_first_and_no_other_flows(atoll: Atoll, written: Any) -> None:
    found = lines(atoll("logs", "lake.ops.orders", "--json"))
    said = {entry["message"].splitlines()[0].split("Z 1 ")[-1] for entry in found}
    assert said == {"planned", "step failed", "Task timed out after 900.00 seconds", "Traceback (most recent call last):"}
    assert "lake.other" not in {entry.get("flow") for entry in found}
    assert [entry["at"] for entry in found] == sorted(entry["at"] for entry in found)


def test_a_dataset_stands_for_its_flow(atoll: Atoll, written: Any) -> None:
    assert lines(atoll("logs", "lake.ops.orders:staged", "--json")) == lines(atoll("logs", "lake.ops.orders", "--json"))


def test_a_slice_shows_all_its_flows_in_words(atoll: Atoll, written: Any) -> None:
    shown = atoll("logs", "collect.postgres").stdout
    assert "INFO    atoll-collect-postgres-plan: planned flow=lake.ops.orders parts=3\n" in shown
    assert "lake.other" in shown and "RequestId" not in shown and "StepSeconds" not in shown


def test_errors_include_what_the_runtime_says(atoll: Atoll, written: Any) -> None:
    found = lines(atoll("logs", "--errors", "--json"))
    assert [entry["level"] for entry in found] == ["ERROR", "ERROR", "ERROR"]
    assert found[0]["error"] == "RetryLater" and found[1]["message"].endswith("Task timed out after 900.00 seconds")
    assert found[2]["message"].splitlines()[-1] == "ModuleNotFoundError: No module named 'psycopg'"


def test_minutes_say_how_far_back(atoll: Atoll, written: Any) -> None:
    nothing = atoll("logs", "conductor")
    assert nothing.exit_code == 0 and nothing.stdout == "" and "nothing in the last 15 minutes" in nothing.stderr
    assert "started" in atoll("logs", "conductor", "--minutes", "60").stdout


def test_an_unknown_name_is_answered_with_the_known_ones(atoll: Atoll, written: Any) -> None:
    result = atoll("logs", "lake.nope")
    assert result.exit_code == 1 and "there is no flow and no slice 'lake.nope'" in result.stderr
    assert "lake.ops.orders" in result.stderr and "collect.postgres" in result.stderr and "conductor" in result.stderr
