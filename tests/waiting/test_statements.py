"""A statement that runs elsewhere: submitted once under its token, whatever dies; waited for, cancelled, tried again, counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from shared_metadata.contract.waiting.statements import LOOKS_SECONDS, MOST_TRIES, Statements, submitted_otherwise
from shared_metadata.contract.waiting.turn import NotYet, Turn
from shared_metadata.errors import DefinitionError
from tests.waiting.remote import Lost, Remote

TURN = Turn("load", "a claim's step")


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "remote.sqlite")


def text(purpose: str = "copy", value: Any = 7) -> str:
    return json.dumps({"purpose": purpose, "value": value})


def statements(remote: Remote, turn: Turn = TURN, **how: Any) -> Statements:
    return Statements(remote, turn, "program.sql:3:1: lake.ops.t", **{"patience_seconds": 0, **how})


def resumed(not_yet: NotYet) -> Turn:
    """As the state machine brings it back."""
    return Turn(TURN.step, TURN.key, json.loads(json.dumps(not_yet.resume)))


def until_done(remote: Remote, purpose: str = "copy") -> tuple[Statements, int]:
    """How a row of calls ends, and how often it has paused."""
    turn, paused = TURN, 0
    while True:
        call = statements(remote, turn)
        try:
            call.run(purpose, text(purpose))
            return call, paused
        except NotYet as not_yet:
            turn, paused = resumed(not_yet), paused + 1
            assert paused < 100


def test_it_is_submitted_once_looked_at_and_told_of_with_its_figures(remote: Remote) -> None:
    call, paused = until_done(remote)
    assert (paused, remote.purposes()) == (2, ["copy"])
    (ran,) = [ran.to_plain() for ran in call.ran]
    assert ran == {
        "id": "s-1", "purpose": "copy", "queue_seconds": 1.5, "run_seconds": 2.5, "bytes_scanned": 1000, "rows": 3,
        "used": {"lambda_invocation": 1.0},
    }  # fmt: skip


def test_a_call_that_dies_after_it_submitted_has_submitted_for_its_successor(remote: Remote) -> None:
    remote.shall("die", "raise")
    with pytest.raises(Lost):
        statements(remote).run("copy", text())
    until_done(remote)
    assert remote.purposes() == ["copy"]


def test_a_call_whose_answer_is_lost_is_made_again_with_the_former_token(remote: Remote) -> None:
    for _ in range(2):
        with pytest.raises(NotYet):
            statements(remote).run("copy", text())
    assert remote.purposes() == ["copy"]


def test_a_step_runs_several_statements_each_once(remote: Remote) -> None:
    turn, paused = TURN, 0
    for _ in range(20):
        call = statements(remote, turn)
        try:
            found = [call.run(name, text(name, name)).result["value"] for name in ("one", "two", "three")]
            break
        except NotYet as not_yet:
            turn, paused = resumed(not_yet), paused + 1
    assert found == remote.purposes() == [ran.purpose for ran in call.ran] == ["one", "two", "three"] and paused == 6


def test_another_claim_a_step_a_part_and_a_purpose_have_other_tokens() -> None:
    tokens = [Turn("load", key).token(purpose) for key in ("a", "b") for purpose in ("copy 0", "copy 1", "insert 0")]
    assert len({*tokens}) == 6 and all(str(UUID(token)) == token for token in tokens)
    assert Turn("load", "a").token("copy 0") == tokens[0]


def test_one_that_fails_is_an_error_that_names_it_its_reason_and_its_place_and_is_not_run_again(remote: Remote) -> None:
    remote.shall("fail", "column id is no number")
    with pytest.raises(DefinitionError, match=r"program.sql:3:1: lake.ops.t: remote statement s-1 failed: column id is no number"):
        until_done(remote)
    assert remote.purposes() == ["copy"]


def test_one_that_an_administrator_cancels_is_an_error_that_says_so(remote: Remote) -> None:
    with pytest.raises(NotYet):
        statements(remote).run("copy", text())
    assert remote.cancel_all("the month's quota is used up") == 1
    with pytest.raises(DefinitionError, match="s-1 was cancelled by somebody else: the month's quota is used up"):
        statements(remote).run("copy", text())


def test_one_that_the_service_has_lost_is_submitted_again_under_another_token(remote: Remote) -> None:
    remote.shall("transient", "a node was replaced")
    call, _ = until_done(remote)
    first, second = remote.statements()
    assert (first["status"], second["status"], call.ran[0].id) == ("failed", "done", "s-2") and first["token"] != second["token"]


def test_what_the_service_loses_again_and_again_is_an_error(remote: Remote) -> None:
    remote.shall("fail", "a node was replaced")
    remote.shall("transient", "a node was replaced")
    with pytest.raises(DefinitionError, match="a node was replaced"):
        until_done(remote)
    assert len(remote.statements()) == MOST_TRIES


def test_a_call_looks_again_within_its_patience_before_it_says_not_yet(remote: Remote) -> None:
    """A pause of the state machine costs more than the seconds that a short statement takes."""
    slept: list[float] = []
    ran = statements(remote, patience_seconds=60, asleep=slept.append).run("copy", text())
    assert ran.id == "s-1" and slept == list(LOOKS_SECONDS[:2])


def test_what_takes_too_long_is_cancelled_by_whoever_has_the_limit(remote: Remote) -> None:
    with pytest.raises(NotYet) as caught:
        statements(remote, limit_seconds=60).run("copy", text())
    assert (caught.value.what, caught.value.limit_seconds) == ("remote statement s-1", 60)
    caught.value.cancel()
    assert remote.purposes("cancelled") == ["copy"]


def test_one_of_other_statements_than_this_version_s_is_read_by_no_place_of_theirs(remote: Remote) -> None:
    with pytest.raises(NotYet) as caught:
        statements(remote).run("copy", text(), parts=2)
    with pytest.raises(DefinitionError, match="remote statement s-1 was submitted by another version of the function"):
        statements(remote, resumed(caught.value)).run("copy", text(), parts=3)
    assert remote.purposes() == ["copy"]


def test_one_of_a_version_that_counted_no_statements_is_taken_up(remote: Remote) -> None:
    with pytest.raises(NotYet):
        statements(remote).run("copy", text())
    former = Turn(TURN.step, TURN.key, {"copy": {"id": "s-1", "tried": 1}})
    with pytest.raises(NotYet):
        statements(remote, former).run("copy", text(), parts=3)
    assert statements(remote, former).run("copy", text(), parts=3).id == "s-1"


@pytest.mark.parametrize("said", ["Idempotent parameters do not match", "IdempotentParameterMismatch: …", "not idempotent"])
def test_a_token_that_a_service_knows_of_another_text_is_told_from_its_other_refusals(said: str) -> None:
    assert "nothing: the batch is tried again" in str(submitted_otherwise("remote statement", said, "here"))
    assert submitted_otherwise("remote statement", "no such workgroup", "here") is None
