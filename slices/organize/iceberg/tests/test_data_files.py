"""What Iceberg is told of a file: partitions as they were written, whatever the values are, and bounds that no value is beyond."""

from __future__ import annotations

import io
import math
import struct
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.expressions import EqualTo

from shared_metadata.contract.maintenance.step import MaintainStep
from shared_metadata.errors import RowError
from shared_metadata.program import Mode
from slices.organize.iceberg.handlers import open_driver
from slices.organize.iceberg.slice import SLICE
from slices.organize.iceberg.tests.test_conformance import TestConformance as Suite
from slices.organize.iceberg.tests.test_tables import lake, table
from systems.iceberg.compaction import LEAST_FILES
from systems.iceberg.data_files import upper_bound
from tests.conformance.fixtures import FakeContext
from tests.conformance.organize import FLIGHTS, ID, Lake, Typed

__all__ = ["lake"]
HOUR = 3600 * 10**6
MOMENT = datetime(9999, 12, 31, 23, 59, 59, 999999)
VALUES: dict[str, tuple[Any, list[Any]]] = {
    "string": (
        pa.string(),
        [
            "",
            "x" * 300,
            "x" * 301,
            "é" * 300,
            "a" + "é" * 300,
            "東" * 2000,
            "\U0010ffff" * 300,
            "\ud7ff" * 20,
            "a/b=ü%.. ",
            "null",
            "NULL",
        ],
    ),
    "binary": (pa.binary(), [b"", b"\x00\xff" * 300, b"\xff" * 300, b"=/"]),
    "double": (pa.float64(), [math.nan, -0.0, 0.0, math.inf, -math.inf, 5e-324, 0.1]),
    "float": (pa.float32(), [math.nan, -0.0, 0.0, math.inf, 1.5]),
    "decimal(38,10)": (pa.decimal128(38, 10), [Decimal("-9999999999999999999999999999.9999999999"), Decimal("0E-10")]),
    "decimal(9,2)": (pa.decimal128(9, 2), [Decimal("-1.50"), Decimal("9999999.99")]),
    "boolean": (pa.bool_(), [True, False]),
    "int": (pa.int32(), [-(2**31), 0]),
    "long": (pa.int64(), [2**63 - 1, -1]),
    "date": (pa.date32(), [date(1, 1, 1), date(1969, 12, 31), date(9999, 12, 31)]),
    "time": (pa.time64("us"), [time(0), time(23, 59, 59, 999999)]),
    "timestamp": (pa.timestamp("us"), [datetime(1, 1, 1), MOMENT]),
    "timestamptz": (pa.timestamp("us", "UTC"), [datetime(1, 1, 1, tzinfo=UTC), MOMENT.replace(tzinfo=UTC)]),
    "uuid": (pa.binary(16), [UUID(int=0).bytes, UUID(int=2**128 - 1).bytes]),
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kind", VALUES)
def test_a_partition_is_exactly_what_its_rows_hold(lake: Lake, kind: str) -> None:
    arrow, values = VALUES[kind]
    columns: list[Typed] = [ID[0], ("p", kind, arrow)]
    lake.collected(Mode.APPEND, partition_by=("p",))
    every = [*values, None]
    lake.load([{"id": number, "p": value} for number, value in enumerate(every * 2)], columns)
    files = [task.file for task in table(lake).scan().plan_files()]
    assert len(files) == len(every) and all(file.record_count == 2 for file in files)
    found = {row["id"]: row["p"] for row in Suite().read(lake.cloud, FLIGHTS)}
    for number, value in enumerate(every):
        assert repr(_plain(found[number])) == repr(_plain(value))
    for file in files:
        held = _read(lake, file.file_path)
        assert len({repr(value) for value in held}) == 1
        assert repr(file.partition[0]) == repr(_counted(held[0]))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kind", VALUES)
def test_a_partition_of_any_value_is_written_anew_by_later_batches(lake: Lake, kind: str) -> None:
    arrow, values = VALUES[kind]
    columns: list[Typed] = [ID[0], ("p", kind, arrow), ("n", "int", pa.int32())]
    lake.collected(Mode.MERGE, key=("id",), partition_by=("p",))
    every = [*values, None]
    for batch in range(2):
        rows = [{"id": number, "p": value, "n": batch} for number, value in enumerate(every)]
        lake.load([*rows, {"id": 100 + batch, "p": every[0], "n": 9}], columns)
    found = {row["id"]: (repr(_plain(row["p"])), row["n"]) for row in Suite().read(lake.cloud, FLIGHTS)}
    expected = {number: (repr(_plain(value)), 1) for number, value in enumerate(every)}
    assert found == expected | {100 + batch: (repr(_plain(every[0])), 9) for batch in range(2)}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC)
    return value.bytes if isinstance(value, UUID) else value


