"""Situations in which others lost rows, doubled them or changed their values in a lake of Iceberg tables: each tried here."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.expressions import And, BooleanExpression, EqualTo, GreaterThan, GreaterThanOrEqual, IsNaN, IsNull, NotNull
from pyiceberg.types import FixedType

from shared_metadata.errors import DefinitionError, RowError
from shared_metadata.program import Mode
from slices.organize.iceberg.tests.test_conformance import TestConformance as Suite
from slices.organize.iceberg.tests.test_tables import lake, table
from tests.conformance.organize import FLIGHTS, ID, VIEW, Lake, Typed

__all__ = ["lake"]
NAN, INFINITY = float("nan"), float("inf")


def merged(lake: Lake, kind: str, arrow: Any, *batches: Sequence[Any]) -> list[tuple[Any, int]]:
    """(key, number of the batch that brought it last) of a table whose keys came in these batches."""
    lake.collected(Mode.MERGE, key=("k",))
    for number, keys in enumerate(batches):
        lake.load([{"k": key, "batch": number} for key in keys], [("k", kind, arrow), ("batch", "int", pa.int32())])
    found = table(lake).scan(selected_fields=("k", "batch")).to_arrow()
    return sorted(zip(map(str, found.column("k").to_pylist()), found.column("batch").to_pylist(), strict=True))


KEYS: dict[str, tuple[str, Any, list[list[Any]], int]] = {  # type, pyarrow's, the keys of two batches, how many rows are to be there
    # iceberg-python #1835, #2426, dbcrossbar #43: null keys are added again and again, or refused
    "null": ("string", pa.string(), [[None, "a"], [None, "a"]], 2),
    # iceberg-python #3384: a key whose sign or whose NaN is told apart by the one and not by the other
    "NaN": ("double", pa.float64(), [[NAN, 1.0], [NAN, 1.0]], 2),
    "zeros of both signs": ("double", pa.float64(), [[-0.0], [0.0]], 1),
    "infinities": ("float", pa.float32(), [[INFINITY, -INFINITY], [INFINITY, -INFINITY]], 2),
    # duckdb #23504: bounds of wide decimals that cover a part of the file
    "a wide decimal": ("decimal(38,10)", pa.decimal128(38, 10), [[Decimal("9" * 28), Decimal(-1)], [Decimal("9" * 28)]], 2),
    # apache/paimon #5008, iceberg-rust #2544, duckdb-iceberg #1138: bounds of texts that are cut
    "a text that differs past its bound": ("string", pa.string(), [["x" * 40 + "a"], ["x" * 40 + "b", "x" * 40 + "a"]], 2),
    "letters of four bytes": ("string", pa.string(), [["\U0010ffff" * 20, "é" * 20], ["\U0010ffff" * 20, "é" * 20]], 2),
    "an empty text": ("string", pa.string(), [["", " "], ["", " "]], 2),
    "bytes": ("binary", pa.binary(), [[b"", b"\xff" * 40], [b"", b"\xff" * 40]], 2),
    "truth": ("boolean", pa.bool_(), [[True, False], [True, None]], 3),
    "the first and the last day": ("date", pa.date32(), [[date.min, date.max], [date.min, date.max]], 2),
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("situation", KEYS)
def test_a_key_is_there_once(lake: Lake, situation: str) -> None:
    kind, arrow, batches, rows = KEYS[situation]
    found = merged(lake, kind, arrow, *batches)
    assert len(found) == rows
    assert sum(number for _, number in found) == len(batches[1])


# pg_duckdb #629, duckdb #10323, #23821: DuckDB tells Python that an infinite day is the last one of its calendar
@pytest.mark.parametrize("day", ["infinity", "-infinity", "20000-01-01", "0044-03-15 (BC)"])
def test_a_day_beyond_pythons_calendar_is_a_key_that_is_there_once(lake: Lake, day: str) -> None:
    lake.collected(Mode.APPEND)
    lake.view(f"SELECT DATE '{day}' AS k, max(id) AS id FROM {FLIGHTS}", Mode.MERGE, key=("k",))
    for number in (1, 2):
        lake.load([{"id": number}], ID[:1])
        lake.run(VIEW)
    assert table(lake, "carrier_day").scan(selected_fields=("id",)).to_arrow().column("id").to_pylist() == [2]


FILTERS: dict[
    str, tuple[Any, list[Any], BooleanExpression, int]
] = {  # pyarrow's type, the rows of one file, a filter, how many it finds
    # iceberg #9130, #6516, trino #5127, hudi #18754: one NaN, and rows beside it are passed over
    "above, beside NaN": (pa.float64(), [NAN, 1.0, 300.0], GreaterThan("v", 250.0), 1),
    "equal, beside NaN": (pa.float64(), [NAN, 1.0], EqualTo("v", 1.0), 1),
    "NaN": (pa.float64(), [NAN, 1.0], IsNaN("v"), 1),
    "not null, of nothing but NaN": (pa.float64(), [NAN], NotNull("v"), 1),
    # duckdb-iceberg #782, #691, datafusion #18241: nulls that are not counted are taken for none
    "null": (pa.string(), [None, "a"], IsNull("v"), 1),
    "not null": (pa.string(), [None, "a"], NotNull("v"), 1),
    "null, of nothing but null": (pa.string(), [None, None], IsNull("v"), 2),
    # hyparquet-writer #38: bounds of decimals by another scale
    "a decimal": (pa.decimal128(9, 2), [Decimal("123.45")], And(GreaterThanOrEqual("v", "123.45"), GreaterThan("v", "123.44")), 1),
    # duckdb #5533: bounds in another unit
    "a moment": (pa.timestamp("us", "UTC"), [0], GreaterThanOrEqual("v", "1970-01-01T00:00:00+00:00"), 1),
}
ICEBERG = {
    pa.float64(): "double",
    pa.string(): "string",
    pa.decimal128(9, 2): "decimal(9,2)",
    pa.timestamp("us", "UTC"): "timestamptz",
}


@pytest.mark.parametrize("situation", FILTERS)
def test_another_engine_finds_what_a_filter_names(lake: Lake, situation: str) -> None:
    arrow, values, condition, rows = FILTERS[situation]
    lake.collected(Mode.APPEND)
    lake.load([{"id": n, "v": value} for n, value in enumerate(values)], [ID[0], ("v", ICEBERG[arrow], arrow)])
    scan = table(lake).scan(row_filter=condition)
    assert len(list(scan.plan_files())) == 1
    if not isinstance(condition, IsNaN):  # of which pyarrow, that reads here, finds none beside others: arrow #34162
        assert len(scan.to_arrow()) == rows


def test_another_engine_finds_a_partition_by_a_long_text(lake: Lake) -> None:
    """duckdb-iceberg #1048, ClickHouse #119514: a manifest whose bounds leave its own partition out."""
    lake.collected(Mode.APPEND, partition_by=("p",))
    values = ["0123456789abcdef0123", "é" * 30, "\U0010ffff" * 20, "", None]
    lake.load([{"id": n, "p": value} for n, value in enumerate(values)], [ID[0], ("p", "string", pa.string())])
    for value in values:
        condition = IsNull("p") if value is None else EqualTo("p", value)
        assert table(lake).scan(row_filter=condition).to_arrow().column("p").to_pylist() == [value]


