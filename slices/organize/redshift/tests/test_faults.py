"""What goes wrong in Redshift or on the way there: nothing is lost, nothing half done, and the error names what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared_metadata.contract.maintenance.step import MaintainStep
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program import Mode
from slices.organize.redshift.handlers import open_driver
from slices.organize.redshift.service import SETTLING, RedshiftService
from slices.organize.redshift.slice import SLICE
from slices.organize.redshift.tests.test_conformance import DATABASE, WORKGROUP, rows_of, serve
from tests.conformance.fixtures import FakeContext, open_cloud
from tests.conformance.organize import FLIGHTS, VIEW, Lake, flights
from tests.conformance.upgrades import after_one_that_died, are_taken_up
from tests.memory.dynamodb import refused
from tests.memory.redshift import MemoryRedshift


class Warehouse(Lake):
    """The suite's warehouse, with Redshift beside it."""

    service: MemoryRedshift

    def ids(self, dataset: str = FLIGHTS) -> list[int]:
        return sorted(row["id"] for row in rows_of(self.service, dataset))

    def left(self) -> list[str]:
        """The staging tables that are there."""
        asked = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'atoll_staging'"
        return [row["table_name"] for row in self.service.asked(WORKGROUP, DATABASE, asked)]


@pytest.fixture
def dwh(monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    for cloud in open_cloud(monkeypatch):
        made = Warehouse(cloud, SLICE, open_driver)
        made.service, made.options = serve(monkeypatch), {"managed": True}
        yield made


# What is lost or late, of the calls or statements that match.
DELAYED = [
    *(("lose_answer", "ExecuteStatement"), ("internal", "DescribeStatement"), ("slow", "COPY"), ("queued", "COPY")),
    ("conflict", "INSERT"),
]


@pytest.mark.parametrize(("kind", "match"), DELAYED)
def test_what_the_service_loses_delays_or_has_again_changes_nothing(dwh: Warehouse, kind: str, match: str) -> None:
    dwh.collected(Mode.APPEND)
    dwh.load(flights((1, "AA")))
    dwh.service.double.faults.arm(kind, count=2, match=match, **({"seconds": 0.3} if kind in ("slow", "queued") else {}))
    dwh.load(flights((2, "UA")))
    assert (dwh.ids(), dwh.left()) == ([1, 2], ["made"])


@pytest.mark.deep
def test_a_statement_that_takes_long_is_paid_by_no_function(dwh: Warehouse) -> None:
    dwh.collected(Mode.APPEND)
    dwh.stage(flights((1, "AA")))
    dwh.service.double.faults.arm("slow", match="COPY", seconds=9)
    assert dwh.run(f"{FLIGHTS}:load").pauses == [5]
    assert dwh.ids() == [1]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.REPLACE, Mode.MERGE])
@pytest.mark.parametrize("kind", ["fail", "stops_inside", "abort", "lost_commit"])
def test_a_commit_that_fails_or_whose_success_is_lost_is_made_whole_by_the_next_attempt(
    dwh: Warehouse, mode: Mode, kind: str
) -> None:
    dwh.collected(mode, **({"key": ("id",)} if mode == Mode.MERGE else {}))
    dwh.load(flights((1, "AA")))
    interval = dwh.stage(flights((1, "UA"), (2, "UA")))
    dwh.service.double.faults.arm(kind, match="atoll: the ledger")
    with pytest.raises(DefinitionError, match="Redshift statement"):
        dwh.run(f"{FLIGHTS}:load", interval)
    before = {Mode.APPEND: [1, 1, 2], Mode.REPLACE: [1, 2], Mode.MERGE: [1, 2]}[mode]
    assert dwh.ids() == (before if kind == "lost_commit" else [1])
    dwh.cloud.clock.advance(hours=1)
    dwh.run(f"{FLIGHTS}:load", interval)
    assert dwh.ids() == before
    assert kind != "lost_commit" or dwh.left() == ["made"]


def test_an_administrator_who_cancels_is_named(dwh: Warehouse) -> None:
    dwh.collected(Mode.APPEND)
    dwh.stage(flights((1, "AA")))
    dwh.service.double.faults.arm("abort", match="COPY")
    (error,) = dwh.run(f"{FLIGHTS}:load", record_errors=True).errors.values()
    assert "was cancelled by somebody else" in str(error)


