"""Objects and lists of JSON become STRUCT, MAP and lists: each value within them is exact or makes its row a bad one, at any depth.

The two ways in which they are read, in their own shape and as a text that is taken apart, agree with each other and with this oracle.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.contract.parquet.exact_values import Value
from shared_metadata.contract.parquet.nested_values import as_texts
from shared_metadata.program.type_names import TypeName, list_of, map_of, parsed, struct_of

MOMENT = datetime(2026, 1, 1, 10)  # of UTC: Python asks DuckDB for no zones
NUMBERS = [0, 1, 5, -7, 2**31, 2**53 + 1, 2**63, 1.5, 2.0, 1.25, 1.239]
TEXTS = [
    "x",
    "",
    "true",
    "5",
    "1.5",
    "2026-01-01",
    "2026-01-01T10:00:00Z",
    "2026-01-01T12:00:00+02:00",
    "2026-01-01T10:00:00.1234567Z",
]
SCALARS = st.sampled_from([True, False, *NUMBERS, *TEXTS])
LEAVES = [*map(parsed, ("boolean", "int", "long", "double", "string", "date", "timestamptz", "decimal(10,2)"))]
TEXT, NAMES = TypeName("string"), ["a", "b c", 'q"r', "é", "it's"]
MADE: dict[str, dict[str, Any]] = {
    "boolean": {"true": True, "false": False, "1": True, "0": False},
    "date": {"2026-01-01": date(2026, 1, 1)},
    "timestamptz": {
        "2026-01-01": MOMENT.replace(hour=0),
        **dict.fromkeys(("2026-01-01T10:00:00Z", "2026-01-01T12:00:00+02:00"), MOMENT),
    },
}


class MisfitError(Exception):
    """A value is none of its type."""


def within(inner: st.SearchStrategy[TypeName]) -> st.SearchStrategy[TypeName]:
    fields = st.lists(st.tuples(st.sampled_from(NAMES), inner), min_size=1, max_size=3, unique_by=lambda field: field[0])
    structs = fields.map(lambda found: struct_of(tuple(found)))
    return st.one_of(structs, inner.map(list_of), inner.map(lambda kind: map_of(TEXT, kind)))


KINDS = st.recursive(st.sampled_from(LEAVES), within, max_leaves=5).filter(lambda kind: kind.parts)


def values(kind: TypeName) -> st.SearchStrategy[Any]:
    """JSON that is mostly a value of the type."""
    known: st.SearchStrategy[Any]
    if kind.word == "struct":
        given = {name: values(part) for name, part in kind.named()}
        known = st.fixed_dictionaries({}, optional={**given, "more": SCALARS})
    elif kind.word == "list":
        known = st.lists(values(kind.parts[0]), max_size=2)
    elif kind.word == "map":
        known = st.dictionaries(st.sampled_from(NAMES), values(kind.parts[1]), max_size=2)
    else:
        known = st.sampled_from([one for one in [True, False, *NUMBERS, *TEXTS] if fits(kind, one)])
    other = st.one_of(SCALARS, st.just([]), st.just({"z": 1}), st.just([1, "x"]))
    return st.integers(0, 19).flatmap(lambda chance: other if chance == 0 else st.none() if chance == 1 else known)


def fits(kind: TypeName, value: Any) -> bool:
    try:
        read(kind, value)
    except MisfitError:
        return False
    return True


def read(kind: TypeName, value: Any) -> Any:
    """The value as the type. Raises MisfitError."""
    if value is None:
        return None
    if kind.word == "struct":
        return {name: read(part, _of(dict, value).get(name)) for name, part in kind.named()}
    if kind.word == "list":
        return [read(kind.parts[0], one) for one in _of(list, value)]
    if kind.word == "map":
        return {key: read(kind.parts[1], one) for key, one in _of(dict, value).items()}
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    if kind.word == "string":
        return text
    found = MADE[kind.word].get(text) if kind.word in MADE else None if isinstance(value, bool) else _number(kind, text)
    if found is None:
        raise MisfitError
    return found


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise MisfitError
    return value


def _number(kind: TypeName, text: str) -> Any:
    try:
        number = Fraction(text)
    except ValueError:
        return None
    if kind.word == "double":
        return float(text)
    if kind.word == "decimal":
        return Decimal(text).quantize(Decimal("0.01")) if number * 100 % 1 == 0 and abs(number) < 10**8 else None
    most = 2 ** (31 if kind.word == "int" else 63)
    return int(number) if number % 1 == 0 and -most <= number < most else None


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute("SET TimeZone = 'UTC'")
        yield made


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page") / "page.json"


def asked(connection: duckdb.DuckDBPyConnection, page: Path, kind: str, expression: str) -> list[tuple[Any, ...]]:
    form = f"format='unstructured', auto_detect=false, columns={{r: {literal(f'STRUCT(v {kind})[]')}}}"
    return connection.execute(f"SELECT {expression} FROM (SELECT unnest(r).v AS v FROM read_json('{page}', {form}))").fetchall()


@settings(max_examples=300)
@given(data=st.data(), kind=KINDS)
def test_both_ways_of_reading_take_exactly_the_values_of_the_type(
    connection: duckdb.DuckDBPyConnection, page: Path, data: st.DataObject, kind: TypeName
) -> None:
    given_values = data.draw(st.lists(values(kind), min_size=1, max_size=3))
    plain = duckdb_type(str(kind)).replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMP")
    good = [value for value in given_values if fits(kind, value)]
    of_text = Value("v", "VARCHAR", more=True).as_type(str(kind))
    in_shape = Value("v", as_texts(kind), more=True).as_type(str(kind))
    page.write_text(json.dumps({"r": [{"v": value} for value in given_values]}))
    found = asked(connection, page, "VARCHAR", f"coalesce({of_text.misfit or 'false'}, false), CAST({of_text.lenient} AS {plain})")
    assert [misfit for misfit, _ in found] == [not fits(kind, value) for value in given_values]
    assert [value for misfit, value in found if not misfit] == [read(kind, value) for value in good]
    if len(good) < len(given_values):
        with pytest.raises((duckdb.InvalidInputException, duckdb.ConversionException)):
            asked(connection, page, as_texts(kind), in_shape.strict)
    page.write_text(json.dumps({"r": [{"v": value} for value in good]}))
    found = asked(connection, page, as_texts(kind), f"CAST({in_shape.strict} AS {plain})")
    assert [value for (value,) in found] == [read(kind, value) for value in good]
