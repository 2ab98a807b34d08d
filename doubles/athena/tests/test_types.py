"""The double and the compiler's dialect know Trino's types by rules of their own: of every query that both know they say the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from doubles.athena.kinds import BIGINT, BOOLEAN, DATE, DOUBLE, INTEGER, REAL, VARBINARY, VARCHAR, ZONED, decimal, moment
from language.dialects.trino.rules import RULES
from shared_metadata.program.type_names import TypeName as Kind
from tests.language.typed_query import typed

COLUMNS: dict[str, tuple[str, Kind]] = {
    "b": ("boolean", BOOLEAN),
    "i": ("int", INTEGER),
    "l": ("long", BIGINT),
    "r": ("float", REAL),
    "d": ("double", DOUBLE),
    "p": ("decimal(10,2)", decimal(10, 2)),
    "q": ("decimal(5,0)", decimal(5, 0)),
    "w": ("decimal(38,6)", decimal(38, 6)),
    "s": ("string", VARCHAR),
    "y": ("date", DATE),
    "t": ("timestamp", moment("timestamp", 6)),
    "z": ("timestamptz", moment(ZONED, 6)),
    "x": ("binary", VARBINARY),
    "a": ("list<string>", Kind("array", (VARCHAR,))),
    "m": ("map<string, long>", Kind("map", (VARCHAR, BIGINT))),
}
ROW = (
    "TRUE, 3, 40, 1.5, 2.5, 12.34, 7, 1.5, 'ab', DATE '2024-03-04', TIMESTAMP '2024-03-04 05:06:07.123456', "
    "TIMESTAMPTZ '2024-03-04 05:06:07+00', 'x'::BLOB, ['u', 'v'], MAP {'k': 1}"
)
TABLES = {"far.ops.f": {name: kind for name, (kind, _) in COLUMNS.items()}}
_WORDS = {
    **{"integer": "int", "smallint": "int", "tinyint": "int", "bigint": "long", "real": "float", "varchar": "string"},
    **{"varbinary": "binary", ZONED: "timestamptz", "array": "list", "row": "struct"},
}
_UNITS = st.sampled_from(["'day'", "'week'", "'month'", "'year'"])
_SMALL = st.sampled_from(["1", "2", "10", "2.5", "1.25e0"])


class Untyped(Exception):
    """The dialect does not type the query."""


def schema_type(kind: Kind) -> str:
    """As a table of the lake has it."""
    parts, sizes = tuple(map(_as_schema, kind.parts)), kind.sizes if kind.word == "decimal" else ()
    return str(Kind(_WORDS.get(kind.word, kind.word), parts, kind.fields, sizes))


def _as_schema(kind: Kind) -> Kind:
    sizes = kind.sizes if kind.word == "decimal" else ()
    return Kind(_WORDS.get(kind.word, kind.word), tuple(map(_as_schema, kind.parts)), kind.fields, sizes)


def said_by_both(text: str, trino: Any) -> None:
    """Checks one query, which the double must know where the dialect does."""
    found = typed(text, TABLES, "trino")
    if found.problems:
        raise Untyped(found.problems[0].cause)
    columns = trino.query(text).columns
    assert [schema_type(column.value.kind) for column in columns] == [column.type for column in found.columns], text
    trino.types(text)


def _of_example(text: str, trino: Any) -> None:
    try:
        said_by_both(text, trino)
    except Untyped:
        reject()


def numbers(inner: SearchStrategy[str]) -> SearchStrategy[str]:
    signs = st.sampled_from(["+", "-", "*", "/", "%"])
    of_one = st.sampled_from(["abs", "round", "ceil", "floor", "-"])
    return st.one_of(
        st.builds(lambda one, sign, other: f"({one} {sign} {other})", inner, signs, inner),
        st.builds(lambda name, one: f"{name}({one})", of_one, inner),
        st.builds(lambda one, other: f"coalesce({one}, {other})", inner, inner),
        st.builds(lambda one, other: f"CASE WHEN b THEN {one} ELSE {other} END", inner, inner),
        st.builds(lambda one, other: f"if({one} > {other}, {one}, {other})", inner, inner),
        st.builds(lambda one: f"nullif({one}, 1)", inner),
        st.builds(lambda one, to: f"CAST({one} AS {to})", inner, st.sampled_from(["bigint", "double", "decimal(12,3)", "integer"])),
    )


def moments(inner: SearchStrategy[str]) -> SearchStrategy[str]:
    return st.one_of(
        st.builds(lambda unit, one: f"date_trunc({unit}, {one})", _UNITS, inner),
        st.builds(lambda unit, one: f"date_add({unit}, 2, {one})", _UNITS, inner),
        st.builds(lambda one, sign: f"({one} {sign} INTERVAL '1' DAY)", inner, st.sampled_from(["+", "-"])),
        st.builds(lambda one, other: f"coalesce({one}, {other})", inner, inner),
        st.builds(lambda one: f"CAST({one} AS date)", inner),
    )


NUMBERS = st.recursive(st.sampled_from(["i", "l", "r", "d", "p", "q", "w"]) | _SMALL, numbers, max_leaves=5)
MOMENTS = st.recursive(st.sampled_from(["y", "t", "z"]), moments, max_leaves=4)
TEXTS = st.one_of(
    st.sampled_from(["s", "'c'", "upper(s)", "s || 'x'", "substr(s, 2)", "CAST(l AS varchar)", "element_at(a, 1)"]),
    st.builds(lambda one: f"CAST({one} AS varchar)", st.sampled_from(["i", "p", "b", "y", "t"])),
)
CONDITIONS = st.builds(lambda one, sign, other: f"{one} {sign} {other}", NUMBERS, st.sampled_from(["=", "<", ">=", "<>"]), NUMBERS)
VALUES = st.one_of(NUMBERS, MOMENTS, TEXTS, CONDITIONS)
AGGREGATED = st.one_of(
    st.builds(lambda name, one: f"{name}({one})", st.sampled_from(["sum", "avg", "min", "max", "count", "stddev"]), NUMBERS),
    st.builds(lambda name, one: f"{name}({one})", st.sampled_from(["min", "max", "array_agg", "count", "approx_distinct"]), VALUES),
    st.builds(lambda one, other: f"max_by({one}, {other})", VALUES, NUMBERS),
    st.builds(lambda one, over: f"sum({one}) OVER ({over})", NUMBERS, st.sampled_from(["", "PARTITION BY s", "ORDER BY i"])),
)


@pytest.fixture(scope="module")
def shared(one_trino: Any) -> Any:
    """One table and connection for all examples."""
    one_trino.fill([(name, kind) for name, (_, kind) in COLUMNS.items()], [ROW])
    return one_trino


@settings(max_examples=300)
@given(st.lists(VALUES, min_size=1, max_size=3))
def test_expressions_have_the_types_that_the_dialect_says(shared: Any, items: list[str]) -> None:
    listed = ", ".join(f"{item} AS c{number}" for number, item in enumerate(items))
    _of_example(f"SELECT {listed} FROM far.ops.f", shared)


@settings(max_examples=200)
@given(st.lists(AGGREGATED, min_size=1, max_size=3), st.booleans())
def test_aggregates_have_the_types_that_the_dialect_says(shared: Any, items: list[str], grouped: bool) -> None:
    over = any(" OVER (" in item for item in items)
    if over:
        items = [item for item in items if " OVER (" in item]
    listed = ", ".join(f"{item} AS c{number}" for number, item in enumerate(items))
    text = f"SELECT {listed} FROM far.ops.f" + (" GROUP BY i" if grouped and not over else "")
    _of_example(text, shared)


CALLS = sorted({(name, signature) for name, all_of in RULES.functions.signatures.items() for signature in range(len(all_of))})
_OF = {"N": "l", "D": "t", "T": "s", "U": "l", "decimal": "p", "bigint": "l", "integer": "i", "varchar": "s", "boolean": "b"}
_OF |= {"double": "d", "real": "r", "varbinary": "x", "date": "y", "timestamp": "t", "timestamp with time zone": "z"}

CONSTANT = {**{f"date_{name}": (0, "'day'") for name in ("trunc", "add", "diff")}, "approx_percentile": (1, "0.5e0")}
CONSTANT |= {"nullif": (1, "s"), "listagg": (1, "','"), "round": (1, "2")}
CONSTANT |= dict.fromkeys(("date_format", "date_parse"), (1, "'%Y'")) | {"format_datetime": (1, "'yyyy'")}
CONSTANT |= {"json_extract": (1, "'$.a'"), "json_extract_scalar": (1, "'$.a'"), "regexp_extract": (2, "1")}


def _argument(pattern: Kind) -> str:
    if pattern.word == "->":
        given = {"boolean": "TRUE", "bigint": "l"}.get(pattern.parts[-1].word, "x0")
        return f"({', '.join(f'x{number}' for number in range(len(pattern.parts) - 1))}) -> {given}"
    if pattern.word == "interval day to second":
        return "INTERVAL '1' DAY"
    if pattern.word == "array":
        return "a" if not pattern.parts[0].parts else "ARRAY[a]"
    return "m" if pattern.word == "map" else _OF.get(pattern.word, "s")


@pytest.mark.parametrize(("name", "number"), CALLS)
def test_each_function_of_the_dialect_has_its_type_or_is_not_known(name: str, number: int, shared: Any) -> None:
    signature = RULES.functions.signatures[name][number]
    written = [_argument(pattern) for pattern in signature.arguments]
    if name in CONSTANT and len(written) > CONSTANT[name][0]:
        place, constant = CONSTANT[name]
        written[place] = constant
    if [pattern.word for pattern in signature.arguments[:1]] == ["json"]:
        written[0] = "json_parse('{}')"
    call = f"{name}({', '.join(written)})" + (" WITHIN GROUP (ORDER BY i)" if name == "listagg" else "")
    call += " OVER (ORDER BY i)" if name in RULES.functions.windows else ""
    call = f"json_format({call})" if signature.gives.word == "json" else call
    grouped = " GROUP BY ROLLUP (s)" if name == "grouping" else ""
    if signature.gives.word == "untold":
        pytest.skip("it has no type here")
    said_by_both(f"SELECT {call} AS x FROM far.ops.f{grouped}", shared)
