"""A MERGE that names rows as deleted beside their files gives what one gives that writes the files anew, to whoever reads them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyiceberg.manifest import write_manifest

from shared_metadata.program import Mode
from shared_metadata.program.intervals import Interval
from slices.organize.iceberg.handlers import open_driver
from slices.organize.iceberg.slice import SLICE
from slices.organize.iceberg.tests.test_conformance import TestConformance as Suite
from slices.organize.iceberg.tests.test_maintenance import later, maintain
from slices.organize.iceberg.tests.test_tables import paths, table
from systems.iceberg import beside, compaction
from systems.iceberg.delete_files import delete_files, deleted_rows
from systems.iceberg.maintenance import TableMaintenance
from tests.conformance.fixtures import Cloud, FakeContext, open_cloud
from tests.conformance.organize import FLIGHTS, ID, VIEW, Lake, Typed, flights

MANY = 20  # rows of a file, of which some may be deleted
DELETED: Typed = ("_deleted", "boolean", pa.bool_())
MORE: Typed = ("more", "string", pa.string())
PART: Typed = ("part", "double", pa.float64())


@pytest.fixture(autouse=True)
def small_files_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of MANY rows is large, and half of its rows may go."""
    monkeypatch.setattr(beside, "LEAST_BYTES", 0)
    monkeypatch.setattr(beside, "WORN", 0.5)
    monkeypatch.setattr(compaction, "WORN", 0.5)


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    for cloud in open_cloud(monkeypatch):
        yield Lake(cloud, SLICE, open_driver)
        Suite().forget(cloud)


def filled(lake: Lake, **clauses: Any) -> str:
    """A table of MANY rows in one file, in MERGE; the file."""
    lake.collected(Mode.MERGE, key=("id",), **clauses)
    lake.load(flights(*((number, "AA", 1.0) for number in range(MANY))))
    (file,) = paths(lake)
    return file


def rows(lake: Lake, pointer: Any = None) -> dict[int, str]:
    found = [(row["id"], row["carrier"]) for row in Suite().read(lake.cloud, FLIGHTS, pointer)]
    assert len(found) == len(dict(found)), "a key is there twice"
    return dict(found)


def deletes(lake: Lake) -> list[Any]:
    found = table(lake)
    return delete_files(found, found.metadata.current_snapshot_id)


def before(**changed: str) -> dict[int, str]:
    return dict.fromkeys(range(MANY), "AA") | {int(name[1:]): carrier for name, carrier in changed.items()}


def test_a_large_file_stays_and_its_rows_are_deleted_beside_it(lake: Lake) -> None:
    lake.view(f"SELECT count(*) AS id, max(carrier) AS carrier FROM {FLIGHTS}", inputs=(FLIGHTS,))
    file = filled(lake)
    first = lake.pointer(FLIGHTS)
    lake.load(flights((3, "UA", 2.0), (99, "UA", 2.0)))
    assert file in paths(lake) and len(deletes(lake)) == 1
    assert rows(lake) == before(_3="UA", _99="UA") and rows(lake, first) == before()
    pointer = lake.pointer(FLIGHTS)
    assert (pointer["total_rows"], pointer["rewritten_rows"], pointer["looked_rows"]) == (MANY + 1, 0, MANY)
    lake.run(VIEW)
    lake.run(VIEW)
    assert [(row["id"], row["carrier"]) for row in Suite().read(lake.cloud, VIEW)] == [(MANY + 1, "UA")]


def test_a_table_has_one_delete_file_after_many_batches_and_each_row_is_in_it_once(lake: Lake) -> None:
    file = filled(lake)
    for number in (3, 4, 3, 5):
        lake.load(flights((number, f"{number}", 2.0)))
    (held,) = deletes(lake)
    assert deleted_rows(table(lake).io, [held])[file] == 3
    assert rows(lake) == before(_3="3", _4="4", _5="5")