def test_pyiceberg_still_reads_doubles_as_floats() -> None:
    """When this fails, exact_doubles can go."""
    from pyiceberg.avro.decoder import new_decoder

    assert new_decoder(struct.pack("<d", 0.1)).read_double() != 0.1


def _counted(value: Any) -> Any:
    """As Iceberg's manifests hold it."""
    if isinstance(value, datetime):
        since = value.replace(tzinfo=None) - datetime(1970, 1, 1)
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if isinstance(value, date):
        return (value - date(1970, 1, 1)).days
    if isinstance(value, time):
        return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    return value


def _read(lake: Lake, path: str) -> list[Any]:
    import pyarrow.parquet as pq

    key = path.removeprefix(f"s3://{lake.cloud.bucket}/")
    return pq.read_table(io.BytesIO(lake.cloud.body(key)), columns=["p"]).column("p").to_pylist()  # type: ignore[no-any-return]


def test_several_columns_make_one_partition_and_rewriting_keeps_it(lake: Lake) -> None:
    columns: list[Typed] = [ID[0], ("a", "string", pa.string()), ("b", "string", pa.string())]
    lake.collected(Mode.MERGE, key=("id",), partition_by=("a", "b"))
    pairs = [("x", "yz"), ("xy", "z"), ("x", None), (None, "x"), ("-", None), (None, "-"), ("é" * 300, "é" * 301)]
    rows = [{"id": number, "a": a, "b": b} for number, (a, b) in enumerate(pairs)]
    lake.load(rows, columns)
    lake.load([{**rows[0], "a": "moved"}, *rows[1:3]], columns)
    partitions = sorted(repr(tuple(task.file.partition)) for task in table(lake).scan().plan_files())
    assert partitions == sorted(map(repr, [("moved", "yz"), *pairs[1:]]))
    assert len(Suite().read(lake.cloud, FLIGHTS)) == len(pairs)


def test_a_list_or_a_struct_partitions_no_table(lake: Lake) -> None:
    lake.collected(Mode.APPEND, partition_by=("p",))
    lake.stage([{"id": 1, "p": ["x"]}], [ID[0], ("p", "list<string>", pa.list_(pa.field("element", pa.string())))])
    told = str(lake.run(f"{FLIGHTS}:load", record_errors=True).errors[FLIGHTS])
    assert "PARTITION BY names p, which is a list<string>" in told


def test_a_row_is_found_by_its_key_although_a_footer_tells_bounds_of_a_part_of_the_file_only(lake: Lake) -> None:
    """As DuckDB's of a text that no longer one follows, in one row group of several; a merge reads only files that may hold a key."""
    columns: list[Typed] = [ID[0], ("upto", "long", pa.int64())]
    short = 125_000  # rows: more than one row group, of which the last has none but long texts
    text = f"CASE WHEN n < {short} THEN 'a' || n ELSE repeat(chr(1114111), 300) || n END"
    lake.collected(Mode.REPLACE)
    lake.view(f"SELECT n, {text} AS id FROM {FLIGHTS} f, range(f.id, f.upto) t(n)", Mode.MERGE, key=("id",))
    for row in ({"id": 0, "upto": short + 10}, {"id": short, "upto": short + 11}):
        lake.load([row], columns)
        lake.run("lake.ops.carrier_day")
    found = table(lake, "carrier_day").scan(selected_fields=("n",)).to_arrow().column("n")
    assert len(found) == len(found.unique()) == short + 11


