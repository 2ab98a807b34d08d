"""The cut in SQL: of whatever the API answers a batch takes the rows of its half-open interval, and no row is in none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_metadata.contract.collect import Window
from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.program import Mode
from shared_metadata.program.intervals import Interval
from shared_metadata.program.json_types import DAY, EPOCH, MOMENT
from shared_metadata.program.schema import SchemaColumn
from systems.rest.manifest import streams_of
from systems.rest.window import cursor_text, taken
from tests.systems.rest.reading import stream

START, HOUR = datetime(2026, 11, 24, 22, 0, tzinfo=UTC), timedelta(hours=1)
FORMS = {MOMENT: "%Y-%m-%dT%H:%M:%SZ", DAY: "%Y-%m-%d", EPOCH: "%ms"}
TYPES = {MOMENT: "TIMESTAMPTZ", DAY: "DATE", EPOCH: "BIGINT"}


def value(kind: str, moment: datetime) -> object:
    return {MOMENT: moment, DAY: moment.date(), EPOCH: int(moment.timestamp() * 1000)}[kind]


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from([MOMENT, DAY, EPOCH]),
    seconds=st.lists(st.one_of(st.integers(0, 5 * 3600 - 1), st.sampled_from([0, 3599, 3600, 7199, 7200, 7201])), max_size=20),
)
def test_each_change_is_taken_by_the_batch_in_which_it_happens_and_by_no_earlier_one(kind: str, seconds: list[int]) -> None:
    sync = {"type": "DatetimeBasedCursor", "cursor_field": "c", "datetime_format": FORMS[kind], "start_datetime": "2020-01-01"}
    declared = streams_of({"streams": [stream(incremental_sync=sync)]})["things"]
    column, cursor = SchemaColumn("c", "x", True, "c", kind), ""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE rows (second INT, c {TYPES[kind]})")
        found: dict[int, list[int]] = {}
        for number in range(5):  # each batch reads what has happened by then
            window = Window(Interval(START + number * HOUR, START + (number + 1) * HOUR), cursor, False)
            now = window.interval.end
            new = [second for second in seconds if number * 3600 <= second < (number + 1) * 3600]
            for second in new:
                connection.execute("INSERT INTO rows VALUES (?, ?)", [second, value(kind, START + timedelta(seconds=second))])
            wanted = taken(Mode.MERGE, window, declared, column, 0, now)
            rows = connection.execute(f"SELECT DISTINCT second FROM rows WHERE {wanted.cut.condition(identifier)}").fetchall()
            found[number] = [second for (second,) in rows]
            assert {*new} <= {*found[number]}
            cursor = cursor_text(window)
    if kind != DAY:  # a day is read again until it is over
        assert sorted(second for some in found.values() for second in some) == sorted({*seconds})


@pytest.mark.parametrize("kind", [MOMENT, DAY, EPOCH])
def test_a_row_without_a_cursor_is_taken_and_one_that_is_still_to_come_is_not(kind: str) -> None:
    sync = {"type": "DatetimeBasedCursor", "cursor_field": "c", "datetime_format": FORMS[kind], "start_datetime": "2020-01-01"}
    declared = streams_of({"streams": [stream(incremental_sync=sync)]})["things"]
    window = Window(Interval(START, START + HOUR), "", False)
    wanted = taken(Mode.MERGE, window, declared, SchemaColumn("c", "x", True, "c", kind), 60, START + HOUR)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE rows (c {TYPES[kind]})")
        connection.execute("INSERT INTO rows VALUES (NULL), (?)", [value(kind, START + 24 * HOUR)])
        assert connection.execute(f"SELECT c FROM rows WHERE {wanted.cut.condition(identifier)}").fetchall() == [(None,)]


@pytest.mark.parametrize("kind", [MOMENT, DAY, EPOCH])
def test_a_row_whose_cursor_is_further_ahead_than_any_batch_is_taken_by_each_batch_that_is_told_of_it(kind: str) -> None:
    """For such a moment may stand for `never`, and no batch would come to it."""
    sync = {"type": "DatetimeBasedCursor", "cursor_field": "c", "datetime_format": FORMS[kind], "start_datetime": "2020-01-01"}
    declared = streams_of({"streams": [stream(incremental_sync=sync)]})["things"]
    never, cursor = datetime(2999, 1, 1, tzinfo=UTC), ""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE rows (name TEXT, c {TYPES[kind]})")
        for name, moment in (("never", never), ("tomorrow", START + 24 * HOUR), ("next week", START + 7 * 24 * HOUR)):
            connection.execute("INSERT INTO rows VALUES (?, ?)", [name, value(kind, moment)])
        for number in range(2):
            window = Window(Interval(START + number * HOUR, START + (number + 1) * HOUR), cursor, False)
            wanted = taken(Mode.MERGE, window, declared, SchemaColumn("c", "x", True, "c", kind), 60, window.interval.end)
            found = connection.execute(f"SELECT name FROM rows WHERE {wanted.cut.condition(identifier)}").fetchall()
            assert found == [("never",)]
            cursor = cursor_text(window)


@pytest.mark.parametrize(("given", "kind"), [(2**63 - 1, "BIGINT"), (-(2**63), "BIGINT"), (10**18, "BIGINT"), ("'nan'", "DOUBLE")])
def test_a_number_that_is_no_moment_is_of_no_moment_and_its_row_is_taken(given: object, kind: str) -> None:
    """What an API writes for `never`; it ended the batch, and with it all collecting."""
    sync = {"type": "DatetimeBasedCursor", "cursor_field": "c", "datetime_format": "%ms", "start_datetime": "2020-01-01"}
    declared = streams_of({"streams": [stream(incremental_sync=sync)]})["things"]
    window = Window(Interval(START, START + HOUR), cursor_text(Window(Interval(START - HOUR, START), "", False)), False)
    cut = taken(Mode.MERGE, window, declared, SchemaColumn("c", "x", True, "c", EPOCH), 60, START + HOUR).cut
    with duckdb.connect() as connection:
        rows = f"(VALUES (1, CAST({given} AS {kind})), (2, {int(START.timestamp() * 1000) + 5}), (3, 1000)) AS t(id, c)"
        found = connection.execute(f"SELECT id FROM {rows} WHERE {cut.condition(identifier)} ORDER BY 1").fetchall()
        assert found == [(1,), (2,)]


def test_a_replace_and_another_cursor_than_the_apis_ask_for_what_is_still_to_come() -> None:
    declared = streams_of({"streams": [stream()]})["things"]
    window = Window(Interval(START, START + HOUR), '{"until": "2026-11-24T22:00:00Z"}', False)
    for mode, column in ((Mode.REPLACE, None), (Mode.MERGE, SchemaColumn("c", "timestamptz", True, "c", MOMENT))):
        wanted = taken(mode, window, declared, column, 60, START + HOUR)
        assert wanted.span.start is None and wanted.span.end > START + HOUR and wanted.changes == (mode == Mode.MERGE)
