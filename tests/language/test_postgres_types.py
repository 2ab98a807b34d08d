"""Every function and operator of PostgreSQL, and queries of every form, have the names and types that a PostgreSQL gives them.

What the compiler cannot tell it may leave to a CAST; what the server refuses when it binds, the compiler refuses.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from language.dialects.postgres import catalogue
from language.dialects.postgres.__main__ import catalogue_of
from language.dialects.postgres.catalogue import Function
from shared_metadata.program.schema import SchemaColumn
from slices.collect.postgres.type_mapping import map_type
from systems.postgres.catalog import columns_of
from tests.language.postgres_oracle import COLUMNS, REFUSED, UNTOLD, Oracle, oracle, ours
from tests.language.typed_query import typed

EXPRESSIONS = Path(__file__).with_name("postgres_expressions.txt").read_text(encoding="utf-8").splitlines()
QUERIES = Path(__file__).with_name("postgres_queries.sql").read_text(encoding="utf-8").strip().split(";\n")
CAST_WANTED = frozenset({"SELECT jsonb_populate_record(NULL::t, j) FROM t"})  # a row type of the database's own
# What a server refuses for the value of a text, which has no rules here, or as it was built, and functions that are there for nobody.
_BY_VALUE = (
    *("invalid input syntax", "malformed", "invalid value", "cannot accept a value", "does not exist"),
    *("missing dimension", "anonymous composite types is not implemented", "unsupported XML feature"),
)
_POLYMORPHIC = {
    **{"anyelement": ("int4", "text", "date"), "anyarray": ("_int4", "_text"), "anynonarray": ("int4", "text"), "anyenum": ("int4",)},
    **{"anyrange": ("int4range", "daterange"), "anymultirange": ("int4multirange",), "any": ("int4", "text")},
    **{"anycompatible": ("int4", "numeric", "text"), "anycompatiblearray": ("_int4", "_numeric"), "anycompatiblenonarray": ("int4",)},
    **{"anycompatiblerange": ("int4range",), "anycompatiblemultirange": ("int4multirange",)},
}
_OTHERS = (
    "int4",
    "text",
    "numeric",
    "int8",
    "varchar",
    "date",
    "float8",
    "timestamptz",
    "jsonb",
    "interval",
    "bool",
    "_int4",
    "int2",
)
PARTS = 8  # of all functions and operators
CASTABLE = sorted(t.name for t in catalogue.types().values() if t.kind != "p" and not t.name.startswith(("pg_", "_pg_", "_cstring")))


@pytest.fixture(scope="module")
def server() -> Iterator[Oracle]:
    with oracle() as found:
        yield found


@pytest.fixture(scope="module")
def table(server: Oracle) -> tuple[SchemaColumn, ...]:
    found = columns_of(server.session, "SELECT * FROM t")
    return tuple(SchemaColumn(c.name, map_type(c.type).iceberg, source=c.name, source_type=c.type_name) for c in found)


def test_the_catalogue_is_that_of_the_server(server: Oracle) -> None:
    found = catalogue_of(server.session)
    assert dict(found.items()) == catalogue._catalogue(), "run python -m language.dialects.postgres"


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_is_loaded_with_the_type_that_it_has_here(expression: str, server: Oracle) -> None:
    try:
        (column,) = columns_of(server.session, f"SELECT {expression} AS o FROM t")
        expected = map_type(column.type).iceberg
    except psycopg.Error:
        expected = REFUSED
    found = typed(f"SELECT {expression} AS o FROM t", {"t": COLUMNS}, "postgres")
    assert (REFUSED if found.problems else found.columns[0].type) == _as_column(expression, expected)


def _as_column(expression: str, expected: str) -> str:
    """A plain column is loaded as its snapshot says; the tests' says string."""
    return "string" if expression in COLUMNS else expected


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.strip()[:60])
def test_a_query_has_the_columns_that_the_server_gives_it_or_is_refused_by_both(query: str, server: Oracle) -> None:
    found, expected = ours(query.strip()), server.columns(query.strip())
    if isinstance(expected, str) or isinstance(found, str):
        assert isinstance(found, str) == isinstance(expected, str), (found, expected)
        return
    assert [name for name, _ in found] == [name for name, _ in expected]
    told = [(kind, there) for (_, kind), (_, there) in zip(found, expected, strict=True) if kind != UNTOLD]
    assert [kind.replace("mood[]", "_mood") for kind, _ in told] == [there for _, there in told]
    assert len(told) == len(found) or query.strip() in CAST_WANTED