def test_what_a_delete_file_holds_is_what_the_format_asks_for(lake: Lake) -> None:
    """Readers find its columns by their ids, and skip what lies before and behind a file's path."""
    file = filled(lake)
    lake.load(flights((7, "UA"), (3, "UA")))
    (held,) = deletes(lake)
    key = held.file_path.removeprefix(f"s3://{lake.cloud.bucket}/")
    read = pq.ParquetFile(pa.BufferReader(lake.cloud.body(key)))
    assert [(field.name, field.metadata[b"PARQUET:field_id"], field.nullable) for field in read.schema_arrow] == [
        ("file_path", b"2147483546", False),
        ("pos", b"2147483545", False),
    ]
    assert read.read().to_pylist() == [{"file_path": file, "pos": 3}, {"file_path": file, "pos": 7}]
    assert (held.record_count, held.file_size_in_bytes) == (2, len(lake.cloud.body(key)))
    assert held.lower_bounds[2147483546] == held.upper_bounds[2147483546] == file.encode()


def test_of_a_file_with_too_many_deleted_rows_what_is_left_is_written_anew(lake: Lake) -> None:
    file = filled(lake)
    lake.load(flights(*((number, "UA", 2.0) for number in range(8))))
    assert file in paths(lake) and deletes(lake)
    lake.load(flights(*((number, "DL", 2.0) for number in range(8, 16))))
    assert file not in paths(lake)
    assert not any(path == file for path in deleted_rows(table(lake).io, deletes(lake)))
    assert rows(lake) == before(**{f"_{n}": "UA" if n < 8 else "DL" for n in range(16)})
    assert lake.pointer(FLIGHTS)["total_rows"] == MANY


