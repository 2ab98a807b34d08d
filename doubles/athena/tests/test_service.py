"""What the API keeps of queries, without an AWS."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from doubles.athena.errors import Refused
from doubles.athena.files import Caller
from doubles.athena.limits import HISTORY_SECONDS
from doubles.athena.results import java_number, page, rows_of
from doubles.athena.service import Athena, _new

ROOT = Caller("0" * 12, "local", None, "us-east-1")


def _query(state: str, age_seconds: float = 0) -> dict[str, Any]:
    made = _new({"QueryString": "SELECT 1"}, "primary", None, "s3://b/r/", {"_token": "t" * 32, "_parameters": {}})
    made["Status"].update(State=state, SubmissionDateTime=time.time() - age_seconds)
    return dict(json.loads(json.dumps(made)))  # as the state on disk has it


@pytest.mark.parametrize("state", ["QUEUED", "RUNNING"])
def test_what_ran_when_the_service_ended_has_failed_by_its_fault(state: str) -> None:
    found = Athena({"a": _query(state)}, {}).answer("GetQueryExecution", {"QueryExecutionId": "a"}, ROOT)["QueryExecution"]
    error = found["Status"]["AthenaError"]
    assert (found["Status"]["State"], error["ErrorCategory"], error["Retryable"]) == ("FAILED", 1, True)


def test_queries_are_kept_for_the_time_of_the_history() -> None:
    kept = {"old": _query("SUCCEEDED", HISTORY_SECONDS + 1), "new": _query("SUCCEEDED", HISTORY_SECONDS - 60)}
    Athena(kept, {})._forget_old()
    assert [*kept] == ["new"]


def test_what_is_shown_of_a_query_is_none_of_the_doubles_own() -> None:
    shown = Athena({"a": _query("SUCCEEDED")}, {}).answer("GetQueryExecution", {"QueryExecutionId": "a"}, ROOT)["QueryExecution"]
    assert not [name for name in shown if name.startswith("_")] and None not in shown["Status"].values()


@pytest.mark.parametrize(
    "body", [{"QueryString": ""}, {"QueryString": "SELECT 1"}, {"QueryString": "SELECT 1", "ClientRequestToken": "short"}]
)
def test_a_start_without_a_text_or_token_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        Athena({}, {"primary": {}}).answer("StartQueryExecution", body, ROOT)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0"), (-0.0, "-0.0"), (0.1, "0.1"), (100.0, "100.0"), (1e7, "1.0E7"), (9999999.0, "9999999.0"), (0.001, "0.001"),
     (0.0001, "1.0E-4"), (-1.25e-7, "-1.25E-7"), (123456789.5, "1.234567895E8"), (float("nan"), "NaN"), (float("-inf"), "-Infinity")],
)  # fmt: skip
def test_a_double_is_written_as_java_does(value: float, text: str) -> None:
    assert java_number(value) == text


def test_pages_of_a_result_hold_every_text_as_it_was() -> None:
    texts = ["", "a,b", 'say "x"', "two\nlines", None, '"', "ü"]
    lines = "\n".join(",".join("" if text is None else '"' + text.replace('"', '""') + '"' for text in (text, "z")) for text in texts)
    assert rows_of(f"{lines}\n") == [[text, "z"] for text in texts]
    first = page(f"{lines}\n", [], "", 3)
    second = page(f"{lines}\n", [], first["NextToken"], 3)
    third = page(f"{lines}\n", [], second["NextToken"], 3)
    data = [row["Data"][0].get("VarCharValue") for found in (first, second, third) for row in found["ResultSet"]["Rows"]]
    assert data == texts and "NextToken" not in third
