"""Maintenance changes what a table costs to read and never what is read, wherever it is stopped and whoever writes meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table.update.snapshot import ExpireSnapshots

from shared_metadata.contract.maintenance import step as contract
from shared_metadata.contract.maintenance import sweep
from shared_metadata.contract.maintenance.step import MaintainStep
from shared_metadata.errors import AtollError, DefinitionError, InputError
from shared_metadata.program import Mode
from shared_metadata.program.intervals import Interval
from shared_metadata.store import items, keys
from shared_metadata.store.maintenance_records import MaintenanceRecords
from shared_metadata.store.whole_table import scan
from shared_metadata.verification.difference import Difference
from shared_metadata.verification.differences import differences
from shared_metadata.verification.facts import Facts
from slices.organize.iceberg.handlers import open_driver
from slices.organize.iceberg.slice import SLICE
from slices.organize.iceberg.tests.test_conformance import TestConformance as Suite
from slices.organize.iceberg.tests.test_tables import paths, table
from systems.iceberg import maintenance
from systems.iceberg.compaction import LEAST_FILES
from systems.iceberg.engine import Engine
from systems.iceberg.snapshots import Made, expirable, made
from systems.iceberg.tables import Tables
from tests.conformance.fixtures import FakeContext, granted, open_cloud
from tests.conformance.organize import FLIGHTS, ID, KNOWN, NESTED, VIEW, Lake, flights, nested_rows

MANY, A_BATCH = 12, 4  # rows, each in a file of its own


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    for cloud in open_cloud(monkeypatch):
        yield Lake(cloud, SLICE, open_driver)
        Suite().forget(cloud)


def maintain(lake: Lake, event: dict[str, Any] | None = None, seconds: float = 900) -> dict[str, Any]:
    step = MaintainStep(SLICE, lake.cloud.services(SLICE.id), open_driver)
    with granted(SLICE, "maintain"):
        return step({"dataset": FLIGHTS} if event is None else event, FakeContext(seconds))


def ids(lake: Lake, dataset: str = FLIGHTS, pointer: Any = None) -> list[int]:
    return sorted(row["id"] for row in Suite().read(lake.cloud, dataset, pointer))


def filled(lake: Lake, mode: Mode = Mode.APPEND, first: int = 0, **clauses: Any) -> list[int]:
    """A table of MANY rows, each in a file of its own; their ids."""
    lake.collected(mode, **({"key": ("id",)} if mode == Mode.MERGE else {}), **clauses)
    for at in range(first, first + MANY, A_BATCH):
        lake.load(flights(*((number, "AA") for number in range(at, at + A_BATCH))), files=A_BATCH)
    return list(range(first, first + MANY))


def loaded(lake: Lake, batches: int) -> None:
    """So many batches with a row each."""
    for number in range(batches):
        lake.load(flights((number, "AA")))


def counts_one_more_each_time(lake: Lake, batches: int) -> None:
    """Runs a view that counts the rows of its input: each of its batches reads the version of its own time."""
    for number in range(batches):
        lake.run(VIEW)
        assert ids(lake, VIEW) == [number + 1]


def test_structs_and_maps_are_the_same_after_small_files_were_put_together(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    lake.load(nested_rows() * LEAST_FILES, NESTED, files=LEAST_FILES)
    before = Suite().read(lake.cloud, FLIGHTS)
    assert maintain(lake)["tables"][0]["compacted_files"] == LEAST_FILES
    assert sorted(map(str, Suite().read(lake.cloud, FLIGHTS))) == sorted(map(str, before))


def left_of(lake: Lake, batch: Interval) -> list[str]:
    """The endings of what is left of what the batch has staged."""
    keys = lake.cloud.keys("staging/collect.fake")
    return [key.rpartition(".")[2] for key in keys if key.split("/")[3] == f"{batch.start:%Y%m%dT%H%M%SZ}"]


def kept(lake: Lake) -> list[str]:
    """All objects but the records of what has aged."""
    return [key for key in lake.cloud.keys("") if not key.startswith("history/")]


def data_files(lake: Lake) -> int:
    return len(list(table(lake).scan().plan_files()))


@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.MERGE])
def test_small_files_become_one_and_every_version_reads_as_before(lake: Lake, mode: Mode) -> None:
    expected = filled(lake, mode)
    versions = lake.cloud.reader.versions_after(FLIGHTS, lake.cloud.clock.now - timedelta(days=9))
    (done,) = maintain(lake)["tables"]
    assert (done["compacted_files"], done["new_files"], data_files(lake)) == (MANY, 1, 1)
    assert ids(lake) == expected
    assert [ids(lake, FLIGHTS, version.pointer) for version in versions] == [expected[:n] for n in range(A_BATCH, MANY + 1, A_BATCH)]


def test_a_batch_that_is_run_again_after_compaction_replaces_its_rows_and_no_others(lake: Lake) -> None:
    expected = filled(lake)
    first = lake.cloud.reader.first_version(FLIGHTS)
    assert first
    maintain(lake)
    lake.load(flights((3, "UA"), (903, "UA")), again=first.interval)
    assert ids(lake) == [3, *expected[A_BATCH:], 903]


def test_a_merge_after_compaction_updates_and_keeps_newer_rows(lake: Lake) -> None:
    lake.collected(Mode.MERGE, key=("id",), cursor="delay")
    lake.load(flights(*((number, "AA", 5.0) for number in range(MANY))), files=MANY)
    maintain(lake)
    lake.load(flights((3, "newer", 6.0), (4, "older", 4.0), (99, "new", 1.0)))
    found = {row["id"]: row["carrier"] for row in Suite().read(lake.cloud, FLIGHTS)}
    assert len(found) == MANY + 1 and (found[3], found[4], found[99]) == ("newer", "AA", "new")


def test_partitions_stay_and_columns_that_came_later_too(lake: Lake) -> None:
    lake.collected(Mode.APPEND, partition_by=("carrier",))
    for number in range(LEAST_FILES):
        lake.load(flights((number, "AA"), (100 + number, "it's/ü")))
    more = [*ID, ("more", "string", pa.string())]
    lake.load([{"id": 999, "carrier": "AA", "more": "x"}], more)
    maintain(lake)
    found = {row["id"]: (row["carrier"], row["more"]) for row in Suite().read(lake.cloud, FLIGHTS)}
    partitions = [task.file.partition[0] for task in table(lake).scan().plan_files()]
    assert sorted(partitions) == ["AA", "it's/ü"] and len(found) == 2 * LEAST_FILES + 1
    assert (found[0], found[100], found[999]) == (("AA", None), ("it's/ü", None), ("AA", "x"))


def later(lake: Lake, **length: float) -> None:
    lake.cloud.clock.now = max(lake.cloud.clock.now, datetime.now(UTC)) + timedelta(**length)


def snapshots(lake: Lake, name: str = "flights") -> int:
    return len(table(lake, name).metadata.snapshots)


def test_old_versions_are_forgotten_and_say_so_and_the_last_one_stays(lake: Lake) -> None:
    expected = filled(lake, Mode.APPEND)
    lake.view(f"SELECT * FROM {FLIGHTS}")
    first = lake.cloud.reader.first_version(FLIGHTS)
    assert first
    later(lake, days=30)
    (done,) = maintain(lake)["tables"]
    assert done["expired_versions"] >= 2 and ids(lake) == expected
    interval = first.interval
    with pytest.raises(DefinitionError, match=r"snapshot \d+ of lake\.ops\.flights is gone"):
        lake.run(VIEW, interval, rerun=True)


def test_what_a_reader_that_is_behind_still_needs_stays(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    lake.view(f"SELECT count(*) AS id FROM {FLIGHTS}")
    loaded(lake, 3)
    later(lake, days=30)
    maintain(lake)
    counts_one_more_each_time(lake, 3)
    maintain(lake)
    later(lake, days=1)
    maintain(lake)
    assert snapshots(lake) <= 3


def test_while_the_state_of_a_reader_is_lost_nothing_that_it_may_read_goes(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    lake.view(f"SELECT count(*) AS id FROM {FLIGHTS}")
    loaded(lake, 3)
    cloud, key = lake.cloud, items.to_item(keys.state(VIEW, VIEW))
    state = cloud.dynamodb.delete_item(TableName=cloud.table, Key=key, ReturnValues="ALL_OLD")["Attributes"]
    later(lake, days=30)
    maintain(lake)
    cloud.dynamodb.put_item(TableName=cloud.table, Item=state)
    counts_one_more_each_time(lake, 3)


def test_a_snapshot_to_which_somebody_rolled_the_table_back_was_the_current_one_until_the_next(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    loaded(lake, 2)
    first, second = (snapshot.snapshot_id for snapshot in table(lake).metadata.snapshots)
    table(lake).manage_snapshots().rollback_to_snapshot(first).commit()
    lake.load(flights((9, "AA")))
    moments = {entry.snapshot_id: entry.timestamp_ms for entry in table(lake).metadata.snapshot_log}
    (_, _, back, last) = [entry.timestamp_ms for entry in table(lake).metadata.snapshot_log]
    until = {one.snapshot_id: one.until and round(one.until.timestamp() * 1000) for one in made(table(lake))}
    assert until == {first: last, second: back, **{name: None for name in moments if name not in (first, second)}}


def test_a_snapshot_that_was_current_until_just_now_stays_however_old_it_is() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)

    def old(number: int, parent: int | None, **until: datetime) -> Made:
        return Made(number, parent, now - timedelta(days=9), None, **until)

    ago = {"until": now - timedelta(days=8)}
    rolled_back = [old(1, None, until=now - timedelta(hours=1)), old(2, 1, until=now - timedelta(hours=2)), old(3, 1)]
    assert expirable(rolled_back, 3, (), "f", now, now) == []
    assert expirable([old(1, None, **ago), old(2, 1, **ago), old(3, 1)], 3, (), "f", now, now) == [1, 2]


def test_what_keep_says_can_be_run_again(lake: Lake) -> None:
    lake.options = {"keep": "400 days"}
    filled(lake)
    versions = lake.cloud.reader.versions_after(FLIGHTS, lake.cloud.clock.now - timedelta(days=9))
    later(lake, days=300)
    maintain(lake)
    assert [len(ids(lake, FLIGHTS, version.pointer)) for version in versions] == list(range(A_BATCH, MANY + 1, A_BATCH))
    assert all(lake.cloud.body(key) for key in lake.cloud.keys("staging/collect.fake") if key.endswith("manifest.json"))


@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.REPLACE])
def test_a_batch_whose_record_was_lost_is_found_again_however_late(lake: Lake, mode: Mode) -> None:
    filled(lake, mode)
    lake.stage(flights((99, "AA")))
    state, steps = lake.until_commit(f"{FLIGHTS}:load"), lake.steps()
    steps.commit_table(steps.work(state), state)
    before = ids(lake)
    later(lake, days=30)
    for _ in range(2):
        maintain(lake)
        later(lake, days=9)
    interval = Interval(datetime.fromisoformat(state["start"]), datetime.fromisoformat(state["end"]))
    lake.run(f"{FLIGHTS}:load", interval)
    assert ids(lake) == before and before[-1] == 99


def test_a_replace_that_is_run_again_behind_forgotten_batches_does_not_become_the_current_one(lake: Lake) -> None:
    lake.collected(Mode.REPLACE)
    first = lake.load(flights((1, "AA")))
    for number in range(2, 5):
        lake.load(flights((number, "AA")))
    later(lake, days=30)
    maintain(lake)
    lake.load(flights((7, "AA")), again=first)
    assert ids(lake) == [4]


# -- garbage


def test_after_the_safe_age_nothing_is_left_but_what_versions_need(lake: Lake) -> None:
    expected = filled(lake)
    maintain(lake)
    lake.load(flights((99, "AA")))  # the version before it, which is of small files, is not the last one any more
    later(lake, days=7)
    maintain(lake)
    assert len(lake.cloud.keys("staging/collect.fake")) == MANY + MANY // A_BATCH + 2, "too young to be deleted"
    later(lake, days=7)
    maintain(lake)
    assert ids(lake) == [*expected, 99]
    left = [key for key in kept(lake) if key.endswith(".parquet") or key.startswith("staging/")]
    assert sorted(f"s3://{lake.cloud.bucket}/{key}" for key in left) == paths(lake) and len(left) == 2


def test_staged_files_that_are_table_data_stay(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    lake.load(flights((1, "AA")))
    lake.load(flights((2, "AA")))
    later(lake, days=400)
    maintain(lake)
    staged = lake.cloud.keys("staging/")
    assert len(staged) == 2 and all(key.endswith(".parquet") for key in staged)
    assert ids(lake) == [1, 2]


def test_files_of_abandoned_attempts_go_and_quarantined_rows_stay(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    interval = lake.load(flights((1, "AA")))
    (used,) = [key for key in lake.cloud.keys("staging/collect.fake") if key.endswith(".parquet")]
    abandoned, quarantined = used.replace("/000001/", "/000009/"), used.replace("0.parquet", "quarantine/0.parquet")
    for key in (abandoned, quarantined):
        lake.cloud.s3.put_object(Bucket=lake.cloud.bucket, Key=key, Body=b"x")
    later(lake, days=400)
    maintain(lake)
    assert lake.cloud.keys("staging/") == sorted([used, quarantined]) and interval


def test_a_batch_that_waits_to_be_loaded_keeps_what_it_has_staged(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    lake.load(flights((1, "AA")))
    lake.stage(flights((2, "AA")))
    later(lake, days=400)
    maintain(lake)
    lake.run(f"{FLIGHTS}:load")
    assert ids(lake) == [1, 2]


def test_a_batch_of_several_intervals_keeps_what_it_has_staged_until_the_last_of_them_is_loaded(lake: Lake) -> None:
    lake.collected(Mode.MERGE, key=("id",))
    lake.load(flights((1, "AA")))
    covering = lake.stage(flights((2, "AA")), missed=2)
    lake.run(f"{FLIGHTS}:load", Interval(covering.start, covering.start + timedelta(hours=1)))
    later(lake, days=400)
    maintain(lake)
    assert "parquet" in left_of(lake, covering)
    lake.run(f"{FLIGHTS}:load", Interval(covering.start + timedelta(hours=1), covering.end))
    assert ids(lake) == [1, 2]


def test_a_batch_that_is_being_loaded_again_keeps_what_it_has_staged(lake: Lake) -> None:
    lake.collected(Mode.MERGE, key=("id",))
    first = lake.load(flights((1, "AA")))
    lake.load(flights((1, "UA"), (2, "UA")))
    later(lake, days=400)
    lake.until_commit(f"{FLIGHTS}:load", rerun=True, interval=first)
    maintain(lake)
    assert "parquet" in left_of(lake, first)


@pytest.mark.parametrize(("before", "now"), [(1, 2), (2, 1)], ids=["longer", "shorter"])
def test_a_batch_of_another_length_that_is_being_loaded_again_keeps_what_was_staged_under_the_former_one(
    lake: Lake, before: int, now: int
) -> None:
    lake.collected(Mode.MERGE, key=("id",))
    flows = (FLIGHTS, f"{FLIGHTS}:load")
    for flow in flows:
        lake.change(flow, interval_seconds=before * 3600)
    first = next(batch for batch in [lake.load(flights((1, f"of {n}"))) for n in range(3)] if batch.end.hour % now == 0)
    for flow in flows:
        lake.change(flow, interval_seconds=now * 3600)
    later(lake, days=400)
    again = Interval(first.end - timedelta(hours=now), first.end)
    lake.until_commit(f"{FLIGHTS}:load", rerun=True, interval=again)
    maintain(lake)
    assert "parquet" in left_of(lake, first)


def test_a_worker_whose_execution_was_given_up_may_still_make_table_data_of_what_was_staged(lake: Lake) -> None:
    lake.collected(Mode.MERGE, key=("id",))
    first = lake.load(flights((1, "AA")))
    lake.load(flights((1, "UA"), (2, "UA")))
    later(lake, days=400)
    load = f"{FLIGHTS}:load"
    lake.until_commit(load, rerun=True, interval=first)
    batch = lake.cloud.reader.batch(load, first.start)
    assert batch
    lake.cloud.writer.record_lost(load, first, [FLIGHTS], "aborted", owner=batch.workers[FLIGHTS].owner)
    later(lake, minutes=10)
    maintain(lake)
    assert "parquet" in left_of(lake, first)
    later(lake, minutes=10)
    maintain(lake)
    assert not left_of(lake, first)


def test_where_the_catalog_has_no_table_nothing_that_was_staged_goes(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    loaded(lake, 3)
    held = kept(lake)
    lake.cloud.session.client("glue").delete_table(DatabaseName="lake_ops", Name="flights")
    later(lake, days=400)
    (done,) = maintain(lake)["tables"]
    assert kept(lake) == held and done["finished"]


def test_what_a_source_staged_last_stays_since_its_batches_stand_for_it_while_it_does_not_change(lake: Lake) -> None:
    lake.collected(Mode.REPLACE)
    lake.load(flights((1, "AA")))
    lake.load(flights((2, "AA")))
    later(lake, days=400)
    maintain(lake)
    staged = lake.pointer(f"{FLIGHTS}:staged")
    manifest = json.loads(lake.cloud.body(staged["manifest"]))
    assert all(lake.cloud.body(file["key"]) for file in manifest["files"])
    assert len([key for key in lake.cloud.keys("staging/collect.fake") if key.endswith("manifest.json")]) == 1


def test_a_file_under_another_name_of_its_scheme_is_the_same_file(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.collected(Mode.APPEND)
    lake.load(flights((1, "AA")))
    original = maintenance._paths
    renamed = lambda *arguments: [path.replace("s3://", "s3a://") for path in original(*arguments)]  # noqa: E731
    monkeypatch.setattr(maintenance, "_paths", renamed)
    later(lake, days=400)
    maintain(lake)
    assert ids(lake) == [1]


def test_a_version_that_another_engine_has_tagged_stays_and_the_others_go(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    loaded(lake, 4)
    tagged = table(lake).metadata.snapshots[0].snapshot_id
    table(lake).manage_snapshots().create_tag(tagged, "audit").commit()
    later(lake, days=400)
    (done,) = maintain(lake)["tables"]
    assert done["finished"] and done["expired_versions"] == 2
    assert tagged in {snapshot.snapshot_id for snapshot in table(lake).metadata.snapshots}


# -- stopped anywhere, and beside others


class Killed(BaseException):
    """The process ends here."""


def killed(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *, after: bool, call: int = 1) -> None:
    """The process ends before or after the n-th call of a method."""
    original, calls = getattr(owner, name), iter(range(1, 10_000))

    def method(*arguments: Any, **named: Any) -> Any:
        mine = next(calls) == call
        if mine and not after:
            raise Killed
        result = original(*arguments, **named)
        if mine:
            raise Killed
        return result

    monkeypatch.setattr(owner, name, method)


PLACES = {
    "while a file is written": (Engine, "write"),
    "while files are swapped": (Tables, "swap"),
    "while the catalog is updated": (GlueCatalog, "commit_table"),
    "while snapshots are forgotten": (ExpireSnapshots, "commit"),
    "while garbage of the table is deleted": (maintenance, "delete"),
    "while staged garbage is deleted": (sweep, "delete"),
    "while it is recorded": (MaintenanceRecords, "put"),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("place", PLACES)
def test_stopped_anywhere_it_loses_nothing_and_the_next_run_does_the_rest(
    lake: Lake, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = filled(lake)
    later(lake, days=10)
    expected += filled(lake, first=100)
    later(lake, hours=7)
    pointer = lake.pointer(FLIGHTS)
    for after in (False, True):
        with monkeypatch.context() as patch:
            killed(patch, *PLACES[place], after=after)
            with pytest.raises(Killed):
                maintain(lake)
        assert ids(lake) == expected == ids(lake, FLIGHTS, pointer)
    maintain(lake)
    assert ids(lake) == expected == ids(lake, FLIGHTS, pointer)
    assert data_files(lake) == 1


def test_a_batch_that_commits_meanwhile_wins(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, original = filled(lake), Tables.swap
    meanwhile = iter([True])

    def swap(self: Tables, *arguments: Any) -> None:
        if next(meanwhile, False):
            lake.load(flights((99, "AA")))
        original(self, *arguments)

    monkeypatch.setattr(Tables, "swap", swap)
    (done,) = maintain(lake)["tables"]
    assert (done["compacted_files"], ids(lake), data_files(lake)) == (MANY, [*expected, 99], 2)


def test_what_a_merge_has_written_anew_meanwhile_is_not_put_back(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, original = filled(lake, Mode.MERGE), Tables.swap
    meanwhile = iter([True])

    def swap(self: Tables, *arguments: Any) -> None:
        if next(meanwhile, False):
            lake.load(flights((3, "changed"), (99, "AA")))
        original(self, *arguments)

    monkeypatch.setattr(Tables, "swap", swap)
    (done,) = maintain(lake)["tables"]
    assert "compacted_files" not in done and ids(lake) == [*expected, 99]
    assert [row["carrier"] for row in Suite().read(lake.cloud, FLIGHTS) if row["id"] == 3] == ["changed"]


def test_a_batch_commits_upon_maintenance_that_was_faster(lake: Lake) -> None:
    for mode in (Mode.APPEND, Mode.MERGE):
        dataset = f"lake.ops.{mode.lower()}"
        lake.collected(mode, dataset, key=("id",) if mode == Mode.MERGE else ())
        interval = lake.stage(flights(*((number, "AA") for number in range(MANY))), dataset=dataset, files=MANY)
        lake.run(f"{dataset}:load", interval)
        lake.stage(flights((3, "UA"), (99, "UA")), dataset=dataset)
        state = lake.until_commit(f"{dataset}:load")
        maintain(lake, {"dataset": dataset})
        lake.steps().commit(state, FakeContext())
        assert ids(lake, dataset) == sorted([*range(MANY), 99, *([3] if mode == Mode.APPEND else [])])


def one_update_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Glue updates a table only upon the version that the caller names; moto does not look at it."""
    original, one = GlueCatalog._update_glue_table, threading.Lock()

    def update(self: GlueCatalog, database_name: str, table_name: str, table_input: Any, version_id: str) -> None:
        with one:
            if self._get_glue_table(database_name, table_name).get("VersionId") != version_id:
                raise CommitFailedException("another update was faster")
            original(self, database_name, table_name, table_input, version_id)

    monkeypatch.setattr(GlueCatalog, "_update_glue_table", update)