def test_zeros_of_both_signs_lie_within_the_bounds_for_readers_that_tell_them_apart(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    lake.load([{"id": 1, "v": -0.0}, {"id": 2, "v": 0.0}], [ID[0], ("v", "double", pa.float64())])
    (file,) = [task.file for task in table(lake).scan().plan_files()]
    field = table(lake).schema().find_field("v").field_id
    assert (file.lower_bounds[field], file.upper_bounds[field]) == (bytes(7) + b"\x80", bytes(8))
    assert len(table(lake).scan(row_filter=EqualTo("v", 0.0)).to_arrow()) == 2


def test_a_moment_that_python_does_not_know_has_no_bound_and_is_kept(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    lake.view(f"SELECT id, TIMESTAMP '20000-01-01' AS far FROM {FLIGHTS}", dataset="lake.ops.far")
    lake.load([{"id": 1}], [ID[0]])
    lake.run("lake.ops.far")
    (file,) = [task.file for task in table(lake, "far").scan().plan_files()]
    assert table(lake, "far").schema().find_field("far").field_id not in file.upper_bounds
    assert table(lake, "far").scan().to_arrow().column("far").cast(pa.int64()).to_pylist() == [568_971_820_800 * 10**6]


def test_a_table_in_which_another_engine_wrote_24_00_is_merged_into_and_compacted(lake: Lake) -> None:
    """No batch brought it. A bound would be that of midnight, before all other times, so that there is none."""
    columns: list[Typed] = [ID[0], ("at", "time", pa.time64("us"))]
    lake.collected(Mode.MERGE, key=("id",))
    lake.load([{"id": 1, "at": 9 * HOUR}], columns)
    batch = table(lake).scan().to_arrow().column("_batch")[0]
    rows = [{"id": number, "at": at, "_batch": batch} for number, at in ((2, 24 * HOUR), (3, 10 * HOUR))]
    table(lake).append(pa.Table.from_pylist(rows, table(lake).schema().as_arrow()))
    lake.load([{"id": 3, "at": 11 * HOUR}], columns)
    assert _times(lake) == {1: 9, 2: 24, 3: 11} and _bounds(lake, "at") == {1: 9, 2: None, 3: 11}
    lake.load([{"id": number, "at": 12 * HOUR} for number in range(4, 4 + LEAST_FILES)], columns, files=LEAST_FILES)
    step = MaintainStep(SLICE, lake.cloud.services(SLICE.id), open_driver)
    assert step({"dataset": FLIGHTS}, FakeContext())["tables"][0]["new_files"] == 1
    assert _times(lake) == {1: 9, 2: 24, 3: 11, **dict.fromkeys(range(4, 4 + LEAST_FILES), 12)} and _bounds(lake, "at") == {1: None}
    lake.stage([{"id": 5, "at": 24 * HOUR}], columns)
    with pytest.raises(RowError, match="the column at holds the time 24:00"):
        lake.run(f"{FLIGHTS}:load")


def _times(lake: Lake) -> dict[int, int]:
    """The hours of the column `at`, by id."""
    rows = table(lake).scan().to_arrow()
    return {row: at // HOUR for row, at in sorted(zip(rows["id"].to_pylist(), rows["at"].cast(pa.int64()).to_pylist(), strict=True))}


def _bounds(lake: Lake, column: str) -> dict[int, int | None]:
    """The first id of each file ▸ the greatest hour that it says to have."""
    fields = [table(lake).schema().find_field(name).field_id for name in ("id", column)]
    said = [(file.file.lower_bounds[fields[0]], file.file.upper_bounds.get(fields[1])) for file in table(lake).scan().plan_files()]
    numbers = [tuple(int.from_bytes(bound, "little") if bound else None for bound in pair) for pair in said]
    return {first: at // HOUR if at is not None else None for first, at in numbers if first is not None}


def test_a_column_whose_name_has_a_dot_comes_and_widens(lake: Lake) -> None:
    lake.collected(Mode.APPEND)
    lake.load([{"id": 1}], [ID[0]])
    for kind, arrow, value in (("int", pa.int32(), 1), ("long", pa.int64(), 2**40)):
        lake.load([{"id": 2, "dotted.name": value}], [ID[0], ("dotted.name", kind, arrow)])
    assert sorted(str(row["dotted.name"]) for row in Suite().read(lake.cloud, FLIGHTS)) == ["1", str(2**40), "None"]


@given(st.text(min_size=17, max_size=20) | st.sampled_from(["\ud7ff" * 20, "\U0010ffff" * 20, "a" + "\U0010ffff" * 20]))
def test_a_bound_that_is_cut_is_a_text_and_above_whatever_it_stands_for(text: str) -> None:
    bound = upper_bound(text, 16)
    if bound is None:
        assert text[:16] == "\U0010ffff" * 16
    else:
        assert bound > text and len(bound) <= 16 and bound.encode().decode() == bound
