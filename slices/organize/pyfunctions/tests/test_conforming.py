"""What a function gives is taken where it loses nothing, and else refused by the column's name and without a value."""

from __future__ import annotations

import decimal
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from shared_metadata.program.schema import SchemaColumn
from slices.organize.pyfunctions.function.conforming import Misfit, arrow_type, conformed

MOMENT = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("int", pa.array([1, None], pa.int64())),
        ("long", pa.array([1], pa.uint8())),
        ("double", pa.array([1, 2], pa.int64())),
        ("double", pa.array([0.5], pa.float32())),
        ("decimal(10,2)", pa.array([decimal.Decimal("1.5")], pa.decimal128(3, 1))),
        ("string", pa.array(["a", "b", "a"]).dictionary_encode()),
        ("string", pa.array(["a"], pa.large_string())),
        ("string", pa.nulls(2)),
        ("timestamptz", pa.array([MOMENT], pa.timestamp("ns", "Europe/Berlin"))),
        ("date", pa.array([date(2026, 1, 1)], pa.date64())),
        ("list<long>", pa.array([[1], None], pa.large_list(pa.int32()))),
        ("struct<a: int, b: string>", pa.array([{"a": 1, "b": "x"}], pa.struct({"a": pa.int64(), "b": pa.string()}))),
    ],
)
def test_what_loses_nothing_is_taken(kind: str, given: pa.Array) -> None:
    found = conformed(pa.table({"C": given}), [SchemaColumn("c", kind)])
    assert found.column_names == ["c"] and found["c"].type == arrow_type(kind)
    assert found["c"].to_pylist() == given.to_pylist()


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("int", pa.array([2**40]), "gave a value of int64 in c that no int holds"),
        ("float", pa.array([0.5]), "gave double in c, which is float"),
        ("int", pa.array(["hidden"]), "gave string in c, which is int"),
        ("string", pa.array([1]), "gave int64 in c, which is string"),
        ("timestamptz", pa.array([datetime(2026, 1, 1)]), "gave timestamp[us] in c, which is timestamptz"),
        ("timestamp", pa.array([1], pa.timestamp("ns")), "gave a value of timestamp[ns] in c that no timestamp holds"),
        ("decimal(3,1)", pa.array([decimal.Decimal("1.55")]), "gave a value of decimal128(3, 2) in c that no decimal(3,1) holds"),
        ("list<int>", pa.array([["hidden"]]), "gave list<item: string> in c, which is list<int>"),
        ("double", pa.array([2**53 + 1]), "gave a value of int64 in c that no double holds"),
    ],
)
def test_what_does_not_fit_is_refused_without_a_value(kind: str, given: pa.Array, said: str) -> None:
    with pytest.raises(Misfit) as raised:
        conformed(pa.table({"c": given}), [SchemaColumn("c", kind)])
    assert str(raised.value) == said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"a": [1]}, "gave no column b, which RETURNS has"),
        ({"a": [1], "b": [1], "x": [1]}, "gave a column x, which RETURNS has not"),
        ({"a": [1], "b": [1], "a row's": [1]}, "gave a column of another name, which RETURNS has not"),
        ({"a": [1], "b": [None]}, "gave 1 nulls in b, which is NOT NULL"),
        ({"a": [1], "b": [1], "A": [1]}, "gave the column a twice"),
    ],
)
def test_columns_are_those_that_were_declared(given: dict[str, Any], said: str) -> None:
    with pytest.raises(Misfit, match=said):
        conformed(pa.table(given), [SchemaColumn("a", "long"), SchemaColumn("b", "long", nullable=False)])
