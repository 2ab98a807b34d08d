"""The function that verifies inside the account: whom it asks, and what it tells of a call that is not the last."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from conductor import verifier
from shared_metadata.errors import AtollError, Unfinished
from tests.conformance.fixtures import FakeContext


class Functions:
    """A client of Lambda: the functions that are there ▸ what they answer, an exception for one that fails."""

    class exceptions:
        class ResourceNotFoundException(Exception): ...

    def __init__(self, **answers: Any) -> None:
        self._answers = answers

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        answer = self._answers.get(FunctionName.rpartition("-iceberg-")[2])
        if answer is None:
            raise self.exceptions.ResourceNotFoundException
        failed = {"FunctionError": "Unhandled"} if isinstance(answer, Exception) else {}
        body = {"errorMessage": str(answer)} if failed else {**answer, "asked": json.loads(Payload)}
        return {"Payload": io.BytesIO(json.dumps(body).encode()), **failed}


def test_a_slice_is_asked_by_its_own_function() -> None:
    told = verifier.ask(Functions(landed={"landed": {}}), "organize.iceberg", {"flows": {}})
    assert told == {"landed": {}, "asked": {"flows": {}}}


@pytest.mark.parametrize(
    ("functions", "said"),
    [
        (Functions(), "there is no function atoll-organize-iceberg-landed"),
        (Functions(landed=ValueError("the catalog is away")), "atoll-organize-iceberg-landed failed: the catalog is away"),
    ],
)
def test_one_that_is_not_there_or_fails_is_told_and_ends_nothing(functions: Functions, said: str) -> None:
    with pytest.raises(AtollError, match=said):
        verifier.ask(functions, "organize.iceberg", {})


def test_what_the_step_found_is_the_answer_and_unfinished_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {"datasets": 5, "batches": 3, "versions": 3, "differences": 1, "at": "2026-11-28T12:00:00Z"}
    answers = iter([Unfinished("3 of 5 statements are verified"), figures])

    def step(event: Any, context: Any) -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(verifier, "_step", lambda: step)
    with pytest.raises(Unfinished, match="3 of 5"):
        verifier.verify({"input": {}, "owner": "x"}, FakeContext())
    assert verifier.verify({"input": {}, "owner": "x"}, FakeContext()) == figures
