"""A constant argument with which a call fails in every row is refused at its place, and no other; DuckDB itself is asked of a row."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from tests.language.typed_query import typed

TABLES = {"lake.o.t": {"id": "long", "sym": "string", "d": "date", "tm": "timestamp", "tz": "timestamptz", "nums": "list<long>"}}
ROW = """SELECT 1::BIGINT AS id, 'UTC' AS sym, DATE '2024-05-06' AS d, TIMESTAMP '2024-05-06 07:08:09' AS tm,
    TIMESTAMPTZ '2024-05-06 07:08:09+00' AS tz, [1, 2]::BIGINT[] AS nums"""
ZONES = ("Mars/Olympus", "CEST", "+02:00", "", "UTC", "europe/berlin", "UTC+2", "EST", "GMT+1", "Etc/GMT+1", "Z", "America/New_York")
FORMATS = ("{", "{}", "{} {}", "{:d}", "{:>8}", "%d", "%s", "%s %s", "%5.2f", "%%", "")
COLUMNS = ("sym", "id", "id + 0.5")
PARTS = ("foo", "day", "days", "", "quarter", "dow")
CALLS = (
    *(f"{kind} AT TIME ZONE '{zone}'" for zone in ZONES for kind in ("tm", "tz")),
    *(f"timezone('{zone}', tm)" for zone in ZONES),
    *(f"{name}('{written}', {column})" for name in ("format", "printf") for written in FORMATS for column in COLUMNS),
    *(f"{name}('{part}', d, tm)" for name in ("date_diff", "datediff", "date_sub", "datesub") for part in PARTS),
    "timezone(sym, tm)", "timezone(sym, TIMESTAMP '2024-05-06')", "format(sym, 1)", "date_diff(sym || 'day', d, d)",
)  # fmt: skip


def problems(expression: str) -> list[tuple[str, str]]:
    query = f"SELECT {expression} AS n FROM lake.o.t"
    return [(query[found.start : found.end], found.cause) for found in typed(query, TABLES).problems]


@pytest.fixture(scope="module")
def session() -> Iterator[duckdb.DuckDBPyConnection]:
    alone = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    with duckdb.connect(config=alone) as found:
        yield found


def fails(expression: str, session: duckdb.DuckDBPyConnection) -> bool:
    try:
        session.execute(f"SELECT ({expression})::VARCHAR FROM ({ROW})").fetchall()
    except duckdb.Error:
        return True
    return False


@pytest.mark.parametrize("call", CALLS)
def test_what_fails_in_a_row_for_its_constant_is_refused_and_nothing_else(call: str, session: duckdb.DuckDBPyConnection) -> None:
    constant = "(sym" not in call
    assert [place for place, _ in problems(call)] == ([call] if constant and fails(call, session) else [])


def test_what_need_not_be_reached_is_left_out() -> None:
    assert problems("CASE WHEN id > 1 THEN tm AT TIME ZONE 'Mars' END") == []
    assert problems("coalesce(tm, tz AT TIME ZONE 'Mars')") == []


def test_a_constant_moment_in_no_zone_has_no_value() -> None:
    assert problems("batch_end() AT TIME ZONE 'Mars'") == [
        ("batch_end() AT TIME ZONE 'Mars'", "this has no value: unknown TimeZone 'Mars'")
    ]


@pytest.mark.parametrize("name", ["list_aggregate", "list_aggr", "aggregate", "array_aggr", "array_aggregate"])
def test_an_aggregate_by_its_name_is_a_function_too(name: str) -> None:
    chance = "gives something else each time, so the result is no function of the inputs"
    for written in ("'reservoir_quantile'", "'Reservoir_Quantile'"):
        assert problems(f"{name}(nums, {written}, 0.5)") == [(written, f"`{written}` {chance}")]
    assert len(problems(f"{name}(nums, 'reservoir' || '_quantile', 0.5)")) == 1
    assert problems(f"{name}(nums, 'quantile_cont', 0.5)") == []


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("row(id, sym)", "STRUCT(BIGINT, VARCHAR), which no table can hold: its fields have no names"),
        ("[(id, d)]", "STRUCT(BIGINT, DATE)[], which no table can hold: its fields have no names"),
        ("MAP {id: (id, d)}", "MAP(BIGINT, STRUCT(BIGINT, DATE)), which no table can hold: its fields have no names"),
        ("list(INTERVAL 1 DAY)", "INTERVAL[], which no table can hold"),
        ("{'a': INTERVAL 1 DAY}", 'STRUCT("a" INTERVAL), which no table can hold'),
    ],
)
def test_a_type_that_no_table_holds_is_told_in_full(expression: str, told: str) -> None:
    assert problems(expression) == [(f"{expression} AS n", f"the column `n` has the type {told}")]
