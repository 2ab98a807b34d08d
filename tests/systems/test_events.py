"""What all slices of events share: no number that JSON says exactly is rounded on its way to a column."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_metadata.contract.parquet.duckdb_session import open_duckdb
from shared_metadata.contract.parquet.masking import NO_HASHING
from shared_metadata.program import Flow, Kind, Mode, Position
from shared_metadata.program.schema import Schema, SchemaColumn
from systems.events.columns import JSON, Told
from systems.events.exact_numbers import exact
from systems.events.lines import Lines, Text
from systems.events.rows import Rows

FLOW = Flow("lake.a.b", Kind.COLLECT, "collect.x", "lake", 3600, (), Position("p.sql", 1, 1), connection="x", mode=Mode.APPEND)
TOLD = Told(lines={"n": "VARCHAR"}, columns=(), sql={}, place="n")


def read(texts: list[str], kind: str) -> list[Any]:
    """The values of the key `v` as a column of a type."""
    schema = Schema((SchemaColumn("v", kind, True, "v", JSON),))
    with Lines(TOLD) as lines, open_duckdb(threads=1) as connection:
        for number, text in enumerate(texts):
            lines.add(Text(text), {"n": str(number)})
        rows = Rows(lines.relation(), TOLD, schema, "2026-01-01T00:00:00Z", FLOW)
        rows.look(connection)
        return [value for (value,) in connection.execute(f"SELECT v FROM ({rows.strict(NO_HASHING)})").fetchall()]


Decimals = st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**28), max_value=10**28)


@settings(max_examples=100, deadline=None)
@given(values=st.lists(Decimals, min_size=1, max_size=20))
def test_a_decimal_that_is_sent_as_a_number_has_all_its_digits(values: list[Decimal]) -> None:
    assert read([f'{{"a": "1.5", "v": {value:f}, "b": [1]}}' for value in values], "decimal(38,9)") == values


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"v": 1.5}', '{"v": 1.5}'),
        ('{"v": 12345678901234567890}', '{"v": 12345678901234567890}'),
        (
            '{"v": 123456789012345678.12, "w": "123456789012345678.12"}',
            '{"v": "123456789012345678.12", "w": "123456789012345678.12"}',
        ),
        ('{"v": -1234567890123456e-2}', '{"v": "-1234567890123456e-2"}'),
        (
            '{"a": "x\\"1.2345678901234567\\\\", "v": 0.12345678901234567}',
            '{"a": "x\\"1.2345678901234567\\\\", "v": "0.12345678901234567"}',
        ),
        ('{"v": [1, {"a": 0.12345678901234567}], "w": [1.5]}', '{"v": "[1, {\\"a\\": 0.12345678901234567}]", "w": [1.5]}'),
        ("no JSON 0.12345678901234567", "no JSON 0.12345678901234567"),
        ("[0.12345678901234567]", '["0.12345678901234567"]'),
    ],
)
def test_only_what_would_be_rounded_is_put_into_quotes(text: str, wanted: str) -> None:
    assert exact(text) == wanted


Values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=300)
@given(event=st.dictionaries(st.text(), Values, max_size=4), ascii=st.booleans())
def test_every_other_value_is_the_same(event: dict[str, Any], ascii: bool) -> None:
    found = json.loads(exact(json.dumps(event, ensure_ascii=ascii)))
    assert found.keys() == event.keys()
    for key, value in event.items():
        if found[key] != value:
            assert isinstance(found[key], str) and json.loads(found[key]) == value and not isinstance(value, int | str)


def test_what_is_nested_keeps_its_text_and_a_text_its_own() -> None:
    assert read(['{"v": {"a": 0.12345678901234567}}', '{"v": "0.12345678901234567"}'], "string") == [
        '{"a": 0.12345678901234567}',
        "0.12345678901234567",
    ]


def test_what_json_has_no_number_for_is_one_of_a_column_of_doubles_and_a_text_within_what_is_kept_as_text() -> None:
    events = ['{"v": NaN}', '{"v": -Infinity}', '{"v": 0.5}']
    assert [str(value) for value in read(events, "double")] == ["nan", "-inf", "0.5"]
    nested = ['{"v": {"a": [NaN, -Infinity, 1.5], "b": "NaN \\" NaN"}}', '{"v": ["Infinity"], "NaN": NaN}']
    wanted = [{"a": ["NaN", "-Infinity", 1.5], "b": 'NaN " NaN'}, ["Infinity"]]
    assert [json.loads(value) for value in read(nested, "string")] == wanted
