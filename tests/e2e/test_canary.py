"""No secret is written anywhere but in Secrets Manager, and no row anywhere but in staged files, the lake and the target."""

from __future__ import annotations

import os
import signal
import time

import pytest

from infra.embedded import status
from infra.embedded.state import wait_until
from tests.command import called
from tests.e2e.canaries import RIGHTFUL, ROWS, SECRETS, VAULT, Planted, Search

pytestmark = [pytest.mark.xdist_group("airline"), pytest.mark.timeout(900), pytest.mark.budget(120), pytest.mark.security]
ENOUGH = 50  # of each kind of place, for the search to be worth something
COMMANDS = (
    ("status",),
    ("status", "--json"),
    ("status", "lake.ops.airports"),
    ("status", "ops.published.airport_delays", "--json"),
    ("why", "ops.published.airport_delays"),
    ("logs", "--minutes", "60"),
    ("logs", "--errors", "--json", "--minutes", "60"),
    ("drift",),
)


def test_secrets_stay_in_secrets_manager_and_rows_in_staging_and_the_lake(airline: Planted) -> None:
    *ended, tried_again = airline.fail()
    assert ended == ["FAILED"] * 3 and tried_again.endswith("Failed")
    wait_until(lambda: airline.executions() > ENOUGH, 300, "the clock starts nothing")
    save(airline)
    search = Search(airline)
    found = search.places()
    assert {kind: found[kind] - {VAULT} for kind in SECRETS} == {kind: set() for kind in SECRETS}
    assert {kind: found[kind] - set(RIGHTFUL) for kind in ROWS} == {kind: set() for kind in ROWS}
    assert found["Password"] and all(found[kind] for kind in ROWS), "the search does not find what is there"
    assert min(search.looked_at[kind] for kind in ("items", "executions", "files")) > ENOUGH, search.looked_at
    assert min(search.looked_at[kind] for kind in ("logs", "functions", "parameters", "messages")) > 0, search.looked_at


def test_no_command_shows_a_secret_or_a_row(airline: Planted) -> None:
    for command in COMMANDS:
        result = called(airline.demo.stack, *command)
        assert result.exit_code == 0, result.output
        assert not airline.canaries.within(result.output.encode()), command


def save(airline: Planted) -> None:
    """Has the emulator write its state to disk, which is searched."""
    asked, saved = time.time(), airline.demo.stack.folders.aws / "state" / "stepfunctions.json"
    os.kill(status(airline.demo.stack.folders.root).gateway_pid or 0, signal.SIGUSR1)
    wait_until(lambda: saved.exists() and saved.stat().st_mtime > asked, 300, "the embedded AWS saves nothing")