WIDER: dict[str, tuple[str, Any, str, Any]] = {
    "int": ("int", pa.int32(), "long", pa.int64()),
    "float": ("float", pa.float32(), "double", pa.float64()),
    "decimal": ("decimal(5,2)", pa.decimal128(5, 2), "decimal(20,2)", pa.decimal128(20, 2)),
}


@pytest.mark.parametrize("partitioned", [False, True])
@pytest.mark.parametrize("kind", WIDER)
def test_a_table_is_read_and_merged_on_after_its_key_has_widened(lake: Lake, kind: str, partitioned: bool) -> None:
    """iceberg-python #3293, #3744: bounds of four bytes of a column that has eight now."""
    narrow, arrow, wide, wider = WIDER[kind]
    lake.collected(Mode.MERGE, key=("k",), partition_by=("k",) if partitioned else ())
    lake.load([{"k": 1, "n": 1}, {"k": 7, "n": 1}], [("k", narrow, arrow), ("n", "int", pa.int32())])
    lake.load([{"k": 1, "n": 2}, {"k": 2, "n": 2}], [("k", wide, wider), ("n", "int", pa.int32())])
    found = table(lake).scan(row_filter=GreaterThanOrEqual("k", 1)).to_arrow()
    rows = zip(map(float, found.column("k").to_pylist()), found.column("n").to_pylist(), strict=True)
    assert sorted(rows) == [(1.0, 2), (2.0, 2), (7.0, 1)]


