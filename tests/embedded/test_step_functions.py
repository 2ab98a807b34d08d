"""The limits of Step Functions that the embedded AWS keeps, at the emulator's own functions."""

from __future__ import annotations

from typing import Any

import pytest
from ministack.services import stepfunctions

from infra.embedded import step_functions


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_invoke_resource", "_add_event", "_error_matches"):
        monkeypatch.setattr(stepfunctions, name, getattr(stepfunctions, name))
    step_functions.keep_limits()


def test_the_25000th_event_is_the_failure() -> None:
    execution: dict[str, Any] = {"events": []}
    for _ in range(step_functions.MOST_EVENTS - 1):
        stepfunctions._add_event(execution, "PassStateEntered")
    with pytest.raises(stepfunctions._ExecutionError) as caught:
        stepfunctions._add_event(execution, "PassStateEntered")
    assert caught.value.error == "States.Runtime" and "history events (25000)" in caught.value.cause
    stepfunctions._add_event(execution, "ExecutionFailed")
    assert len(execution["events"]) == step_functions.MOST_EVENTS


@pytest.mark.parametrize("error", [step_functions.TOO_LARGE, step_functions.TOO_LONG])
def test_nothing_catches_what_passes_a_limit(error: str) -> None:
    assert not stepfunctions._find_matching_catcher([{"ErrorEquals": ["States.ALL"]}], error)
    assert stepfunctions._find_matching_catcher([{"ErrorEquals": ["States.ALL"]}], "DefinitionError")


def test_what_a_state_is_given_has_a_limit_too() -> None:
    with pytest.raises(stepfunctions._ExecutionError) as caught:
        stepfunctions._invoke_resource("arn:aws:states:::lambda:invoke", {"FunctionName": "f", "Payload": "x" * 262_144})
    assert caught.value.error == step_functions.TOO_LARGE
