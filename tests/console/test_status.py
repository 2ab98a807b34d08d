"""`atoll status`: every dataset, and one in detail."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from click.testing import Result

from console.project import compile_files
from shared_metadata.contract.waiting.statements import Ran
from shared_metadata.program import Beyond, Program
from shared_metadata.program.intervals import Interval, count, floor, next_interval, to_text
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.state.records import TableCommit
from shared_metadata.store.aged import AgedBatches
from shared_metadata.store.aged_records import AgedRecords

Atoll = Callable[..., Result]
QUARTER = 900
ORDERS, STAGED, VIEW = "lake.ops.orders", "lake.ops.orders:staged", "lake.ops.customers"


def program(fresh_within_seconds: int = 0) -> Program:
    compiled = compile_files([])
    flows = {**compiled.flows, VIEW: replace(compiled.flows[VIEW], fresh_within_seconds=fresh_within_seconds)}
    return replace(compiled, flows=flows)


def activate(ready: Any, wanted: Program, ago: timedelta = timedelta(0)) -> None:
    """As if the program had been applied so long ago and nothing had run since."""
    writer = ready.writer(datetime.now(UTC) - ago)
    writer.put_program(wanted)
    writer.activate(wanted, former_version="")


def claim(ready: Any, flow: str, dataset: str, owner: str = "test", lease_seconds: int = 60) -> tuple[Any, Any]:
    writer = ready.writer()
    state = writer.reader.flow_states([flow])[flow].tables[dataset]
    batch = next_interval(state.watermark, QUARTER)
    version = writer.reader.active_version()
    return writer, writer.claim(flow, batch, [dataset], program_version=version, owner=owner, lease_seconds=lease_seconds)


def commit(ready: Any, flow: str, dataset: str, **values: Any) -> None:
    writer, claimed = claim(ready, flow, dataset)
    writer.commit(claimed, [TableCommit(dataset, **values)])


def fail(ready: Any, flow: str, dataset: str, error: str) -> None:
    writer, claimed = claim(ready, flow, dataset)
    writer.fail(claimed, dataset, error)


def statuses(atoll: Atoll) -> dict[str, dict[str, Any]]:
    return {found["dataset"]: found for found in json.loads(atoll("status", "--json").stdout)}


def make_all(ready: Any, **values: Any) -> None:
    """A batch of every dataset, by which each is current."""
    totals = "ops.public.customer_totals"
    made = ((ORDERS, STAGED), (f"{ORDERS}:load", ORDERS), (VIEW, VIEW), (f"{totals}:result", f"{totals}:result"), (totals, totals))
    known = ready.writer().reader.active_program().producers
    for _, dataset in made:
        commit(ready, known[dataset].id, dataset, **values)


def test_what_was_never_made_is_new_and_current_when_its_first_batch_is(atoll: Atoll, ready: Any) -> None:
    activate(ready, program())
    found = statuses(atoll)
    assert list(found) == [STAGED, ORDERS, VIEW, "ops.public.customer_totals:result", "ops.public.customer_totals"]
    assert {row["state"] for row in found.values()} == {"new"}
    assert atoll("status").stdout.splitlines()[-1] == "5 datasets: 5 new"
    commit(ready, ORDERS, STAGED)  # also where it found nothing
    assert statuses(atoll)[STAGED]["state"] == "current"
    assert atoll("status").stdout.splitlines()[-1] == "5 datasets: 1 current, 4 new"


def test_a_batch_that_runs_is_shown_beside_the_state_with_how_many_it_covers(atoll: Atoll, ready: Any) -> None:
    activate(ready, program(), timedelta(hours=2))
    claim(ready, ORDERS, STAGED, owner="arn:execution")
    found = statuses(atoll)
    assert (found[STAGED]["state"], found[STAGED]["running"], found[STAGED]["running_covers"]) == ("late", "arn:execution", 1)
    assert {row["running"] for name, row in found.items() if name != STAGED} == {""}
    shown = atoll("status").stdout
    assert "  late, running  " in shown and shown.splitlines()[-1] == "5 datasets: 5 late; 1 running"


def test_a_batch_that_covers_several_says_so_wherever_it_is_told_of(atoll: Atoll, ready: Any) -> None:
    activate(ready, program(), timedelta(hours=2))
    writer = ready.writer()
    state = writer.reader.flow_states([ORDERS])[ORDERS].tables[STAGED]
    whole = Interval(state.watermark, floor(datetime.now(UTC), QUARTER))
    covers = count(whole.start, whole.end, QUARTER)
    version, several = writer.reader.active_version(), f"which covers {covers} batches"
    assert f"{whole}, {several}, due" in atoll("why", STAGED).stdout
    writer.claim(ORDERS, whole, [STAGED], program_version=version, owner="arn:execution", lease_seconds=60)
    assert statuses(atoll)[STAGED]["running_covers"] == covers >= 8
    assert f"is running its batch {whole}, {several}" in atoll("why", STAGED).stdout
    assert f"{STAGED}: late, running its batch, {several}" in atoll("status", STAGED).stdout
    for _ in range(5):
        held = writer.claim(ORDERS, whole, [STAGED], program_version=version, owner="arn:execution", lease_seconds=60)
        writer.fail(held, STAGED, "SecretError: the password is refused")
    assert f"after 5 failures of its batch {whole}, {several}: SecretError" in atoll("why", STAGED).stdout
    assert f"at its batch {whole}, {several}, after 5 failures" in atoll("retry").stdout
    (dead,) = json.loads(atoll("retry", "--json").stdout)
    assert (dead["start"], dead["end"], dead["covers"]) == (to_text(whole.start), to_text(whole.end), covers)
    assert f"{STAGED} is tried again: its batch {whole}, {several}" in atoll("retry", STAGED, "--no-wait").stdout


def test_figures_come_from_the_batches(atoll: Atoll, ready: Any) -> None:
    activate(ready, program())
    used = {"lambda_invocation": 3, "lambda_arm64_gb_second": 5}
    commit(ready, ORDERS, STAGED, rows=1200, seconds=2.5, pointer={"manifest": "m"}, skew=1.5, used=used)
    commit(ready, f"{ORDERS}:load", ORDERS, rows=1200, seconds=1.5, pointer={"snapshot_id": 1, "total_rows": 54321})
    found = statuses(atoll)
    assert (found[STAGED]["rows"], found[STAGED]["last_batch_seconds"], found[STAGED]["batches"]) == (1200, 2.5, 1)
    assert (found[STAGED]["last_batch_skew"], found[STAGED]["last_batch_dollars"]) == (1.5, 0.000068317)
    assert (found[ORDERS]["rows"], found[ORDERS]["last_batch_rows"]) == (54321, 1200)
    assert found[ORDERS]["complete_through"] == to_text(floor(datetime.now(UTC), QUARTER))
    shown = atoll("status").stdout
    assert "54,321" in shown and "0.000068" in shown
    assert "1,200 rows, 2.5 s, 0.000068 $, its largest piece 1.5 times the mean" in atoll("status", STAGED).stdout


def test_a_program_that_stood_still_is_late_and_says_what_waits(atoll: Atoll, ready: Any) -> None:
    activate(ready, program(), timedelta(hours=2))
    found = statuses(atoll)
    assert found[STAGED]["state"] == "late" and found[STAGED]["waits_for"] == []
    assert found[VIEW]["waits_for"] == [ORDERS]
    shown = atoll("status").stdout
    assert f"{VIEW} waits for {ORDERS} through {found[VIEW]['next_batch_end']}" in shown
    assert shown.splitlines()[-1] == "5 datasets: 5 late"


@pytest.mark.parametrize("tolerated", [0, 3600])
def test_status_why_and_run_give_one_answer_to_what_a_dataset_waits_for(atoll: Atoll, ready: Any, tolerated: int) -> None:
    """An input that may lag is not waited for, once it has made a batch; one that may not is."""
    compiled = compile_files([])
    tolerant = replace(compiled.flows[VIEW], tolerates={ORDERS: tolerated} if tolerated else {})
    activate(ready, replace(compiled, flows={**compiled.flows, VIEW: tolerant}), timedelta(minutes=45))
    make_all(ready)
    found, said = statuses(atoll)[VIEW], json.loads(atoll("why", VIEW, "--json").stdout)
    assert found["waits_for"] == ([] if tolerated else [ORDERS])
    assert said["path"] == ([VIEW] if tolerated else [VIEW, ORDERS, STAGED])
    if not tolerated:
        assert f"{VIEW} is complete through {found['complete_through']}; waits for {ORDERS}" in atoll("run", VIEW).stdout


@pytest.mark.parametrize(("seconds", "state"), [(60, "late"), (7200, "current")])
def test_fresh_within_decides_what_is_late(atoll: Atoll, ready: Any, seconds: int, state: str) -> None:
    activate(ready, program(fresh_within_seconds=seconds), timedelta(seconds=QUARTER))
    make_all(ready)
    assert statuses(atoll)[VIEW]["state"] == state
    broken = f"{VIEW} is " in atoll("status").stdout
    assert broken == (state == "late")
    assert statuses(atoll)[ORDERS]["state"] == "current"


def test_a_failing_dataset_shows_the_whole_error_and_when_it_is_tried_again(atoll: Atoll, ready: Any) -> None:
    activate(ready, program())
    error = "RetryLater: the database is down " + "at all hours " * 20 + "Remedy: start it"
    fail(ready, ORDERS, STAGED, error)
    found = statuses(atoll)[STAGED]
    assert (found["state"], found["attempts"], found["error"]) == ("failing", 1, error)
    shown = atoll("status").stdout
    assert f"{STAGED} failed, 1 time so far; tried again at {found['retry_at']}: {error}" in shown
    assert shown.splitlines()[-1] == "5 datasets: 4 new, 1 failing"


def test_a_stopped_dataset_names_the_command_that_starts_it(atoll: Atoll, ready: Any) -> None:
    activate(ready, program())
    for _ in range(5):
        fail(ready, ORDERS, STAGED, "SecretError: the password is refused")
    shown = atoll("status").stdout
    assert f"{STAGED} stopped after 5 failures: SecretError: the password is refused" in shown
    assert f"help: remove the cause, then: atoll retry {STAGED}" in shown
    assert f"; {VIEW}, {ORDERS}, ops.public.customer_totals and 1 more wait for it" in shown
    assert statuses(atoll)[STAGED]["retry_at"] == ""


def test_a_committed_batch_clears_the_error(atoll: Atoll, ready: Any) -> None:
    activate(ready, program())
    fail(ready, ORDERS, STAGED, "RetryLater: the database is down")
    commit(ready, ORDERS, STAGED, rows=1)
    found = statuses(atoll)[STAGED]
    assert (found["state"], found["error"]) == ("current", "")


def test_a_prefix_selects_datasets(atoll: Atoll, ready: Any) -> None:
    activate(ready, program())
    assert [s["dataset"] for s in json.loads(atoll("status", "ops", "--json").stdout)] == [
        "ops.public.customer_totals:result",
        "ops.public.customer_totals",
    ]


def test_a_name_that_fits_nothing_is_refused(atoll: Atoll, ready: Any) -> None:
    activate(ready, program())
    result = atoll("status", "lake.nope")
    assert result.exit_code == 1 and "'lake.nope'" in result.stderr and "help: " in result.stderr


def test_without_an_active_program_it_says_to_apply_one(atoll: Atoll, account: Any) -> None:
    result = atoll("status", "--json")
    [found] = json.loads(result.stdout)["errors"]
    assert result.exit_code == 1 and found["message"] == "no program is active" and "atoll apply" in found["help"]


def test_one_dataset_is_shown_in_detail(atoll: Atoll, ready: Any) -> None:
    activate(ready, program())
    commit(ready, ORDERS, STAGED, rows=7, pointer={"manifest": "m"})
    commit(ready, f"{ORDERS}:load", ORDERS, rows=7, pointer={"snapshot_id": 1})
    columns = (SchemaColumn("customer", "string", nullable=False), SchemaColumn("orders", "long"))
    end = to_text(floor(datetime.now(UTC), QUARTER))
    note = {"name": "has_customer", "dataset": VIEW, "failed": 3}
    commit(
        ready, VIEW, VIEW, rows=4, seconds=0.5, pointer={"snapshot_id": 9}, schema=Schema(columns), reads={ORDERS: end}, notes=(note,)
    )
    detail = json.loads(atoll("status", VIEW, "--json").stdout)
    assert detail["schema"] == {"customer": "string not null", "orders": "long"}
    assert detail["reads"] == {ORDERS: end} and detail["read_by"] == ["ops.public.customer_totals:result"]
    assert [(b["end"], b["status"], b["rows"]) for b in detail["batches"]] == [(end, "COMMITTED", 4)]
    assert [(w["name"], w["failed"]) for w in detail["warnings"]] == [("has_customer", 3)]
    shown = atoll("status", VIEW).stdout
    assert f"{VIEW}: current" in shown and f"{ORDERS} as of {end}" in shown and "program.sql:" in shown
    assert "customer  string not null" in shown and "expectation has_customer failed" in shown and "failed 3" in shown
    assert f"next batch  ends at {detail['status']['next_batch_end']}" in shown


def test_the_detail_tells_which_engine_computed_a_batch_that_had_the_choice_and_why(atoll: Atoll, ready: Any) -> None:
    chosen = program()
    flow = replace(chosen.flows[VIEW], slice_id="organize.athena", beyond=Beyond("SELECT 1"))
    activate(ready, replace(chosen, flows={**chosen.flows, VIEW: flow}), timedelta(hours=1))
    commit(ready, ORDERS, STAGED, rows=1)
    commit(ready, f"{ORDERS}:load", ORDERS, rows=1)
    why = "its inputs are 2.000 GB, and DuckDB is given 1.500 GB"
    commit(ready, VIEW, VIEW, rows=1, engine="Athena", why=why)
    [batch] = json.loads(atoll("status", VIEW, "--json").stdout)["batches"]
    assert (batch["engine"], batch["why"]) == ("Athena", why)
    assert f"Athena: {why}" in atoll("status", VIEW).stdout


def test_the_detail_tells_what_ran_elsewhere_for_a_batch_and_what_has_no_price(atoll: Atoll, ready: Any) -> None:
    activate(ready, program(), timedelta(hours=1))
    commit(ready, ORDERS, STAGED, rows=1)
    commit(ready, f"{ORDERS}:load", ORDERS, rows=1)
    ran = Ran("a-1", "rows", 1.5, 2.5, 4_200_000, 3, {}, {}, {"redshift_rpu_seconds": 20.0}, "77")
    commit(ready, VIEW, VIEW, rows=1, statements=(ran.to_plain(),), used={"snowflake_credits": 0.25})
    [batch] = json.loads(atoll("status", VIEW, "--json").stdout)["batches"]
    assert batch["statements"] == [ran.to_plain()] and batch["unpriced"] == {"snowflake_credits": 0.25}
    shown = atoll("status", VIEW).stdout
    assert "rows        77  ran 2.5 s, queued 1.5 s, scanned 4.2 MB, 3 rows, about 20 redshift_rpu_seconds" in shown
    assert "no price is known of 0.25 snowflake_credits" in shown


def test_the_detail_tells_how_uneven_the_work_of_a_statement_was_where_its_warehouse_does(atoll: Atoll, ready: Any) -> None:
    activate(ready, program(), timedelta(hours=1))
    commit(ready, ORDERS, STAGED, rows=1)
    ran = Ran("a-1", "load", 0.0, 2.5, 0, 3, {}, {}).to_plain()
    commit(ready, f"{ORDERS}:load", ORDERS, rows=1, statements=({**ran, "data_skewness": 0, "time_skewness": 44},))
    shown = atoll("status", ORDERS).stdout
    assert "ran 2.5 s, 3 rows, skew of time 44" in shown and "skew of data" not in shown


def test_of_batches_that_have_aged_it_says_how_many_and_where_they_lie(atoll: Atoll, ready: Any) -> None:
    activate(ready, program())
    assert json.loads(atoll("status", STAGED, "--json").stdout)["aged"] == {"batches": 0}
    moment = datetime(2026, 11, 23, 12, tzinfo=UTC)
    aged = AgedBatches(moment, 3, 1234, moment - timedelta(days=1), moment)
    writer = ready.writer()
    AgedRecords(writer._client, writer._table).summarize(ORDERS, None, aged)
    found = json.loads(atoll("status", STAGED, "--json").stdout)["aged"]
    assert found == {
        "batches": 1234, "first": "2026-11-22T12:00:00Z", "through": "2026-11-23T12:00:00Z", "prefix": f"history/{ORDERS}/",
    }  # fmt: skip
    assert f"1,234 older batches of its flow, from {found['first']} through {found['through']}" in atoll("status", STAGED).stdout


def test_the_detail_of_a_running_and_of_a_failed_batch(atoll: Atoll, ready: Any) -> None:
    activate(ready, program())
    claim(ready, ORDERS, STAGED, owner="arn:execution")
    running = json.loads(atoll("status", STAGED, "--json").stdout)["batches"][0]
    assert (running["status"], running["owner"]) == ("RUNNING", "arn:execution")
    assert "RUNNING   by arn:execution" in atoll("status", STAGED).stdout
    writer, claimed = claim(ready, ORDERS, STAGED, owner="arn:execution")
    writer.fail(claimed, STAGED, "RetryLater: the database is down")
    shown = atoll("status", STAGED).stdout
    assert "FAILED" in shown and "RetryLater: the database is down" in shown and "again at" in shown


def test_a_worker_that_vanished_is_not_shown_as_running(atoll: Atoll, ready: Any) -> None:
    activate(ready, program())
    claim(ready, ORDERS, STAGED, lease_seconds=0)
    assert json.loads(atoll("status", STAGED, "--json").stdout)["batches"][0]["status"] == "LOST"


def test_a_flow_of_several_datasets_is_a_table_of_them(atoll: Atoll, ready: Any, folder: Any) -> None:
    text = (folder / "program.sql").read_text().split("-- Collect")[0]
    (folder / "program.sql").write_text(text + "INSERT INTO lake.ops FROM ops.public TABLES (orders, customers) EVERY '1 hour';")
    activate(ready, compile_files([]))
    found = json.loads(atoll("status", "lake.ops:load", "--json").stdout)
    assert [s["dataset"] for s in found] == ["lake.ops.orders", "lake.ops.customers"]


def test_requests_grow_neither_with_flows_nor_with_history(atoll: Atoll, ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    activate(ready, program())
    for _ in range(3):
        fail(ready, ORDERS, STAGED, "RetryLater: the database is down")
    asked: list[str] = []

    class Counted(boto3.Session):
        def client(self, *arguments: Any, **more: Any) -> Any:
            made = super().client(*arguments, **more)
            made.meta.events.register("before-call.*", lambda model, **_: asked.append(model.name))
            return made

    monkeypatch.setattr(boto3, "Session", Counted)
    assert atoll("status").exit_code == 0
    assert len(asked) <= 5  # the timeline twice, its program, the states: a hundred flows at once
