"""`atoll drift` and `atoll why`: what changed at the sources, and what a dataset waits for, whatever the cause."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from console.causes import Cause, why_of
from console.init import PROGRAM
from shared_metadata.errors import AtollError, InputError, SecretError
from shared_metadata.program import Program, Table
from shared_metadata.program.intervals import floor, next_interval, to_text
from shared_metadata.state.effect import Effect
from shared_metadata.state.entries import BEGINNING, Entry
from shared_metadata.state.records import FlowState, Quiesce, TableCommit, TableState
from shared_metadata.state.timeline import Programs
from tests.console.test_status import ORDERS, QUARTER, STAGED, VIEW, activate, claim, commit, fail, program
from tests.metadata.drift_behaviour import activate as activate_known
from tests.metadata.drift_behaviour import gone, settle, things

Atoll = Callable[..., Result]
TOTALS = "ops.public.customer_totals"


@pytest.fixture
def drifting(account: Any) -> Any:
    """An account in which a used column, and one that nobody uses, are gone."""
    writer = account.writer()
    known = activate_known(writer, things())
    settle(writer, known, gone("name", "spare", known=known))
    return writer, known


class TestDrift:
    def test_open_drift_is_listed_with_what_it_holds_and_the_remedy(self, atoll: Atoll, drifting: Any) -> None:
        shown = atoll("drift").stdout
        assert "   1  quiesces " in shown and "the column name of out.things, string, is gone" in shown
        assert "2 datasets quiesced" in shown and "help: bring the column back" in shown
        assert "   2  open " in shown and "spare" in shown

    def test_resolved_drift_is_listed_only_when_asked_for(self, atoll: Atoll, drifting: Any) -> None:
        writer, known = drifting
        settle(writer, known, [])
        look = "`atoll discover --check` looks now.\n"
        unseen = "; no batch has looked at what lake.raw.things:staged is made of yet"
        assert atoll("drift").stdout == f"The sources are as the program expects them{unseen}; {look}"
        flow = writer.reader.active_program().producers["lake.raw.things:staged"]
        begins = writer.reader.flow_states([flow.id])[flow.id].tables["lake.raw.things:staged"].watermark
        batch = next_interval(begins, flow.interval_seconds)
        commit_batch(writer, flow.id, batch, "lake.raw.things:staged")
        assert atoll("drift").stdout == f"The sources are as the program expects them, as of {to_text(batch.end)}; {look}"
        assert atoll("drift", "--all").stdout.count("resolved") == 2

    def test_json_has_every_field(self, atoll: Atoll, drifting: Any) -> None:
        first, second = json.loads(atoll("drift", "--json").stdout)
        assert (first["number"], first["state"], first["flows"]) == (1, "quiesces", ["lake.a.reader", "lake.a.v000"])
        assert first["change"]["used_by"][0]["position"] == {"file": "program.sql", "line": 2, "column": 1}
        assert (second["state"], second["resolved_at"]) == ("open", "")

    def test_one_drift_is_explained_in_full(self, atoll: Atoll, drifting: Any) -> None:
        shown = atoll("drift", "show", "1").stdout
        assert "program.sql:2:1: lake.a.v000 reads lake.raw.things.name" in shown
        assert "What to do: bring the column back" in shown

    def test_a_number_that_is_none_is_an_error_with_its_remedy(self, atoll: Atoll, drifting: Any) -> None:
        result = atoll("drift", "show", "9")
        assert result.exit_code == 1 and "there is no drift 9" in result.stderr and "atoll drift --all" in result.stderr

    def test_status_says_quiesced_and_by_what(self, atoll: Atoll, drifting: Any) -> None:
        found = {row["dataset"]: row for row in json.loads(atoll("status", "--json").stdout)}
        assert (found["lake.a.reader"]["state"], found["lake.a.reader"]["drifts"]) == ("quiesced", [1])
        assert found["lake.a.other"]["state"] == "new"
        assert "help: atoll drift show 1" in atoll("status").stdout


def test_before_a_program_is_applied_drift_says_that_nobody_looks(atoll: Atoll, account: Any) -> None:
    assert atoll("drift").stdout == "No program is active, so no batch looks at the sources; `atoll discover --check` looks now.\n"


def commit_batch(writer: Any, flow: str, batch: Any, dataset: str) -> None:
    version = writer.reader.active_version()
    held = writer.claim(flow, batch, [dataset], program_version=version, owner="test", lease_seconds=60)
    writer.commit(held, [TableCommit(dataset)])


class TestWhy:
    """Each cause, as the command says it."""

    def why(self, atoll: Atoll, dataset: str) -> dict[str, Any]:
        return json.loads(atoll("why", dataset, "--json").stdout)  # type: ignore[no-any-return]

    def test_time(self, atoll: Atoll, ready: Any) -> None:
        activate(ready, program())
        for flow, dataset in ((ORDERS, STAGED), (f"{ORDERS}:load", ORDERS), (VIEW, VIEW)):
            commit(ready, flow, dataset)
        found = self.why(atoll, VIEW)
        end = to_text(floor(datetime.now(UTC), QUARTER) + timedelta(seconds=QUARTER))
        assert (found["cause"], found["path"]) == ("time", [VIEW])
        assert found["sentence"].endswith(f"its next batch ends at {end}.")

    def test_an_input_that_is_due_is_followed_up(self, atoll: Atoll, ready: Any) -> None:
        activate(ready, program())
        found = self.why(atoll, TOTALS)
        assert (found["cause"], found["path"]) == ("due", [TOTALS, f"{TOTALS}:result", VIEW, ORDERS, STAGED])
        assert f"{TOTALS} waits for {TOTALS}:result, which waits for {VIEW}, which waits for" in found["sentence"]

    def test_a_batch_that_runs(self, atoll: Atoll, ready: Any) -> None:
        activate(ready, program())
        claim(ready, ORDERS, STAGED)
        found = self.why(atoll, VIEW)
        assert (found["cause"], found["path"][-1]) == ("running", STAGED)

    def test_a_retry(self, atoll: Atoll, ready: Any) -> None:
        activate(ready, program())
        fail(ready, ORDERS, STAGED, "RetryLater: the database is down")
        found = self.why(atoll, VIEW)
        assert found["cause"] == "retry" and "the database is down" in found["sentence"] and "is tried again at" in found["sentence"]

    def test_a_retry_whose_moment_has_come(self, atoll: Atoll, ready: Any) -> None:
        activate(ready, program())
        _, claimed = claim(ready, ORDERS, STAGED)
        ready.writer(datetime.now(UTC) - timedelta(hours=1)).fail(claimed, STAGED, "RetryLater: the database is down")
        found = self.why(atoll, VIEW)
        assert found["cause"] == "retry"
        assert found["sentence"].endswith("and is tried again within a minute: RetryLater: the database is down.")

    def test_a_batch_that_failed_too_often(self, atoll: Atoll, ready: Any) -> None:
        activate(ready, program())
        for _ in range(5):
            fail(ready, ORDERS, STAGED, "SecretError: the password is refused")
        found = self.why(atoll, VIEW)
        assert (found["cause"], found["remedy"]) == ("stopped", f"remove the cause, then: atoll retry {ORDERS}:staged")

    def test_a_drift(self, atoll: Atoll, drifting: Any) -> None:
        shown = atoll("why", "lake.a.reader").stdout
        assert shown.startswith("lake.a.reader is quiesced by drift 1 since ")
        assert "the column name of out.things, string, is gone" in shown and "help: atoll drift show 1" in shown

    def test_a_dataset_that_was_never_applied(self, atoll: Atoll, ready: Any) -> None:
        found = self.why(atoll, VIEW)
        assert (found["cause"], found["remedy"]) == ("never_applied", "atoll plan, then atoll apply")

    def test_a_dataset_of_the_pending_update_set(self, atoll: Atoll, drifting: Any) -> None:
        writer, (active, _) = drifting
        more, boundary = things(views=2)[0], floor(datetime.now(UTC), 3600) + timedelta(hours=2)
        writer.put_program(more)
        writer.schedule(more, Effect(boundary), expected=writer.reader.timeline())
        found = self.why(atoll, "lake.a.v001")
        assert found["cause"] == "pending" and to_text(boundary) in found["sentence"]
        assert "lake.a.v001" not in active.producers

    def test_a_name_that_is_nearly_one(self, atoll: Atoll, drifting: Any) -> None:
        result = atoll("why", "lake.a.readr")
        assert result.exit_code == 1 and "did you mean `lake.a.reader`?" in result.stderr

    def test_a_collect_by_its_statements_name(self, atoll: Atoll, ready: Any) -> None:
        activate(ready, program())
        assert self.why(atoll, ORDERS)["path"] == [ORDERS, STAGED]


@pytest.mark.parametrize(("failures", "cause"), [(1, Cause.RETRY), (5, Cause.STOPPED)])
@pytest.mark.parametrize(
    "error", [SecretError("the password is refused", remedy="store another"), InputError("no such flow", remedy="x y")]
)
def test_the_remedy_of_an_error_is_the_help(error: AtollError, failures: int, cause: Cause) -> None:
    wanted = things(views=1)[0]
    now, behind = datetime(2026, 11, 23, 12, 30, tzinfo=UTC), datetime(2026, 11, 23, 10, tzinfo=UTC)
    table = TableState(behind, attempts=failures, retry_at=now + timedelta(hours=1), error=str(error))
    states = {f.id: FlowState(f.id, {t.dataset: table for t in f.tables}) for f in wanted.flows.values()}
    found = why_of("lake.a.v000", wanted, states, lambda wanted: {}, now)
    assert found.cause == cause and found.what.endswith(error.what) and "Remedy" not in found.what
    assert found.remedy.startswith(f"{error.remedy}; ") and "unless the error says so" not in found.remedy


def test_of_several_inputs_the_one_with_the_worst_cause_is_followed() -> None:
    wanted = things(views=2)[0]
    flows = {**wanted.flows, "lake.a.reader": replace(wanted.flows["lake.a.reader"])}
    table = replace(flows["lake.a.reader"].tables[0], inputs=("lake.a.v000", "lake.a.v001"))
    flows["lake.a.reader"] = replace(flows["lake.a.reader"], tables=(table,))
    both = Program(wanted.connections, wanted.warehouses, flows)
    now, behind = datetime(2026, 11, 23, 12, 30, tzinfo=UTC), datetime(2026, 11, 23, 10, tzinfo=UTC)
    states = {f.id: FlowState(f.id, {t.dataset: TableState(behind) for t in f.tables}) for f in flows.values()}
    states["lake.a.v001"] = FlowState("lake.a.v001", {"lake.a.v001": TableState(behind, quiesced=(Quiesce(4, behind, "v"),))})
    found = why_of("lake.a.reader", both, states, lambda wanted: {}, now)
    assert (found.cause, found.drift, found.path) == (Cause.QUIESCED, 4, ("lake.a.reader", "lake.a.v001"))


def test_an_input_that_the_program_has_no_more_is_followed_while_a_reader_needs_it() -> None:
    """As when a view that fails is given another name: its reader's older batch still waits for it, by the program of that time."""
    wanted = things(views=1)[0]
    start, now = datetime(2026, 11, 23, 10, tzinfo=UTC), datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
    view = wanted.flows["lake.a.v000"]
    reader = replace(view, id="lake.a.reader", tables=(Table("lake.a.reader", inputs=("lake.a.v000",)),))
    renamed = replace(view, id="lake.a.other", tables=(replace(view.tables[0], dataset="lake.a.other"),))
    later = replace(reader, tables=(Table("lake.a.reader", inputs=("lake.a.other",)),))
    before = replace(wanted, flows={"lake.a.v000": view, "lake.a.reader": reader})
    after = replace(wanted, flows={"lake.a.other": renamed, "lake.a.reader": later})
    switch = now - timedelta(hours=1)
    entries = [(Entry(before.version, BEGINNING, BEGINNING), before), (Entry(after.version, switch, switch, number=2), after)]
    broken = TableState(start, attempts=5, error="the column n is int and would become long")
    states = {"lake.a.v000": FlowState("lake.a.v000", {"lake.a.v000": broken})}
    states["lake.a.reader"] = FlowState("lake.a.reader", {"lake.a.reader": TableState(start)})
    found = why_of("lake.a.reader", Programs(entries), states, lambda wanted: {}, now)
    assert (found.cause, found.path) == (Cause.STOPPED, ("lake.a.reader", "lake.a.v000"))
    assert "which a former program makes" in found.what


def test_a_commit_changes_the_answer(atoll: Atoll, ready: Any, folder: Path) -> None:
    activate(ready, program())
    writer, claimed = claim(ready, ORDERS, STAGED)
    writer.commit(claimed, [TableCommit(STAGED, 1, pointer={"manifest": "m"})])
    found = json.loads(atoll("why", VIEW, "--json").stdout)
    start = floor(datetime.now(UTC), QUARTER) - timedelta(seconds=QUARTER)
    assert found["path"] == [VIEW, ORDERS] and str(next_interval(start, QUARTER)) in found["sentence"]
    assert (folder / "program.sql").read_text() == PROGRAM