def test_two_at_once_do_it_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    one_update_at_a_time(monkeypatch)
    expected = filled(lake)
    later(lake, days=7)  # not past the safe age: what either writes meanwhile is as old to this clock as all else
    with ThreadPoolExecutor(2) as pool:
        done = [future.result() for future in [pool.submit(maintain, lake) for _ in range(2)]]
    assert sum(one["tables"][0].get("compacted_files", 0) for one in done) == MANY
    assert ids(lake) == expected and data_files(lake) == 1


def test_a_file_that_does_not_hold_all_rows_is_never_committed(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, original = filled(lake), Engine.write
    monkeypatch.setattr(Engine, "write", lambda self, query, *more: original(self, f"{query} LIMIT {MANY - 1}", *more))
    with pytest.raises(AtollError, match=rf"{MANY} rows became {MANY - 1}"):
        maintain(lake)
    assert ids(lake) == expected


# -- what is due


def test_only_what_has_got_many_versions_is_due(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "DUE_VERSIONS", MANY // A_BATCH)
    filled(lake)
    assert [table["dataset"] for table in maintain(lake, {})["tables"]] == [FLIGHTS], "never looked at"
    assert maintain(lake, {}) == {"tables": [], "left": []}
    lake.load(flights((99, "AA")))
    assert maintain(lake, {}) == {"tables": [], "left": []}
    filled(lake, first=100)
    (done,) = maintain(lake, {})["tables"]
    assert done["compacted_files"] == MANY + 2
    assert maintain(lake, {}) == {"tables": [], "left": []}


def test_with_too_little_time_it_says_what_is_left_and_goes_on_later(lake: Lake) -> None:
    filled(lake)
    assert maintain(lake, {}, seconds=60) == {"tables": [], "left": [FLIGHTS]}
    (done,) = maintain(lake, {})["tables"]
    assert done["compacted_files"] == MANY


def test_a_table_of_which_something_unforeseen_is_wrong_does_not_hold_up_the_others(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, original = "lake.ops.other", Tables.find
    for dataset in (FLIGHTS, other):
        lake.collected(Mode.APPEND, dataset)
        lake.run(f"{dataset}:load", lake.stage(flights((1, "AA")), dataset=dataset))

    def find(self: Tables, dataset: str) -> Any:
        if dataset == FLIGHTS:
            raise FileNotFoundError("a manifest is gone")
        return original(self, dataset)

    monkeypatch.setattr(Tables, "find", find)
    with pytest.raises(AtollError, match=r"of 1 tables: lake\.ops\.flights: FileNotFoundError"):
        maintain(lake, {})
    known = MaintenanceRecords(lake.cloud.dynamodb, lake.cloud.table).all()
    assert sorted(known) == [other]


def test_results_that_were_published_are_deleted_but_for_the_last(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    result = "ops.public.t:result"
    lake.view(f"SELECT id FROM {FLIGHTS}", dataset=result)
    for number in range(3):
        lake.load(flights((number, "AA")))
        lake.run(result)
    later(lake, days=400)
    (done,) = maintain(lake, {"dataset": result})["tables"]
    manifest = lake.pointer(result)["manifest"]
    assert done["deleted_staged"] > 0
    assert [key for key in lake.cloud.keys("staging/organize") if "/manifest-" in key] == [manifest]
    assert lake.cloud.rows(result).num_rows == 3


# -- rejected rows


@pytest.mark.parametrize("mode", [pytest.param(Mode.APPEND, marks=pytest.mark.deep), Mode.MERGE])
def test_the_table_of_rejected_rows_is_looked_after_with_its_own(lake: Lake, mode: Mode) -> None:
    lake.collected(mode, expectations=(KNOWN,), **({"key": ("id",)} if mode == Mode.MERGE else {}))
    first, *_ = [lake.load(flights((number, "AA"), (100 + number, "XX"))) for number in range(LEAST_FILES)]
    maintain(lake)
    lake.load(flights((99, "AA"), (199, "XX")))  # the version before it, which is of small files, is not the last one any more
    expected = [*(100 + number for number in range(LEAST_FILES)), 199]
    assert Suite().rejected(lake) == expected
    later(lake, days=30)
    (done,) = maintain(lake)["tables"]
    assert done["deleted_files"] >= LEAST_FILES and done["expired_versions"] > LEAST_FILES
    assert Suite().rejected(lake) == expected
    files = [task.file.file_path for task in table(lake, "flights__rejected").scan().plan_files()]
    lying = lake.cloud.keys("warehouse/lake/ops/flights__rejected/data/")
    assert sorted(f"s3://{lake.cloud.bucket}/{key}" for key in lying) == sorted(files) and len(files) == 2
    lake.load(flights((0, "AA"), (500, "XX")), again=first)
    assert Suite().rejected(lake) == [*expected[1:], 500]


@pytest.mark.deep
def test_rows_of_a_published_result_that_were_rejected_are_looked_after(lake: Lake) -> None:
    result = "ops.public.t:result"
    lake.collected(Mode.APPEND)
    query = f"SELECT id, carrier FROM {FLIGHTS} WHERE id >= 100"
    lake.view(query, Mode.MERGE, result, key=("id",), expectations=(KNOWN,))
    for number in range(LEAST_FILES):
        lake.load(flights((100 + number, "XX")))
        lake.run(result)
    before = Suite().read(lake.cloud, "lake.ops.public_t__rejected")
    (done,) = maintain(lake, {"dataset": result})["tables"]
    assert done["compacted_files"] == LEAST_FILES
    assert sorted(map(str, Suite().read(lake.cloud, "lake.ops.public_t__rejected"))) == sorted(map(str, before))


def test_where_no_row_was_ever_rejected_there_is_no_table_to_look_after(lake: Lake) -> None:
    lake.collected(Mode.APPEND, expectations=(KNOWN,))
    lake.load(flights((1, "AA")))
    later(lake, days=30)
    (done,) = maintain(lake)["tables"]
    assert done["finished"] and done["deleted_staged"] > 0 and ids(lake) == [1]


def test_a_wrong_input_says_what_is_accepted(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    with pytest.raises(InputError, match=r"accepted are \{\} \(what is due\)"):
        maintain(lake, {"table": "x"})
    with pytest.raises(InputError, match=r"there is no table 'x'.* it has lake\.ops\.flights"):
        maintain(lake, {"dataset": "x"})


def test_one_table_that_fails_does_not_hold_back_the_others(lake: Lake) -> None:
    filled(lake)
    other = "lake.ops.other"
    lake.collected(Mode.APPEND, other)
    lake.run(f"{other}:load", lake.stage(flights((1, "AA")), dataset=other))
    lake.cloud.session.client("glue").update_table(
        DatabaseName="lake_ops", TableInput={"Name": "other", "Parameters": {"table_type": "HIVE"}}
    )
    with pytest.raises(AtollError, match=r"maintenance failed of 1 tables: lake\.ops\.other: .*HIVE"):
        maintain(lake, {})
    assert data_files(lake) == 1


def unlike(lake: Lake) -> set[Difference]:
    """What is recorded otherwise than it has to be."""
    found = Facts.of(scan(lake.cloud.dynamodb, lake.cloud.table))
    return set(differences(found, lake.cloud.reader.programs(), lake.cloud.clock.now))


def test_batches_and_versions_age_into_the_lake_and_what_is_made_then_is_as_before(lake: Lake) -> None:
    """With the rights of its role, and beside a view that goes on."""
    lake.collected(Mode.APPEND)
    lake.view("SELECT COUNT(*) AS id FROM lake.ops.flights")
    loaded(lake, 6)
    counts_one_more_each_time(lake, 6)
    later(lake, days=400)
    made = {FLIGHTS: f"{FLIGHTS}:staged", f"{FLIGHTS}:load": FLIGHTS, VIEW: VIEW}
    firsts = {flow: lake.cloud.reader.first_version(dataset) for flow, dataset in made.items()}
    before = unlike(lake)
    for dataset in (VIEW, FLIGHTS):
        (count,) = maintain(lake, {"dataset": dataset})["tables"]
        assert count["finished"] and count["aged_batches"] > 0 and count["aged_versions"] > 0
    for flow, first in firsts.items():
        assert first and lake.cloud.reader.batch(flow, first.interval.start) is None
        aged = lake.cloud.reader.aged_batches(flow)
        assert aged and aged.token >= first.token and lake.cloud.keys(f"history/{flow.replace(':', '/')}/")
    loaded(lake, 1)
    lake.run(VIEW)
    assert (ids(lake, VIEW), len(ids(lake))) == ([7], 7)
    assert unlike(lake) <= before