@pytest.mark.parametrize("nested", [False, True])
def test_rows_of_a_decimal_of_fewer_digits_come_into_a_table_that_has_more(lake: Lake, nested: bool) -> None:
    """A file holds a decimal in as many bytes as its digits need; pyiceberg expects as many as the table's need."""
    lake.collected(Mode.APPEND)
    for digits in (20, 5, 12):
        kind, arrow = f"decimal({digits},2)", pa.decimal128(digits, 2)
        column: Typed = ("v", f"list<{kind}>", pa.list_(pa.field("element", arrow))) if nested else ("v", kind, arrow)
        value = Decimal("123.45")
        lake.load([{"id": digits, "v": [value] if nested else value}], [ID[0], column])
    found = table(lake).scan(**({} if nested else {"row_filter": EqualTo("v", "123.45")})).to_arrow().column("v").to_pylist()
    assert found == [[Decimal("123.45")] if nested else Decimal("123.45")] * 3


NESTED: dict[str, tuple[str, Any, Any]] = {
    "a list": ("list<int>", pa.list_(pa.field("element", pa.int32())), [1, None]),
    "a map": ("map<string, int>", pa.map_(pa.string(), pa.int32()), [("a", 1)]),
    "a struct": ("struct<a: int>", pa.struct([("a", pa.int32())]), {"a": 1}),
    "a list of structs": ("list<struct<a: int>>", pa.list_(pa.field("element", pa.struct([("a", pa.int32())]))), [{"a": 1}, None]),
}


@pytest.mark.parametrize("kind", NESTED)
def test_a_nested_column_that_comes_later_is_null_before(lake: Lake, kind: str) -> None:
    """iceberg-rust #2618, duckdb-iceberg #805, duckdb #22147: older files are no longer read."""
    iceberg, arrow, value = NESTED[kind]
    lake.collected(Mode.MERGE, key=("id",))
    lake.load([{"id": 1}, {"id": 2}], ID[:1])
    lake.load([{"id": 3, "c": value}], [ID[0], ("c", iceberg, arrow)])
    assert {row["id"]: row["c"] for row in Suite().read(lake.cloud, FLIGHTS)} == {1: None, 2: None, 3: value}
    lake.load([{"id": 2, "c": value}], [ID[0], ("c", iceberg, arrow)])  # writes the first file anew
    assert stored(lake, "flights") == {1: None, 2: value, 3: value}


def stored(lake: Lake, name: str) -> dict[int, Any]:
    """id ▸ c, as the table's files hold them; pyiceberg itself reads a null list of structs as an empty one."""
    prefix, found = f"s3://{lake.cloud.bucket}/", dict[int, Any]()
    for task in table(lake, name).scan().plan_files():
        held = pq.read_table(io.BytesIO(lake.cloud.body(task.file.file_path.removeprefix(prefix))))
        found |= {row["id"]: row.get("c") for row in held.to_pylist()}
    return found


LEVELS = [None, [], [None], [{"a": None, "b": []}], [{"a": 1, "b": None}], [None, {"a": 2, "b": ["x", None]}]]


def test_nothing_is_told_from_null_at_every_level(lake: Lake) -> None:
    """duckdb #17577, #4889: an empty list, a null in it, and a field that is null become one another."""
    struct = pa.struct([("a", pa.int32()), ("b", pa.list_(pa.field("element", pa.string())))])
    columns: list[Typed] = [ID[0], ("c", "list<struct<a: int, b: list<string>>>", pa.list_(pa.field("element", struct)))]
    lake.collected(Mode.MERGE, key=("id",))
    lake.view(f"SELECT id, c FROM {FLIGHTS}", partition_by=("id",))
    lake.load([{"id": n, "c": value} for n, value in enumerate(LEVELS)], columns)
    lake.load([{"id": 0, "c": LEVELS[0]}], columns)  # rewrites the file
    for _ in range(2):
        lake.run(VIEW)
    for name in ("flights", "carrier_day"):
        assert stored(lake, name) == dict(enumerate(LEVELS))