def test_a_batch_that_is_run_again_adds_its_own_files_again_with_all_of_their_rows(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By reference: the file of the first time is the same, and of it nothing may be deleted."""
    monkeypatch.setattr(beside, "WORN", 1.0)
    filled(lake)
    interval = lake.load(flights((3, "UA", 2.0), (4, "UA", 2.0), (5, "UA", 2.0)))
    lake.run(f"{FLIGHTS}:load", interval, rerun=True)
    assert rows(lake) == before(_3="UA", _4="UA", _5="UA") and lake.pointer(FLIGHTS)["total_rows"] == MANY
    lake.load(flights((4, "DL", 3.0)))
    lake.run(f"{FLIGHTS}:load", interval, rerun=True)
    assert rows(lake) == before(_3="UA", _4="DL", _5="UA") and lake.pointer(FLIGHTS)["total_rows"] == MANY


def test_rows_that_the_source_has_no_more_are_marked(lake: Lake) -> None:
    columns = [*ID, DELETED]
    lake.collected(Mode.MERGE, key=("id",))
    lake.load(flights(*((number, "AA", 1.0) for number in range(MANY))), columns)
    (file,) = paths(lake)
    lake.load(flights((3, "UA", 2.0)), columns, left=[{"id": 5}, {"id": 77}])
    found = {row["id"]: (row["carrier"], row["_deleted"]) for row in Suite().read(lake.cloud, FLIGHTS)}
    assert file in paths(lake) and len(found) == MANY and (found[3], found[5]) == (("UA", None), ("AA", True))


def test_partitions_have_delete_files_of_their_own_also_that_of_null_and_nan_is_written_anew(lake: Lake) -> None:
    """pyiceberg looks for them by the partition's value, and NaN is not equal to itself."""
    columns = [*ID, PART]
    lake.collected(Mode.MERGE, key=("id",), partition_by=("part",))
    parts = [1.5, None, math.nan, -0.0, 0.0]
    every = [{"id": number, "carrier": "AA", "part": parts[number % 5]} for number in range(50)]
    lake.load(every, columns)
    former = set(paths(lake))
    moved = [{"id": number, "carrier": "UA", "part": 1.5} for number in range(5)]
    lake.load(moved, columns)
    assert len(former & set(paths(lake))) == 4 and len(deletes(lake)) == 4
    found = {row["id"]: (row["carrier"], row["part"]) for row in Suite().read(lake.cloud, FLIGHTS)}
    expected = {row["id"]: (row["carrier"], row["part"]) for row in (*every, *moved)}
    assert sorted(map(str, found.items())) == sorted(map(str, expected.items()))


def test_a_table_that_is_replaced_has_no_delete_files_any_more(lake: Lake) -> None:
    filled(lake)
    lake.load(flights((3, "UA", 2.0)))
    lake.change(f"{FLIGHTS}:load", mode=Mode.REPLACE, key=())
    lake.load(flights((1, "AA", 1.0)))
    assert rows(lake) == {1: "AA"} and deletes(lake) == [] and lake.pointer(FLIGHTS)["total_rows"] == 1


def test_a_warehouse_without_delete_files_has_none(lake: Lake) -> None:
    lake.options = {"delete_files": False}
    file = filled(lake)
    lake.load(flights((3, "UA", 2.0)))
    assert file not in paths(lake) and deletes(lake) == [] and rows(lake) == before(_3="UA")


def test_maintenance_writes_a_file_anew_of_which_many_rows_are_deleted(lake: Lake) -> None:
    file = filled(lake)
    lake.load(flights(*((number, "UA", 2.0) for number in range(8))))
    (done,) = maintain(lake)["tables"]
    assert file not in paths(lake) and deletes(lake) == [] and done["compacted_rows"] == MANY - 8
    assert rows(lake) == before(**{f"_{n}": "UA" for n in range(8)})


def test_maintenance_leaves_a_file_alone_of_which_few_are(lake: Lake) -> None:
    file = filled(lake)
    lake.load(flights((1, "UA", 2.0)))
    maintain(lake)
    assert file in paths(lake) and len(deletes(lake)) == 1 and rows(lake) == before(_1="UA")


def test_of_a_table_with_too_many_deleted_rows_maintenance_writes_the_worst_files_anew(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "MOST_ROWS", 6)
    filled(lake)
    lake.load(flights(*((number, "AA", 1.0) for number in range(MANY, 2 * MANY))))
    lake.load(flights(*((number, "UA", 2.0) for number in (1, 2, 3, MANY))))
    maintain(lake)
    assert sum(deleted_rows(table(lake).io, deletes(lake)).values()) == 1
    assert set(rows(lake)) == set(range(2 * MANY))


def test_rows_that_a_batch_deletes_while_maintenance_writes_their_file_anew_stay_deleted(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = filled(lake)
    lake.load(flights(*((number, "UA", 2.0) for number in range(8))))
    swap = TableMaintenance._swap

    def meanwhile(self: Any, *arguments: Any) -> Any:
        lake.load(flights((9, "DL", 2.0)))
        return swap(self, *arguments)

    monkeypatch.setattr(TableMaintenance, "_swap", meanwhile)
    maintain(lake)
    assert file in paths(lake), "the batch wins"
    assert rows(lake) == before(**{f"_{n}": "UA" for n in range(8)}, _9="DL")


def test_delete_files_that_no_version_needs_are_garbage_and_the_others_stay(lake: Lake) -> None:
    filled(lake)
    for number in (3, 4, 5):
        lake.load(flights((number, "UA", 2.0)))
    assert len(lake.cloud.keys("warehouse/lake/ops/flights/data/deletes/")) == 3
    later(lake, days=30)
    (done,) = maintain(lake)["tables"]
    (held,) = deletes(lake)
    assert done["expired_versions"] and lake.cloud.keys("warehouse/lake/ops/flights/data/deletes/") == [
        held.file_path.split("/", 3)[3]
    ]
    assert rows(lake) == before(_3="UA", _4="UA", _5="UA")


def test_a_batch_that_commits_behind_one_that_deleted_rows_of_the_same_file_keeps_both(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from systems.iceberg.tables import Tables

    filled(lake)
    first = lake.cloud.reader.first_version(FLIGHTS)
    assert first is not None
    lake.stage(flights((3, "UA", 2.0)))
    state = lake.until_commit(f"{FLIGHTS}:load")
    write, once = Tables._write, iter([True])

    def meanwhile(self: Any, *arguments: Any) -> Any:
        if next(once, False):
            lake.load(flights((4, "DL", 2.0), (3, "old", 0.0)), again=first.interval)
        return write(self, *arguments)

    monkeypatch.setattr(Tables, "_write", meanwhile)
    assert lake.steps().commit(state, FakeContext())["status"] == "COMMITTED"
    found = rows(lake)
    assert (found[3], found[4]) == ("UA", "DL") and len(found) == MANY


def test_files_are_found_by_each_part_of_a_key_and_not_by_the_range_of_all(lake: Lake) -> None:
    """Keys at both ends leave the files between them unread."""
    from systems.iceberg import changes

    lake.collected(Mode.MERGE, key=("carrier", "id"))
    for carrier in ("a", "b", "c"):
        lake.load(flights(*((number, carrier, 1.0) for number in range(MANY))))
    met: list[int] = []
    pruned = changes.pruned

    def counted(*arguments: Any) -> Any:
        found = pruned(*arguments)
        met.append(len(found))
        return found

    for brought, files in ((((1, "a"), (1, "c")), 2), (((MANY, "b"), (MANY + 1, "c")), 0), (((0, "b"),), 1)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(changes, "pruned", counted)
            lake.load(flights(*brought))
        assert met.pop() == files
    assert len(Suite().read(lake.cloud, FLIGHTS)) == 3 * MANY + 2


def test_pyiceberg_still_writes_no_delete_files() -> None:
    """When this fails, overwriting may do with less."""
    assert "content" not in inspect.signature(write_manifest).parameters


# -- any sequence of batches

KEYS = st.integers(0, 11)
BATCHES = st.lists(
    st.tuples(
        st.dictionaries(KEYS, st.tuples(st.sampled_from(["AA", "UA"]), st.sampled_from([1.5, None, math.nan, 0.0])), max_size=5),
        st.sets(KEYS, max_size=2),  # the source has no more
        st.sampled_from(["", "", "maintain", "meanwhile", "again", "more"]),
    ),
    min_size=1,
    max_size=6,
)


def maintained_meanwhile(lake: Lake, brought: list[Any], columns: list[Typed]) -> Interval:
    """Maintains the table while a batch brings these rows: when the first files are written anew and not committed, if any are."""
    loaded: list[Interval] = []
    swap = TableMaintenance._swap

    def meanwhile(self: Any, *arguments: Any) -> Any:
        if not loaded:
            loaded.append(lake.load(brought, columns))
        return swap(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TableMaintenance, "_swap", meanwhile)
        maintain(lake)
    return loaded[0] if loaded else lake.load(brought, columns)


def outcome(batches: list[Any], partition_by: tuple[str, ...], **options: Any) -> tuple[list[str], int]:
    """All rows of the table, and how many it says to have."""
    with pytest.MonkeyPatch.context() as patch:
        for cloud in open_cloud(patch):
            try:
                return _rows(cloud, batches, partition_by, options)
            finally:
                Suite().forget(cloud)
    raise AssertionError


def _rows(cloud: Cloud, batches: list[Any], partition_by: tuple[str, ...], options: dict[str, Any]) -> tuple[list[str], int]:
    lake = Lake(cloud, SLICE, open_driver)
    lake.options = options
    columns = [*ID, PART, DELETED]
    lake.collected(Mode.MERGE, key=("id",), partition_by=partition_by)
    every = [{"id": number, "carrier": "AA", "delay": 0.0, "part": [1.5, None][number % 2]} for number in range(12)]
    interval: Interval = lake.load(every, columns)
    for number, (changed, gone, then) in enumerate(batches):
        if then == "more" and MORE not in columns:
            columns = [*columns, MORE]
        brought = [{"id": key, "carrier": c, "delay": number, "part": part} for key, (c, part) in changed.items()]
        last = lake.load(brought, columns, left=[{"id": key} for key in sorted(gone - changed.keys())])
        if then == "maintain":
            maintain(lake)
        if then == "meanwhile":
            more = [{"id": key, "carrier": "DL", "delay": number, "part": 1.5} for key in range(number % 4, 12, 4)]
            last = maintained_meanwhile(lake, more, columns)
        if then == "again":
            lake.run(f"{FLIGHTS}:load", interval, rerun=True)
        interval = last
    found = sorted(str(sorted(row.items())) for row in Suite().read(cloud, FLIGHTS))
    total = lake.pointer(FLIGHTS)["total_rows"]
    assert total == len(found)
    return found, total


@pytest.mark.budget(120)
@pytest.mark.timeout(900)
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(BATCHES, st.sampled_from([(), ("part",)]))
def test_any_batches_give_what_they_give_where_files_are_written_anew(batches: list[Any], partition_by: tuple[str, ...]) -> None:
    assert outcome(batches, partition_by) == outcome(batches, partition_by, delete_files=False)