REFUSED = {
    "permission denied for schema ops": ("permission denied for schema ops", "grant it to the user that the statement runs as"),
    "Disk Full\n  DETAIL: x": ("Disk Full", "give the warehouse more room"),
    "User arn:aws:redshift is not authorized to assume IAM Role arn:x": (
        "is not authorized",
        "attach the slice's role",
    ),
    "Value 'hidden' of a row is odd": ("Redshift's words may quote a row", "its console shows them"),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_redshift_refuses_is_told_with_its_remedy_and_no_value(dwh: Warehouse, said: str) -> None:
    dwh.collected(Mode.APPEND)
    dwh.stage(flights((1, "AA")))
    dwh.service.double.faults.arm("fail", match="COPY", message=said)
    (error,) = dwh.run(f"{FLIGHTS}:load", record_errors=True).errors.values()
    cause, remedy = REFUSED[said]
    assert cause in str(error) and remedy in str(error) and "hidden" not in str(error)


def test_a_warehouse_that_is_paused_or_not_there_is_named(dwh: Warehouse) -> None:
    dwh.collected(Mode.APPEND)
    dwh.stage(flights((1, "AA")))
    dwh.service.double.warehouses[WORKGROUP]["state"] = "PAUSED"
    (error,) = dwh.run(f"{FLIGHTS}:load", record_errors=True).errors.values()
    assert WORKGROUP in str(error) and "is not paused" in str(error)


def test_a_quota_that_is_hit_is_no_failure_of_the_batch(dwh: Warehouse) -> None:
    dwh.collected(Mode.APPEND)
    dwh.stage(flights((1, "AA")))
    dwh.service.double.faults.arm("too_many", match="Execute")
    (error,) = dwh.run(f"{FLIGHTS}:load", record_errors=True).errors.values()
    assert isinstance(error, RetryLater)


def test_a_text_that_redshift_has_no_room_for_is_refused_and_not_cut(dwh: Warehouse) -> None:
    dwh.collected(Mode.APPEND)
    dwh.stage(flights((1, "ü" * 40_000)))
    (error,) = dwh.run(f"{FLIGHTS}:load", record_errors=True).errors.values()
    assert "65,535" in str(error)


def test_a_table_that_atoll_did_not_make_is_left_as_it_is(dwh: Warehouse) -> None:
    for text in ("CREATE SCHEMA ops", "CREATE TABLE ops.flights (id bigint)"):
        dwh.service.execute_statement(Sql=text, WorkgroupName=WORKGROUP, Database=DATABASE, WaitTimeSeconds=10)
    dwh.collected(Mode.REPLACE)
    dwh.stage(flights((1, "AA")))
    (error,) = dwh.run(f"{FLIGHTS}:load", record_errors=True).errors.values()
    assert "ops.flights is in Redshift and was not made by Atoll" in str(error)
    assert dwh.ids() == []


def test_two_that_commit_to_one_table_at_once_come_one_after_the_other(dwh: Warehouse) -> None:
    """The second finds the ledger moved on, reads it again, and adds to what the first has made."""
    dwh.collected(Mode.APPEND)
    first = dwh.load(flights((1, "AA")))
    dwh.stage(flights((2, "UA")))
    late = dwh.until_commit(f"{FLIGHTS}:load")
    dwh.load(flights((9, "AA")), again=first)  # between, the first batch is made again
    dwh.steps().commit(late, FakeContext())
    assert dwh.ids() == [2, 9]


def test_a_batch_records_which_later_state_it_saw(dwh: Warehouse) -> None:
    dwh.collected(Mode.REPLACE)
    dwh.view(f"SELECT id FROM {FLIGHTS}", Mode.APPEND)
    dwh.load(flights((1, "AA")))
    later = dwh.load(flights((2, "UA")))
    dwh.run(VIEW)
    version = dwh.cloud.reader.latest_version(VIEW)
    assert version is not None and version.reads == {FLIGHTS: f"{later.end:%Y-%m-%dT%H:%M:%SZ}"} and dwh.ids(VIEW) == [2]


def test_a_statement_s_figures_stand_in_the_statistics_of_its_batch(dwh: Warehouse) -> None:
    dwh.collected(Mode.APPEND)
    dwh.load(flights((1, "AA"), (2, "UA")))
    (found,) = dwh.cloud.reader.statistics(f"{FLIGHTS}:load")
    assert [one["purpose"] for one in found["statements"]] == ["load", "standing 0", "commit 0"]
    assert all(one["id"] and one["run_seconds"] >= 0 and one["queue_seconds"] >= 0 for one in found["statements"])
    load = found["statements"][0]
    assert load["rows"] == 2 and int(load["console_id"]) > 0
    assert load["bytes_scanned"] > 4096 and load["bytes_written"] >= 2 * 2048, "of all statements of its transaction"
    assert (load["data_skewness"], load["time_skewness"]) == (77, 44), "the most uneven ones of its segments"
    assert load["estimated"]["redshift_rpu_seconds"] >= 8 * load["run_seconds"] - 0.01
    assert "redshift_rpu_seconds" not in found.get("unpriced", {})


def test_a_history_that_is_not_told_for_the_moment_holds_up_no_batch(dwh: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def throttled(*_: Any) -> list[str]:
        raise refused("ThrottlingException", "BatchExecuteStatement")

    monkeypatch.setattr(RedshiftService, "asks", throttled)
    dwh.collected(Mode.APPEND)
    dwh.load(flights((1, "AA")))
    assert dwh.ids() == [1]


def test_what_batches_left_that_did_not_end_is_dropped_by_maintenance_and_ledgers_are_shortened(dwh: Warehouse) -> None:
    dwh.collected(Mode.APPEND)
    for number in range(3):
        dwh.load(flights((number, "AA")))
    dwh.stage(flights((9, "AA")))
    dwh.service.double.faults.arm("fail", match="atoll: the ledger")
    with pytest.raises(DefinitionError):
        dwh.run(f"{FLIGHTS}:load")
    assert [name.partition("_")[0] for name in dwh.left() if name != "made"] == ["rows"]
    dwh.cloud.clock.now = datetime.now(UTC) + timedelta(days=30)
    maintain = MaintainStep(SLICE, dwh.cloud.services(SLICE.id), open_driver)
    done = maintain({"dataset": FLIGHTS}, FakeContext())["tables"]
    assert [table["forgotten_batches"] for table in done] == [2] and dwh.left() == ["made"]
    dwh.load(flights((4, "UA")))
    assert dwh.ids() == [0, 1, 2, 4]


@pytest.mark.budget(30)
def test_a_statement_at_its_limit_is_cancelled_and_told_with_what_to_do(dwh: Warehouse) -> None:
    dwh.options = {"managed": True, "statement_minutes": 1}
    dwh.collected(Mode.APPEND)
    dwh.stage(flights((1, "AA")))
    dwh.service.double.faults.arm("slow", match="COPY", seconds=600)
    (state,) = dwh.steps().plan(dwh.cloud.event(f"{FLIGHTS}:load"), FakeContext())["work"]
    waits = dwh.steps().load(state, FakeContext())
    dwh.cloud.clock.advance(minutes=2)
    with pytest.raises(DefinitionError, match=r"Redshift statement .* within 60 s, and is cancelled") as told:
        dwh.steps().load(waits, FakeContext())
    assert "have the statement do less" in str(told.value)
    id = waits["waiting"]["resume"]["load"]["id"]
    assert dwh.service.describe_statement(Id=id, WaitTimeSeconds=10)["Status"] == "ABORTED"


def test_all_that_runs_there_runs_in_the_query_group_of_the_options(dwh: Warehouse) -> None:
    """A load, a view, what is rejected and looked after: each transaction begins with it, and answers what it did without."""
    dwh.options = {"managed": True, "query_group": "atoll"}
    dwh.collected(Mode.MERGE, key=("id",))
    dwh.load(flights((1, "AA"), (2, "UA")))
    dwh.load(flights((2, "DL")))
    dwh.view(f"SELECT id FROM {FLIGHTS}")
    dwh.run(VIEW)
    MaintainStep(SLICE, dwh.cloud.services(SLICE.id), open_driver)({"dataset": FLIGHTS}, FakeContext())
    assert dwh.ids() == dwh.ids(VIEW) == [1, 2]
    texts = [one["QueryString"] for one in dwh.service.double.statements.values()]
    assert texts and all(text.startswith("SET query_group TO 'atoll'; ") for text in texts)


FORMS = ((), (*SETTLING, "SET query_group TO 'other'"))  # what versions have their transactions begin with


def test_statements_that_another_version_has_submitted_are_taken_up(dwh: Warehouse) -> None:
    are_taken_up(dwh, open_driver, FORMS, lambda dataset: rows_of(dwh.service, dataset))


def test_one_whose_answer_is_lost_and_which_another_version_says_otherwise_is_told_and_made_anew(dwh: Warehouse) -> None:
    with pytest.raises(DefinitionError, match="Redshift statement of this step was submitted by another version") as told:
        after_one_that_died(dwh, open_driver, *FORMS)
    assert "its next attempt submits it anew" in str(told.value)
    dwh.cloud.clock.advance(hours=1)  # the lease of the one that died
    dwh.run(f"{FLIGHTS}:load")
    assert dwh.ids() == [1]
