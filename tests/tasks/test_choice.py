"""Where a table's steps run, by what the program says and by what its last batch took."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared_metadata.contract.tasks.choice import FUNCTION_SECONDS, NEAR, chosen
from shared_metadata.state.records import LastChange, TableState

HERE = datetime(2026, 11, 23, tzinfo=UTC)


def by(run: str, seconds: float | None = None, beyond: int = 0) -> dict[str, Any]:
    last = None if seconds is None else LastChange(seconds=seconds, beyond=beyond)
    return dict(chosen({"run": run}, TableState(HERE, last=last)).get("by", {}))


def test_a_function_is_no_choice() -> None:
    assert chosen({}, None) == chosen({"run": "function"}, TableState(HERE, last=LastChange(seconds=899))) == {}


def test_a_declared_task_is_one_from_the_first_batch_on() -> None:
    assert by("task") == {"run": "task", "why": "the program says run = 'task'"}


@pytest.mark.parametrize("seconds", [0.0, NEAR * FUNCTION_SECONDS - 1, NEAR * FUNCTION_SECONDS, 899.0, 20_000.0])
def test_auto_takes_a_task_where_the_last_batch_came_near_to_what_a_function_has(seconds: float) -> None:
    found = by("auto", seconds)
    assert found["run"] == ("task" if seconds >= NEAR * FUNCTION_SECONDS else "auto")
    assert found["why"] == f"its last batch took {seconds:,.0f} s, and a function has 900 s"


def test_auto_keeps_to_tasks_for_a_while_after_a_function_had_too_little_and_then_tries_one() -> None:
    first = by("auto", 5.0, beyond=2)
    assert first["run"] == "task" and "needed more than a function has; after 2 more" in first["why"]
    second = by("auto", 5.0, beyond=first["beyond"])
    assert second["run"] == "task" and second["beyond"] == 0
    assert by("auto", 5.0, beyond=second["beyond"])["run"] == "auto"


def test_auto_begins_in_a_function() -> None:
    assert by("auto") == {"run": "auto", "why": "it is its first batch"}
