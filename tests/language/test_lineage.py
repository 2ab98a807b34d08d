"""Where each column of a query comes from, and how the query uses its inputs' columns: as values, or to choose and order rows.

Each case is a query and what is expected of it: `column < origins`, then `USE columns`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_metadata.program.lineage import Use
from tests.language.typed_query import typed

_CHOOSES = re.compile(r"LIMIT|DISTINCT ON")  # by an order which rows there are
Data = dict[tuple[str, str], list[str]]

TABLES = {
    "t": {"a": "int", "b": "int", "c": "string", "d": "date", "l": "list<int>"},
    "u": {"a": "int", "x": "int", "y": "string"},
    "v": {"k": "int", "x": "int"},
}
BLOCKS = Path(__file__).with_name("lineage.txt").read_text(encoding="utf-8").strip().split("\n\n")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0][:60])
def test_a_query_has_its_origins_and_uses(block: str) -> None:
    query, *expected = block.splitlines()
    assert _shown(query) == expected


def _shown(query: str) -> list[str]:
    found = typed(query, TABLES)
    assert not found.problems, found.problems
    lines = [f"{column.name} <{''.join(f' {table}.{name}' for table, name in column.inputs)}" for column in found.columns]
    for use in Use:
        refs = [f"{u.table}.{u.column}" for u in found.uses if u.use is use]
        if refs and use is not Use.VALUE:
            lines.append(f"{use.value.upper()} {' '.join(refs)}")
    values = {f"{u.table}.{u.column}" for u in found.uses if u.use is Use.VALUE}
    assert values >= {f"{table}.{name}" for column in found.columns for table, name in column.inputs}
    return lines


_VALUES = {
    "int": st.integers(0, 3).map(str),
    "string": st.sampled_from(["'x'", "'y'", "'z'", "NULL"]),
    "date": st.sampled_from(["DATE '2020-01-01'", "DATE '2020-01-02'", "DATE '2020-01-03'"]),
    "list<int>": st.lists(st.integers(0, 3), max_size=2).map(str),
}
_DUCKDBS = {"int": "INTEGER", "string": "VARCHAR", "date": "DATE", "list<int>": "INTEGER[]"}
_COLUMNS = [(table, column, kind) for table, columns in TABLES.items() for column, kind in columns.items()]
_ROWS = 4
_DATA = st.fixed_dictionaries({(t, c): st.lists(_VALUES[kind], min_size=_ROWS, max_size=_ROWS) for t, c, kind in _COLUMNS})


@pytest.mark.sampled(4)
@pytest.mark.parametrize("query", [block.splitlines()[0] for block in BLOCKS])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=_DATA, draw=st.data())
def test_only_what_the_lineage_names_changes_the_result(query: str, data: Data, draw: st.DataObject) -> None:
    """Other data in one column: what does not use it stays as it is, and an output that it is no origin of has the same values."""
    table, column, kind = draw.draw(st.sampled_from(_COLUMNS))
    others = draw.draw(st.lists(_VALUES[kind], min_size=_ROWS, max_size=_ROWS))
    found = typed(query, TABLES)
    uses = {use.use for use in found.uses if (use.table, use.column) == (table, column)}
    before, after = _result(query, data), _result(query, {**data, (table, column): others})
    if not uses:
        assert sorted(before) == sorted(after)
    elif uses <= {Use.VALUE, Use.ORDER} and not _CHOOSES.search(query):
        for number, output in enumerate(found.columns):
            if (table, column) not in output.inputs:
                assert sorted(row[number] for row in before) == sorted(row[number] for row in after), output.name


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def _result(query: str, data: Data) -> list[tuple[str, ...]]:
    """The rows, their values as text."""
    connection = _connection()
    for table, columns in TABLES.items():
        connection.execute(
            f"CREATE OR REPLACE TABLE {table} ({', '.join(f'{name} {_DUCKDBS[kind]}' for name, kind in columns.items())})"
        )
        rows = zip(*(data[table, column] for column in columns), strict=True)
        connection.execute(f"INSERT INTO {table} VALUES {', '.join('(' + ', '.join(row) + ')' for row in rows)}")
    return [tuple(map(str, row)) for row in connection.execute(query).fetchall()]