CLASHES = {  # iceberg-python #935, iceberg #13807, #10875: names that are joined by dots
    "a column called as another's field": [("a", "struct<b: int>", pa.struct([("b", pa.int32())])), ("a.b", "int", pa.int32())],
    "as another's element": [("a", "list<int>", pa.list_(pa.field("element", pa.int32()))), ("a.element", "int", pa.int32())],
    "as another's key": [("a", "map<string, int>", pa.map_(pa.string(), pa.int32())), ("a.key", "int", pa.int32())],
    "as Parquet calls it": [("a", "list<int>", pa.list_(pa.field("element", pa.int32()))), ("a.list.element", "int", pa.int32())],
}


@pytest.mark.parametrize("situation", CLASHES)
@pytest.mark.parametrize("together", [True, False])
def test_a_name_that_iceberg_cannot_tell_from_a_part_of_another_is_refused(lake: Lake, situation: str, together: bool) -> None:
    first, second = CLASHES[situation]
    lake.collected(Mode.APPEND)
    if not together:
        lake.load([{"id": 1}], [ID[0], first])
    lake.stage([{"id": 1}], [ID[0], *([first] if together else []), second])
    told = str(lake.run(f"{FLIGHTS}:load", record_errors=True).errors[FLIGHTS])
    assert told.startswith("program.atoll:7:3") and f"the columns a and {second[0]} of lake.ops.flights" in told


def test_a_column_of_a_type_that_another_engine_gave_the_table_is_named(lake: Lake) -> None:
    """duckdb #17261, duckdb-iceberg #1003: "fallback to unknown type for 'fixed[16]'", without the column."""
    lake.collected(Mode.APPEND)
    lake.load([{"id": 1}], ID[:1])
    with table(lake).update_schema() as update:
        update.add_column("foreign", FixedType(4))
    lake.stage([{"id": 2}], ID[:1])
    error = lake.run(f"{FLIGHTS}:load", record_errors=True).errors[FLIGHTS]
    assert isinstance(error, DefinitionError) and "a column foreign of the type fixed[4]" in str(error)


REFUSED = {  # what a table would hold as another value
    # duckdb #13325, #23956: digits below a microsecond go without a word
    "nanoseconds": ("TIMESTAMP_NS '2026-01-01 00:00:00.123456789'", "has the type TIMESTAMP_NS"),
    "nanoseconds in a list": ("[TIMESTAMP_NS '2026-01-01']", r"has the type TIMESTAMP_NS[]"),
    "nanoseconds of a day": ("'10:00:00.123456789'::TIME_NS", "has the type TIME_NS"),
    # what pyarrow reads of it is 00:00
    "the end of a day": ("TIME '24:00'", "the column c holds the time 24:00"),
    "the end of a day in a list": ("[TIME '10:00', TIME '24:00']", "the column c.element holds the time 24:00"),
    # duckdb #6443: a Parquet group without children
    "a struct of nothing": ("'{}'::JSON::VARIANT", "has the type VARIANT"),
    "a number that no decimal holds": ("170141183460469231731687303715884105727::HUGEINT", "the query failed: Conversion Error"),
}


@pytest.mark.parametrize("situation", REFUSED)
def test_a_value_that_a_table_would_hold_as_another_is_refused(lake: Lake, situation: str) -> None:
    expression, told = REFUSED[situation]
    lake.collected(Mode.APPEND)
    lake.view(f"SELECT id, {expression} AS c FROM {FLIGHTS}")
    lake.load([{"id": 1}], ID[:1])
    try:
        found = str(lake.run(VIEW, record_errors=True).errors[VIEW])
    except RowError as error:  # of its commit, before anything is visible
        found = str(error)
        assert VIEW in found and not lake.cloud.session.client("glue").get_tables(DatabaseName="lake_ops")["TableList"][1:]
    assert told in found
