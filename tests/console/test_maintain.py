"""`atoll maintain`: asks the warehouse's slice until nothing is left, and says what was done."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest

from language import compile_program
from slices.registry import installed
from tests.console.conftest import Atoll

PROGRAM = """
CREATE WAREHOUSE lake USING iceberg; CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops FROM ops TABLES (flights, planes) EVERY '15 minutes' MERGE ON (id);
"""
FLIGHTS = "lake.ops.flights"


class Function:
    """The session of an account with the slice's function, which gives one answer after the other."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers, self.asked = list(answers), list[Any]()

    def client(self, service: str, **_: Any) -> Any:
        assert service == "lambda"
        return self

    class exceptions:
        class ResourceNotFoundException(Exception): ...

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        assert FunctionName == "atoll-organize-iceberg-maintain"
        if not self.answers:
            raise self.exceptions.ResourceNotFoundException
        self.asked.append(json.loads(Payload))
        answer = self.answers.pop(0)
        failed = {"FunctionError": "Unhandled"} if "errorType" in answer else {}
        return {"Payload": io.BytesIO(json.dumps(answer).encode()), **failed}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Any:
    program = compile_program({"p.sql": PROGRAM}, installed())

    def make(*answers: dict[str, Any]) -> Function:
        function = Function(*answers)
        target = SimpleNamespace(reader=SimpleNamespace(active_program=lambda: program), session=function)
        monkeypatch.setattr("console.maintain.open_target", lambda _: target)
        return function

    return make


def done(finished: bool = True, **counts: int) -> dict[str, Any]:
    return {"dataset": FLIGHTS, "finished": finished, **counts}


def test_it_says_what_was_done(atoll: Atoll, account: Any) -> None:
    table = done(compacted_files=20, new_files=1, expired_versions=1, deleted_files=3, deleted_staged=4)
    function = account({"tables": [table], "left": []})
    assert atoll("maintain").stdout == f"{FLIGHTS}: 20 files became 1, 1 version forgotten, 7 objects deleted\n"
    assert function.asked == [{}]


def test_what_a_call_leaves_over_is_asked_for_again_and_counted_together(atoll: Atoll, account: Any) -> None:
    half = {"tables": [done(False, compacted_files=8, new_files=1)], "left": [FLIGHTS]}
    function = account(half, {"tables": [done(compacted_files=9, new_files=1)], "left": []})
    answer = json.loads(atoll("maintain", FLIGHTS, "--json").stdout)
    assert answer == {"tables": [done(compacted_files=17, new_files=2)]}
    assert function.asked == [{"dataset": FLIGHTS}] * 2


def test_nothing_due_is_said(atoll: Atoll, account: Any) -> None:
    account({"tables": [], "left": []})
    assert atoll("maintain").stdout == "Nothing is due.\n"


def test_a_dataset_that_no_slice_maintains_is_refused_before_anything_is_called(atoll: Atoll, account: Any) -> None:
    account()
    result = atoll("maintain", "lake.ops.flights:staged")
    assert result.exit_code == 1 and "lake.ops.flights, lake.ops.planes" in result.stderr


def test_an_error_of_the_function_and_a_missing_function_are_told(atoll: Atoll, account: Any) -> None:
    account({"errorType": "AtollError", "errorMessage": "maintenance failed of 1 tables: x Remedy: mend it"})
    failed = atoll("maintain")
    missing = atoll("maintain")
    assert failed.exit_code == 1 and "maintenance failed of 1 tables" in failed.stderr and "mend it" in failed.stderr
    assert missing.exit_code == 1 and "atoll deploy OrganizeIcebergSlice" in missing.stderr