def test_what_a_server_may_be_built_without_has_its_types() -> None:
    xml = "SELECT xmlelement(name a, s), xmlserialize(CONTENT xmlelement(name a) AS text), s IS DOCUMENT FROM t"
    assert ours(xml) == [("xmlelement", "xml"), ("xmlserialize", "text"), ("?column?", "bool")]
    table = "SELECT x.* FROM XMLTABLE('/a' PASSING '<a/>' COLUMNS n FOR ORDINALITY, a int PATH 'b') AS x"
    assert ours(table) == [("n", "int4"), ("a", "int4")]


@pytest.mark.sampled(PARTS)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=[pytest.mark.deep, pytest.mark.nightly]) for seed in range(1, 4))])
def test_every_function_and_operator_gives_the_type_that_the_server_says(seed: int, part: int, server: Oracle) -> None:
    """seed 0: with the types that each declares.  others: with some of them changed by chance."""
    _wide_table(server)
    chance = random.Random(seed)
    wrong, told = [], 0
    for expression in list(dict.fromkeys(_expressions(chance, varied=seed > 0)))[part::PARTS]:
        sql = f"SELECT {expression} AS o FROM w"
        found, expected = _ours_wide(sql), server.columns(sql)
        refused = isinstance(expected, str)
        if isinstance(found, str) != refused and not (refused and any(word in expected for word in _BY_VALUE)):
            wrong.append((expression, found, expected))
        elif not refused and not isinstance(found, str) and found[0][1] != UNTOLD:
            told += 1
            if found != expected:
                wrong.append((expression, found, expected))
    assert wrong == []
    assert told > (400 if seed == 0 else 110)


def _wide_table(server: Oracle) -> None:
    server.session.execute("DROP TABLE IF EXISTS w")
    server.session.execute(f"CREATE TABLE w ({', '.join(f'c_{name} pg_catalog.{chr(34)}{name}{chr(34)}' for name in CASTABLE)})")


def _ours_wide(sql: str) -> list[tuple[str, str]] | str:
    return ours(sql.replace(" FROM w", " FROM t AS w"), {f"c_{name}": f'pg_catalog."{name}"' for name in CASTABLE})


def _expressions(chance: random.Random, *, varied: bool) -> Iterator[str]:
    for name in catalogue.function_names():
        for function in catalogue.functions(name):
            yield _called(function, _varied(chance, _arguments(chance, function)) if varied else _arguments(chance, function))
    for name in catalogue.operator_names():
        for operator in catalogue.operators(name):
            sides = [_argument(chance, kind) for kind in (operator.left, operator.right) if kind]
            yield f"{f' {name} ' if len(sides) == 2 else name + ' '}".join(
                [""] * (2 - len(sides)) + (_varied(chance, sides) if varied else sides)
            )


def _arguments(chance: random.Random, function: Function) -> list[str]:
    found = [_argument(chance, kind) for kind in function.arguments]
    if function.variadic:
        found[-1:] = [_argument(chance, function.variadic) for _ in range(chance.randint(1, 2))]
    return found


def _argument(chance: random.Random, kind: str) -> str:
    kind = chance.choice(_POLYMORPHIC.get(kind, (kind,)))
    return "w" if kind == "record" else f'"c_{kind}"' if kind in CASTABLE else "NULL"


def _varied(chance: random.Random, arguments: list[str]) -> list[str]:
    for number in range(len(arguments)):
        if chance.random() < 0.5:
            arguments[number] = chance.choice(["'1'", "NULL", *(f"c_{kind}" for kind in _OTHERS)])
    return arguments


def _called(function: Function, arguments: list[str]) -> str:
    if function.aggregate in ("o", "h"):
        direct, ordered = arguments[: function.direct], arguments[function.direct :]
        return f"{function.name}({', '.join('NULL' for _ in direct)}) WITHIN GROUP (ORDER BY {', '.join(ordered) or '1'})"
    return f'"{function.name}"({", ".join(arguments)})' + " OVER ()" * (function.kind == "w")
