"""`atoll apply` at a boundary, `atoll plan --pending`, `atoll cancel` and `atoll rollback`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import Result

from console.init import PROGRAM
from console.project import compile_files
from shared_metadata import naming
from shared_metadata.program.intervals import Interval, floor, from_text, to_text
from shared_metadata.state.records import TableCommit
from shared_metadata.state.schedule import due_batches

Atoll = Callable[..., Result]
CUSTOMERS = "lake.ops.customers"
QUARTER = timedelta(minutes=15)


@pytest.fixture
def running(atoll: Atoll, ready: Any, folder: Path) -> Any:
    """The first program applied, each of its flows with a batch that was begun; another one in the file."""
    assert atoll("apply").exit_code == 0
    writer = ready.writer()
    for flow, state in writer.reader.flow_states(list(writer.reader.active_program().flows)).items():
        start = next(iter(state.tables.values())).watermark
        writer.claim(flow, Interval(start, start + QUARTER), list(state.tables), program_version="v", owner="x", lease_seconds=60)
    (folder / "program.sql").write_text(PROGRAM.replace("sum(amount)", "max(amount)"))
    return ready


def test_the_first_program_is_in_effect_at_once(atoll: Atoll, ready: Any) -> None:
    assert "in effect" in atoll("apply").stdout
    assert ready.writer().reader.active_version()


def test_a_change_of_what_runs_is_pending_until_the_next_boundary(atoll: Atoll, running: Any) -> None:
    reader = running.writer().reader
    former = reader.active_version()
    said = json.loads(atoll("apply", "--json").stdout)
    boundary = floor(datetime.now(UTC), 900) + QUARTER
    pending = reader.timeline().pending(datetime.now(UTC))
    assert pending and (pending.version, pending.boundary) == (said["version"], boundary)
    assert reader.active_version() == former
    assert f"takes effect at {to_text(boundary)}" in atoll("status").stdout
    shown = atoll("plan", "--pending")
    assert CUSTOMERS in shown.stdout and f"takes effect at {to_text(boundary)}" in shown.stdout and "atoll cancel" in shown.stdout
    assert json.loads(atoll("plan", "--pending", "--json").stdout)["pending"]["boundary"] == to_text(boundary)


def test_only_one_update_set_is_pending_at_a_time(atoll: Atoll, running: Any, folder: Path) -> None:
    atoll("apply")
    assert "takes effect at" in atoll("apply").stdout  # the same one
    (folder / "program.sql").write_text(PROGRAM.replace("sum(amount)", "min(amount)"))
    refused = atoll("apply")
    assert refused.exit_code == 1 and "is pending until" in refused.stderr and "atoll cancel" in refused.stderr
    assert atoll("rollback").exit_code == 1


def test_what_is_cancelled_does_not_take_effect(atoll: Atoll, running: Any) -> None:
    reader = running.writer().reader
    before = reader.timeline().entries
    atoll("apply")
    assert "will not take effect" in atoll("cancel").stdout
    assert reader.timeline().entries == before
    refused = atoll("cancel")
    assert refused.exit_code == 1 and "no update set is pending" in refused.stderr
    assert atoll("plan", "--pending").stdout == "No update set is pending.\n"


def test_a_boundary_of_ones_own_is_one_of_those_that_can_be(atoll: Atoll, running: Any) -> None:
    wanted = floor(datetime.now(UTC), 900) + 4 * QUARTER
    refused = atoll("apply", "--at", to_text(wanted + timedelta(minutes=1)))
    assert refused.exit_code == 1 and f"the next are {to_text(wanted)}, {to_text(wanted + QUARTER)}" in refused.stderr
    assert "lies in the past" in atoll("apply", "--at", "2020-01-01").stderr
    assert "is no moment" in atoll("apply", "--at", "tomorrow").stderr
    assert atoll("apply", "--at", to_text(wanted)).exit_code == 0
    assert running.writer().reader.timeline().entries[-1].boundary == wanted


def test_history_is_made_again_from_a_moment_on(atoll: Atoll, running: Any) -> None:
    refused = atoll("apply", "--restate-from", "2020-01-01T00:01")
    assert refused.exit_code == 1 and "2020-01-01T00:00:00Z or 2020-01-01T00:15:00Z" in refused.stderr
    assert atoll("apply", "--restate-from", "2020-01-01").exit_code == 0  # that is, from where each flow itself begins
    entry = running.writer().reader.timeline().entries[-1]
    assert (entry.boundary, entry.restates) == (from_text("2020-01-01"), True)


def test_history_is_made_again_no_further_back_than_versions_are_kept(atoll: Atoll, ready: Any, folder: Path) -> None:
    kept = PROGRAM.replace("USING iceberg", "USING iceberg WITH (keep = '1 hour')")
    (folder / "program.sql").write_text(kept)
    now = floor(datetime.now(UTC), 900)
    made_since(ready, now - 9 * QUARTER, now)
    (folder / "program.sql").write_text(kept.replace("sum(amount)", "max(amount)"))
    since = next(now - n * QUARTER for n in (6, 7) if (now - (n - 1) * QUARTER).minute)  # full hours are kept for a day
    for command in ("plan", "apply"):
        refused = atoll(command, "--restate-from", to_text(since))
        assert refused.exit_code == 1 and "lake.ops.customers cannot be made again from" in refused.stderr
        assert f"the version of lake.ops.orders as of {to_text(since + QUARTER)}" in refused.stderr
        assert f"choose {to_text(now - 3 * QUARTER)} or later" in refused.stderr
    assert atoll("apply", "--restate-from", to_text(now - 3 * QUARTER)).exit_code == 0


def made_since(account: Any, start: datetime, end: datetime) -> None:
    """The program of the files, active since then, with a batch made of each of its intervals."""
    compilation = compile_files([])
    account.writer().put_program(compilation)
    account.writer(start + QUARTER).activate(compilation, former_version="")
    writer = account.writer()
    for moment in (start + n * QUARTER for n in range(1, (end - start) // QUARTER + 1)):
        while batches := due_batches(compilation, writer.reader.flow_states(list(compilation.flows)), moment):
            for batch in batches:
                claim = writer.claim(batch.flow, batch.interval, batch.datasets, program_version="v", owner="me", lease_seconds=60)
                writer.commit(claim, [TableCommit(dataset, 1, pointer={"manifest": "m"}) for dataset in batch.datasets])


def test_a_rollback_brings_the_former_program_back_at_the_next_boundary(atoll: Atoll, running: Any) -> None:
    reader = running.writer().reader
    first = reader.active_version()
    missing = atoll("rollback")
    assert missing.exit_code == 1 and "there is no former program" in missing.stderr
    atoll("apply", "--restate-from", to_text(floor(datetime.now(UTC), 900) - QUARTER))
    assert reader.active_version() != first
    result = atoll("rollback")
    assert result.exit_code == 0 and "takes effect at" in result.stdout
    pending = reader.timeline().pending(datetime.now(UTC))
    assert pending and pending.version == first


def test_without_a_conductor_nothing_is_applied(atoll: Atoll, ready: Any) -> None:
    boto3.client("ssm").delete_parameter(Name=naming.CONDUCTOR_PARAMETER)
    result = atoll("apply")
    assert result.exit_code == 1 and "atoll deploy Conductor" in result.stderr
    assert ready.writer().reader.active_version() == ""
