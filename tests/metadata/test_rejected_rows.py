"""Rejected rows as JSON: what any reader of RFC 8259 makes of it, be its numbers doubles or not."""

from __future__ import annotations

import json
import math
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_metadata.contract.parquet import rejected_rows

NUMBERS = {"DOUBLE": st.floats(), "FLOAT": st.floats(width=32), "BIGINT": st.integers(-(2**63), 2**63 - 1)}


def written(value: str, kind: str = "") -> Any:
    """As a strict reader reads it, who keeps every number as a double."""
    kind = kind or duckdb.sql(f"SELECT typeof({value})").fetchall()[0][0]
    text = duckdb.sql(f"SELECT {rejected_rows.as_json({'v': ('v', kind)})} FROM (SELECT {value} AS v)").fetchall()[0][0]
    return json.loads(text, parse_constant=_refused, parse_int=float)["v"]


def _refused(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("NULL::DOUBLE", None),
        ("'nan'::DOUBLE", "NaN"),
        ("'-inf'::FLOAT", "-Infinity"),
        ("1.5::DOUBLE", 1.5),
        ("9007199254740993", "9007199254740993"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9007199254740992", -9007199254740992),
        ("18446744073709551615::UBIGINT", "18446744073709551615"),
        ("12345678901234567890.12::DECIMAL(38,2)", "12345678901234567890.12"),
        ("1.50::DECIMAL(38,2)", 1.5),
        ("NULL::DECIMAL(38,2)", None),
        ("'a\\x00\\xFF'::BLOB", "\\x6100ff"),
        ("DATE 'infinity'", "infinity"),
        ("DATE '0044-03-15 (BC)'", "0044-03-15 (BC)"),
        ("TIMESTAMPTZ '-infinity'", "-infinity"),
        ("'NaN'::JSON", "NaN"),
        ("NULL::JSON", None),
        ("INTERVAL 1 MONTH", "1 month"),
        ("'a' || chr(0) || '\"'", 'a\0"'),
        ("['inf'::DOUBLE, NULL, 1]", ["Infinity", None, 1.0]),
        ("[[9223372036854775807], NULL, []]", [["9223372036854775807"], None, []]),
        ("NULL::DOUBLE[]", None),
        ("{'a b': 'nan'::DOUBLE, 'l': ['\\xAA'::BLOB]}", {"a b": "NaN", "l": ["\\xaa"]}),
        ("NULL::STRUCT(a DOUBLE)", None),
        ("MAP {1: ['inf'::DOUBLE]}", {"1": ["Infinity"]}),
        ("NULL::MAP(VARCHAR, DOUBLE)", None),
        ("true", True),
        ("'00000000-0000-4000-8000-000000000001'::UUID", "00000000-0000-4000-8000-000000000001"),
    ],
)
def test_every_type_is_json_that_any_reader_takes(value: str, expected: Any) -> None:
    assert written(value) == expected


@pytest.mark.parametrize("kind", NUMBERS)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_numbers_are_read_as_they_were_by_who_keeps_them_as_doubles(kind: str, data: st.DataObject) -> None:
    number = data.draw(NUMBERS[kind])
    found = written(f"'{number}'::{kind}")
    assert type(number)(found) == number or (math.isnan(number) and found == "NaN")


@pytest.mark.parametrize("name", ["x0", "x1", "v", "data", "reason", "stage", "_batch", "key", "value", "it's"])
def test_columns_have_any_name(name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    data = rejected_rows.as_json({name: (f"t.{quoted}", "DOUBLE[][]")})
    query = rejected_rows.select("2026-11-28T00:00:00Z", "harness", "'why'", data)
    found = duckdb.sql(f"SELECT data FROM ({query} FROM (SELECT [['nan'::DOUBLE]] AS {quoted}) t)").fetchall()
    assert json.loads(found[0][0]) == {name: [["NaN"]]}
