"""`atoll retry`: what stopped, and having it tried again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import Result

from console import retry_wait
from console.init import PROGRAM
from shared_metadata.program import BadRows, Flow
from shared_metadata.program.intervals import to_text
from shared_metadata.state.records import TableCommit
from tests.console.test_status import ORDERS, STAGED, VIEW, activate, claim, commit, fail, program

Atoll = Callable[..., Result]


@pytest.fixture
def stopped(ready: Any) -> Any:
    activate(ready, program())
    for _ in range(5):
        fail(ready, ORDERS, STAGED, "SecretError: the password is refused")
    return ready


def test_without_arguments_it_lists_what_stopped_why_since_when_and_who_waits(atoll: Atoll, stopped: Any) -> None:
    shown = atoll("retry").stdout
    assert re.search(rf"^{STAGED} stopped since 20\S+Z at its batch \[.*\), after 5 failures$", shown, re.MULTILINE)
    assert "  SecretError: the password is refused\n" in shown
    assert f" help: remove the cause, then: atoll retry {STAGED}\n" in shown
    (found,) = json.loads(atoll("retry", "--json").stdout)
    assert (found["dataset"], found["flow"], found["failures"], found["execution"]) == (STAGED, ORDERS, 5, "test")
    assert {ORDERS, VIEW} <= set(found["waiting"])


def test_with_nothing_stopped_it_says_so(atoll: Atoll, ready: Any) -> None:
    activate(ready, program())
    assert atoll("retry").stdout == "Nothing has stopped.\n"
    assert json.loads(atoll("retry", "--json").stdout) == json.loads(atoll("retry", "--all", "--json").stdout) == []


@pytest.mark.parametrize("name", [STAGED, ORDERS, "--all"])
def test_a_dataset_its_flow_or_all_is_redriven_once(atoll: Atoll, stopped: Any, name: str) -> None:
    (found,) = json.loads(atoll("retry", name, "--no-wait", "--json").stdout)
    assert (found["dataset"], found["status"]) == (STAGED, "REDRIVEN")
    assert state(stopped).failures == 0
    again = atoll("retry", STAGED, "--no-wait")
    assert again.exit_code == 1 and f"{STAGED} has not stopped" in again.stderr and "atoll why" in again.stderr


def test_it_waits_until_the_batch_is_committed(atoll: Atoll, stopped: Any) -> None:
    def commits(ready: Any) -> None:
        writer, held = claim(ready, ORDERS, STAGED)
        writer.commit(held, [TableCommit(STAGED)])

    result = while_it_waits(atoll, stopped, commits)
    assert result.exit_code == 0 and f"{STAGED} is complete through" in result.stdout


def test_a_batch_that_fails_again_says_why(atoll: Atoll, stopped: Any) -> None:
    result = while_it_waits(atoll, stopped, lambda ready: fail(ready, ORDERS, STAGED, "SecretError: still refused"))
    assert result.exit_code == 1 and f"failed again: {STAGED}: SecretError: still refused" in result.stderr


def test_a_batch_whose_inputs_are_not_complete_is_not_waited_for_and_says_what_it_waits_for(atoll: Atoll, ready: Any) -> None:
    activate(ready, program())
    for _ in range(5):
        fail(ready, VIEW, VIEW, "it broke")
    result = atoll("retry", VIEW)
    assert result.exit_code == 1 and f"{VIEW} is tried again" in result.stdout
    assert f"redriven, and not made yet: {VIEW} waits for {ORDERS}, which waits for {STAGED}, which has its batch" in result.stderr
    assert "atoll why" in result.stderr


def test_a_batch_that_nobody_starts_is_waited_for_no_longer_than_the_conductor_may_take(
    atoll: Atoll, stopped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry_wait, "START_SECONDS", 0.0)
    result = atoll("retry", STAGED, "--json")
    (found,) = json.loads(result.stdout)
    assert result.exit_code == 1 and found["status"] == "WAITING"
    assert found["error"] == f"{STAGED} has its batch due, and the conductor has not started it: `atoll logs conductor`"


def test_a_batch_for_which_its_warehouse_has_no_place_says_so(atoll: Atoll, ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made, other = program(), "lake.ops.beside"
    alone = replace(made.flows[VIEW], tables=(replace(made.flows[VIEW].tables[0], inputs=()),))
    beside = replace(alone, id=other, tables=(replace(alone.tables[0], dataset=other),))
    warehouses = {name: replace(one, at_once=1) for name, one in made.warehouses.items()}
    activate(ready, replace(made, flows={**made.flows, VIEW: alone, other: beside}, warehouses=warehouses))
    for _ in range(5):
        fail(ready, VIEW, VIEW, "it broke")
    claim(ready, other, other, lease_seconds=900)
    monkeypatch.setattr(retry_wait, "START_SECONDS", 0.0)
    result = atoll("retry", VIEW)
    assert result.exit_code == 1 and f"waits for a place: in lake no more tables are at work at once than {other}" in result.stderr


def test_a_name_that_is_none_is_an_error_with_what_may_have_been_meant(atoll: Atoll, stopped: Any) -> None:
    result = atoll("retry", "lake.ops.order:staged")
    assert result.exit_code == 1 and f"did you mean `{STAGED}`?" in result.stderr


def state(ready: Any) -> Any:
    return ready.writer().reader.flow_states([ORDERS])[ORDERS].tables[STAGED]


def while_it_waits(atoll: Atoll, ready: Any, what: Callable[[Any], None]) -> Result:
    """Does something as soon as the batch is redriven."""

    def run() -> None:
        while state(ready).stopped:
            pass
        what(ready)

    other = Thread(target=run)
    other.start()
    result = atoll("retry", STAGED)
    other.join()
    return result


PEOPLE = "lake.ops.people"
BESIDE = f"INSERT INTO {PEOPLE} EVERY '15 minutes' REPLACE AS SELECT id, customer FROM ops.public.customers;"


@pytest.fixture
def failing(ready: Any, folder: Path) -> str:
    """The moment from which on a batch fails, in a program two hours old of which another flow runs; a mended one is in the file."""
    (folder / "program.sql").write_text(PROGRAM + BESIDE)
    activate(ready, program(), timedelta(hours=2))
    commit(ready, ORDERS, STAGED)
    commit(ready, PEOPLE, f"{PEOPLE}:staged")
    fail(ready, ORDERS, STAGED, "RowError: a row is too long")
    mended = PROGRAM.replace("CURSOR updated_at\nAS", "CURSOR updated_at\n  TOLERATE 5 BAD ROWS\nAS")
    (folder / "program.sql").write_text(mended + BESIDE)
    return to_text(state(ready).watermark)


def tolerated(ready: Any) -> BadRows | None:
    """The tolerance of the program that makes the next batch."""
    programs = ready.writer().reader.programs()
    made_by = programs.progress(ORDERS, STAGED, state(ready)).program.flows[ORDERS]
    assert isinstance(made_by, Flow)
    return made_by.bad_rows


def test_what_fails_is_taken_over_by_a_mended_program_at_once(atoll: Atoll, ready: Any, failing: str) -> None:
    assert tolerated(ready) is None
    assert "in effect" in atoll("apply").stdout
    assert tolerated(ready) == BadRows(5)


def test_what_fails_beside_a_change_of_what_runs_says_how_it_is_taken_over(
    atoll: Atoll, ready: Any, failing: str, folder: Path
) -> None:
    text = (folder / "program.sql").read_text()
    (folder / "program.sql").write_text(text.replace("SELECT id, customer FROM", "SELECT id FROM"))
    stays = f"{ORDERS} fails or has stopped; its batches before the boundary stay with the former program."
    planned = atoll("plan").stdout
    assert stays in planned and f"To make them by this one: atoll apply --restate-from {failing}" in planned
    assert ORDERS in json.loads(atoll("plan", "--json").stdout)["still"]
    shown = atoll("apply").stdout
    assert stays in shown and f"atoll cancel, then atoll apply --restate-from {failing}" in shown
    assert f"atoll cancel, then atoll apply --restate-from {failing}" in atoll("why", STAGED).stdout
    assert tolerated(ready) is None
    for _ in range(4):
        fail(ready, ORDERS, STAGED, "RowError: a row is too long")
    why = atoll("why", STAGED).stdout
    assert "which a former program makes" in why
    assert f"have the present program make it: atoll cancel, then atoll apply --restate-from {failing}" in why
    assert atoll("cancel").exit_code == 0
    assert atoll("apply", "--restate-from", failing).exit_code == 0
    assert tolerated(ready) == BadRows(5)
