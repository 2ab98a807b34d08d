"""What only PostgreSQL has: its cursors, queries, snapshots, parts, names and refusals."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from shared_metadata.contract.runtime.environment import Environment
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program import Column, Connection, Mode, Position
from shared_metadata.program.intervals import Interval
from slices.collect.postgres import handlers
from slices.collect.postgres.slice import SLICE
from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.silence import Way
from systems.postgres import catalog
from systems.postgres.failures import connection_error
from systems.sql_source import chunks as sql_chunks
from systems.sql_source import extraction, silence
from systems.sql_source import parts as sql_parts
from systems.sql_source.memory import Memory
from systems.sql_source.parts import LINES
from systems.sql_source.reading import Reading
from tests.conformance.collect import FLOW, Collecting, run_states
from tests.conformance.fixtures import FakeContext, run_batch

MEMORY = Memory.of_function(2048)

BY_ID: dict[str, Any] = {"mode": Mode.APPEND, "key": (), "cursor": "id"}


def collect(collecting: Collecting, source: str, *, options: dict[str, Any] | None = None, **flow: Any) -> None:
    """A flow with clauses of its own instead of the suite's."""
    collecting.source.incremental = {"mode": Mode.REPLACE, **flow}  # type: ignore[misc]
    collecting.collect(source, options=options or {})


def staged(collecting: Collecting) -> list[dict[str, Any]]:
    found = collecting.cloud.rows(collecting.dataset)
    return [] if found is None else sorted(found.drop(["_batch"]).to_pylist(), key=str)


def refusal(collecting: Collecting) -> str:
    run = collecting.run(record_errors=True)
    found = [failed["error"] for failed in run.planned["failed"]] + [f"{type(e).__name__}: {e}" for e in run.errors.values()]
    return found[0]


# -- cursors


def test_integer_cursor_takes_what_was_added_since_the_last_batch(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id bigint, note text); INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    collect(collecting, "public.t", **BY_ID)
    collecting.run()
    assert len(staged(collecting)) == 2
    assert collecting.run().planned["committed"] == [collecting.dataset]
    database.run("INSERT INTO t VALUES (7, 'c'), (9, 'd')")
    collecting.run()
    assert [row["id"] for row in staged(collecting)] == [7, 9]


def test_integer_cursor_over_an_empty_table_finds_the_first_rows(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id bigint, note text)")
    collect(collecting, "public.t", **BY_ID)
    collecting.run()
    collecting.run()
    database.run("INSERT INTO t VALUES (1, 'a')")
    collecting.run()
    assert staged(collecting) == [{"id": 1, "note": "a"}]


def test_rows_added_after_plan_wait_for_the_next_batch(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id bigint); INSERT INTO t VALUES (1)")
    collect(collecting, "public.t", **BY_ID)
    steps = collecting.steps()
    (state,) = steps.plan(collecting.cloud.event(FLOW), FakeContext())["work"]
    database.run("INSERT INTO t VALUES (2)")
    assert run_states(steps, state)["rows"] == 1
    collecting.run()
    assert staged(collecting) == [{"id": 2}]


def test_backfill_over_a_cursor_that_is_no_time_is_refused(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id bigint); INSERT INTO t VALUES (1)")
    collect(collecting, "public.t", **BY_ID)
    collecting.run()
    start = collecting.at - timedelta(days=1)  # of a time that no batch came past, so that none took anything
    event = collecting.cloud.event(FLOW, rerun=True, interval=Interval(start, start + timedelta(hours=1)))
    (failed,) = run_batch(collecting.steps(), event, record_errors=True).planned["failed"]
    assert "its cursor id is no time" in failed["error"]


def test_timestamp_without_zone_is_utc(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id int, changed timestamp)")
    database.run(f"ALTER DATABASE \"{database.name}\" SET timezone = 'Asia/Tokyo'")
    start = collecting.at - timedelta(minutes=20)
    database.run(
        "INSERT INTO t VALUES (1, %s), (2, %s)",
        ((start + timedelta(minutes=59)).replace(tzinfo=None), (start + timedelta(hours=1)).replace(tzinfo=None)),
    )
    collect(collecting, "public.t", mode=Mode.APPEND, cursor="changed")
    collecting.run()
    assert [row["id"] for row in staged(collecting)] == [1]
    collecting.run()
    assert [row["id"] for row in staged(collecting)] == [2]


def test_append_by_a_number_does_not_see_a_later_row_of_the_last_one_and_says_so(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2)")
    collect(collecting, "public.t", **BY_ID)
    collecting.run()
    database.run("INSERT INTO t VALUES (2), (3)")
    collecting.cloud.clock.advance(hours=1)
    collecting.run()
    assert [row["id"] for row in staged(collecting)] == [3]
    assert "the same number as the last one" in SLICE.capabilities.never_appended


def test_date_cursor_takes_a_day_when_it_is_over(collecting: Collecting, database: Database) -> None:
    today = collecting.at.date()
    database.run("CREATE TABLE t (id int, day date)")
    database.run("INSERT INTO t VALUES (1, %s), (2, %s)", (today - timedelta(days=1), today))
    collect(collecting, "public.t", mode=Mode.APPEND, cursor="day")
    collecting.run()
    assert [row["id"] for row in staged(collecting)] == [1]
    while not collecting.run().results:
        assert collecting.at.date() <= today + timedelta(days=1)
    assert [row["id"] for row in staged(collecting)] == [2]


def test_lag_reaches_back_for_rows_that_were_committed_late(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id int, changed timestamptz)")
    database.run("INSERT INTO t VALUES (1, %s)", (collecting.at,))
    collect(collecting, "public.t", options={"lag": "30 minutes"}, mode=Mode.MERGE, key=("id",), cursor="changed")
    collecting.run()
    database.run("INSERT INTO t VALUES (2, %s), (3, %s)", (collecting.at - timedelta(minutes=30), collecting.at - timedelta(hours=1)))
    collecting.run()
    assert [row["id"] for row in staged(collecting)] == [2]


def test_lag_with_append_is_refused(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id int, changed timestamptz)")
    collect(collecting, "public.t", options={"lag": "1 minute"}, mode=Mode.APPEND, cursor="changed")
    assert "APPEND would keep twice" in refusal(collecting)


def test_another_cursor_column_starts_over(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id int, changed timestamptz); INSERT INTO t VALUES (1, '2020-01-01Z'), (2, '2020-01-01Z')")
    collect(collecting, "public.t", **BY_ID)
    collecting.run()
    collect(collecting, "public.t", mode=Mode.MERGE, key=("id",), cursor="changed")
    collecting.run()
    assert len(staged(collecting)) == 2


# -- projections and queries


def test_projection_renames_filters_and_computes(collecting: Collecting, database: Database) -> None:
    database.run(
        'CREATE TABLE "Order" ("Id" int, "Total" numeric(8,2), kind text); INSERT INTO "Order" VALUES (1, 2.5, \'x\'), (2, 3, \'y\')'
    )
    columns = (Column("number", '"Id"'), Column("total", '"Total"'), Column("loud", "upper(kind)"))
    collect(collecting, "public.Order", columns=columns, filter="kind <> 'y' -- not those")
    collecting.run()
    assert [(row["number"], str(row["total"]), row["loud"]) for row in staged(collecting)] == [(1, "2.50", "X")]


def test_query_over_several_tables_is_collected(collecting: Collecting, database: Database) -> None:
    database.run(
        "CREATE TABLE a (id int, n int); CREATE TABLE b (id int, name text);"
        "INSERT INTO a VALUES (1, 5), (2, 6); INSERT INTO b VALUES (1, 'x')"
    )
    query = 'SELECT b.name, a.n * 2 AS "Twice", count(*) FROM public.a JOIN public.b USING (id) GROUP BY 1, 2 -- end'
    collect(collecting, "", query=query)
    collecting.run()
    assert staged(collecting) == [{"name": "x", "twice": 10, "count": 1}]


def test_cursor_of_a_query_is_one_of_its_columns(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE a (id int); INSERT INTO a VALUES (1)")
    collect(collecting, "", query="SELECT id + 10 AS id FROM public.a UNION ALL SELECT 1", **BY_ID)
    collecting.run()
    database.run("INSERT INTO a VALUES (5)")
    collecting.run()
    assert staged(collecting) == [{"id": 15}]


def test_views_and_partitioned_tables_are_collected(collecting: Collecting, database: Database) -> None:
    database.run(
        "CREATE TABLE p (id int, day date) PARTITION BY RANGE (day);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');"
        "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');"
        "INSERT INTO p SELECT i, '2026-01-01'::date + i % 50 FROM generate_series(1, 5000) i;"
        "CREATE VIEW v AS SELECT id FROM p WHERE id <= 3"
    )
    collect(collecting, "public.p")
    run = collecting.run(context=lambda step: FakeContext(5 if step == "extract" else 900))
    assert run.calls["extract"] > 1
    assert sorted(row["id"] for row in staged(collecting)) == list(range(1, 5001))
    collect(collecting, "v")
    collecting.run()
    assert staged(collecting) == [{"id": 1}, {"id": 2}, {"id": 3}]


# -- one snapshot, several parts


def test_rows_that_move_while_they_are_read_come_exactly_once(
    collecting: Collecting, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An UPDATE puts a row's new version into another page, perhaps behind the reader; the shared snapshot shows the old ones."""
    database.run("CREATE TABLE t (id int, note text) WITH (autovacuum_enabled = false)")
    database.run("INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(1, 3000) i")
    made = sql_chunks.chunk_sql

    def meanwhile(*arguments: Any) -> str:
        database.run(
            "UPDATE t SET note = 'moved' WHERE id % 3 = 0; DELETE FROM t WHERE id % 7 = 0; INSERT INTO t VALUES (9999, 'new')"
        )
        return made(*arguments)

    monkeypatch.setattr(sql_chunks, "chunk_sql", meanwhile)
    monkeypatch.setattr(sql_parts, "chunk_positions", lambda *_: 20 * LINES)
    collect(collecting, "public.t")
    collecting.run()
    files = collecting.cloud.manifest(collecting.dataset)["files"]
    assert len(files) > 5
    assert sorted(row["id"] for row in staged(collecting)) == list(range(1, 3001))


@pytest.mark.parametrize(("part_mb", "parts"), [(1, [0, 1]), (256, [0])])
def test_first_load_of_a_large_table_has_parts_that_together_are_the_table(
    collecting: Collecting, database: Database, part_mb: int, parts: list[int]
) -> None:
    database.run(
        "CREATE TABLE t (id int, changed timestamptz); INSERT INTO t SELECT i, '2026-01-01Z' FROM generate_series(1, 60000) i"
    )
    collect(collecting, "public.t", options={"max_parts": 3}, mode=Mode.MERGE, key=("id",), cursor="changed")
    steps = collecting.steps(lambda open_source: partial(open_source, part_mb=part_mb))
    run = run_batch(steps, collecting.cloud.event(FLOW))
    assert run.planned["work"][0]["parts"] == parts
    assert sorted(row["id"] for row in staged(collecting)) == list(range(1, 60001))


def test_snapshot_without_cursor_is_one_part_however_large(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 100000)")
    collect(collecting, "public.t")
    steps = collecting.steps(lambda open_source: partial(open_source, part_mb=1))
    assert run_batch(steps, collecting.cloud.event(FLOW)).planned["work"][0]["parts"] == [0]


@pytest.mark.parametrize(("function_mb", "duckdb_mb"), [(512, 256), (2048, 256), (10_240, 1280)])
def test_what_a_call_holds_follows_the_memory_that_its_function_was_given(
    collecting: Collecting, database: Database, monkeypatch: pytest.MonkeyPatch, function_mb: int, duckdb_mb: int
) -> None:
    """The limit that DuckDB itself tells of the connection that reads."""
    limits: list[float] = []

    def telling(reading: Reading) -> Any:
        value, unit = reading._duckdb.execute("SELECT current_setting('memory_limit')").fetchone()[0].split()  # type: ignore[index]
        limits.append(float(value) * {"MiB": 1, "GiB": 1024}[unit] * 2**20 / 10**6)
        return made(reading)

    made = Reading.cursor
    monkeypatch.setattr(Reading, "cursor", telling)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", str(function_mb))
    database.run("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 100)")
    collect(collecting, "public.t")
    collecting.run()
    assert limits and limits[0] == pytest.approx(duckdb_mb, rel=0.1)


def test_a_smaller_function_reads_fewer_large_rows_at_once_and_writes_smaller_row_groups() -> None:
    part = sql_parts.Part("t", ("a",), ("c0",), (), 0, 10**6, True, page_bytes=8192, row_bytes=2**20)
    small, large = Memory.of_function(320), Memory.of_function(10_240)
    lengths = [sql_parts.chunk_positions(10**6 * LINES, 2, part, 50 * 2**20, 600, memory) for memory in (small, large)]
    assert lengths[0] * 10 < lengths[1]
    assert small.row_group_rows(2_000) < Memory.of_function(2048).row_group_rows(2_000) <= large.row_group_rows(2_000)


def test_failed_chunk_keeps_what_the_others_did(collecting: Collecting, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.run("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 20000)")
    made, calls = sql_chunks.chunk_sql, iter(range(100))

    def interrupted(*arguments: Any) -> str:
        if next(calls) == 3:
            database.run(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database.name}' AND usename <> 'postgres'"
            )
        return made(*arguments)

    monkeypatch.setattr(sql_chunks, "chunk_sql", interrupted)
    monkeypatch.setattr(sql_parts, "chunk_positions", lambda *_: 8 * LINES)
    collect(collecting, "public.t")
    run = collecting.run()
    assert run.calls["extract"] > 1
    assert sorted(row["id"] for row in staged(collecting)) == list(range(1, 20001))


def near_its_end_at_first(database: Database, between: str) -> Callable[[str], FakeContext]:
    """Contexts of which the first extract's ends soon; before the next one `between` is run."""
    calls = iter(range(100))

    def context(step: str) -> FakeContext:
        number = next(calls) if step == "extract" else -1
        if number == 1 and between:
            database.run(between)
        return FakeContext(5 if number == 0 else 900)

    return context


LARGE_TABLE = "CREATE TABLE t (id bigint, note text); INSERT INTO t SELECT i, repeat('x', 400) FROM generate_series(1, 20000) i"


@pytest.mark.parametrize("first_seconds", [900, 5], ids=["in one call", "in several"])
@pytest.mark.parametrize("between", ["UPDATE t SET note = 'moved' WHERE id = 5000", "INSERT INTO t VALUES (30000, 'new')"])
def test_a_first_load_that_adds_rows_takes_each_once_whatever_moves_meanwhile(
    collecting: Collecting, database: Database, between: str, first_seconds: int
) -> None:
    """What moves does not come again: nothing merges it. What is added has its window."""
    database.run(LARGE_TABLE)
    collect(collecting, "public.t", options={"max_parts": 2}, **BY_ID)
    steps, meanwhile = collecting.steps(lambda open_source: partial(open_source, part_mb=1)), near_its_end_at_first(database, between)

    def context(step: str) -> FakeContext:
        found = meanwhile(step)
        return FakeContext(max(found.remaining_seconds, first_seconds))

    run = run_batch(steps, collecting.cloud.event(FLOW), context=context, record_errors=True)
    if run.errors:
        (error,) = run.errors.values()
        assert "was written to while it was read" in str(error) and first_seconds == 5 and between.startswith("UPDATE")
    else:
        assert [row["id"] for row in sorted(staged(collecting), key=lambda row: row["id"])] == list(range(1, 20001))
    assert (run.calls["extract"] > 1) == (first_seconds == 5)


SMALL_TABLE = "CREATE TABLE t (id int, note text); INSERT INTO t SELECT i, repeat('x', 400) FROM generate_series(1, 3000) i"
WRITES = ["UPDATE t SET note = 'moved' WHERE id = 7", "VACUUM FULL t"]


@pytest.mark.parametrize("between", [*WRITES, "INSERT INTO t VALUES (9999, 'new')"])
def test_snapshot_that_takes_several_calls_is_refused_when_its_table_was_written_to_between_them(
    collecting: Collecting, database: Database, between: str
) -> None:
    """Rows may have moved between pages that were read and such that were not."""
    database.run(SMALL_TABLE)
    collect(collecting, "public.t")
    run = collecting.run(context=near_its_end_at_first(database, between), record_errors=True)
    error = run.errors[collecting.dataset]
    assert isinstance(error, DefinitionError) and "was written to while it was read" in str(error) and "CURSOR" in str(error)
    assert collecting.cloud.reader.latest_version(collecting.dataset) is None


@pytest.mark.parametrize(
    "between", ["", "CREATE TABLE other AS SELECT 1 AS id", "UPDATE t SET note = '' WHERE id = 2999", "VACUUM t"]
)
def test_snapshot_that_takes_several_calls_goes_on_when_its_rows_are_what_they_were(
    collecting: Collecting, database: Database, between: str
) -> None:
    database.run(SMALL_TABLE)
    collect(collecting, "public.t", filter="note <> '' -- 100 %")
    run = collecting.run(context=near_its_end_at_first(database, between))
    assert run.calls["extract"] > 1
    expected = set(range(1, 3001)) - ({2999} if "2999" in between else set())
    assert {row["id"] for row in staged(collecting)} == expected and len(staged(collecting)) == len(expected)


@pytest.mark.parametrize("between", WRITES)
def test_table_with_a_cursor_may_be_written_to_between_calls(collecting: Collecting, database: Database, between: str) -> None:
    database.run(SMALL_TABLE)
    collect(collecting, "public.t", mode=Mode.MERGE, key=("id",), cursor="id")
    assert collecting.run(context=near_its_end_at_first(database, between)).calls["extract"] > 1


@pytest.fixture
def way(collecting: Collecting, database: Database) -> Iterator[Way]:
    """The flow's connection goes this way, on which the source can fall silent."""
    opened = Way(f"{database.host}/.s.PGSQL.{database.port}")
    collecting.cloud.put_secret("thing", {**database.secret, "host": "127.0.0.1", "port": opened.port})
    yield opened
    opened.close()


@pytest.mark.parametrize("at", ["connecting", "planning"])
def test_plan_gives_up_a_source_that_is_silent_before_its_time_is_up(
    collecting: Collecting, database: Database, way: Way, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    database.run("CREATE TABLE t (id int)")
    collect(collecting, "public.t")
    found = catalog.find_table

    def silenced(*arguments: Any) -> Any:
        way.silence()
        return found(*arguments)

    if at == "connecting":
        way.silence()
    monkeypatch.setattr(catalog, "find_table", silenced)
    until = time.monotonic() + silence.ANSWER_SECONDS + 1.0
    steps = collecting.steps(lambda open_source: partial(open_source, until=lambda: until))
    said = "cannot be reached" if at == "connecting" else "did not answer before the call's time was up"
    with pytest.raises(RetryLater, match=said):
        steps.plan(collecting.cloud.event(FLOW), FakeContext())
    assert time.monotonic() < until


@pytest.mark.parametrize("chunks", [0, 4])
def test_source_that_falls_silent_is_given_up_in_time_and_what_was_read_before_is_kept(
    collecting: Collecting, database: Database, way: Way, monkeypatch: pytest.MonkeyPatch, chunks: int
) -> None:
    """It neither answers nor closes its connections, so that only the deadline ends the wait."""
    database.run("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 20000)")
    made, calls = sql_chunks.chunk_sql, iter(range(100))

    def silenced(*arguments: Any) -> str:
        if next(calls) == chunks:
            way.silence()
        return made(*arguments)

    def context(step: str) -> FakeContext:
        way.speak()
        return FakeContext()

    monkeypatch.setattr(sql_chunks, "chunk_sql", silenced)
    monkeypatch.setattr(sql_parts, "chunk_positions", lambda *_: 8 * LINES)
    monkeypatch.setattr(extraction, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(extraction, "ANSWER_SECONDS", 893.0)  # of a call's 900
    collect(collecting, "public.t")
    run = collecting.run(context=context, record_errors=True)
    if chunks:
        assert run.calls["extract"] > 1
        assert sorted(row["id"] for row in staged(collecting)) == list(range(1, 20001))
    else:
        error = run.errors[collecting.dataset]
        assert isinstance(error, RetryLater) and "did not answer before the call's time was up" in str(error)


def test_chunk_that_ends_just_as_it_is_given_up_is_read_again(
    collecting: Collecting, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 20000)")
    finished, calls, given_up = extraction.Extraction._finished, iter(range(100)), threading.Event()
    gives_up = extraction.Extraction._give_up

    def late(*arguments: Any) -> None:
        if next(calls) == 4:
            assert given_up.wait(60)
        finished(*arguments)

    def give_up(work: extraction.Extraction) -> None:
        gives_up(work)
        given_up.set()

    monkeypatch.setattr(extraction.Extraction, "_finished", late)
    monkeypatch.setattr(extraction.Extraction, "_give_up", give_up)
    monkeypatch.setattr(sql_parts, "chunk_positions", lambda *_: 8 * LINES)
    monkeypatch.setattr(extraction, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(extraction, "ANSWER_SECONDS", 898.5)  # of a call's 900
    collect(collecting, "public.t")
    assert collecting.run().calls["extract"] > 1
    assert sorted(row["id"] for row in staged(collecting)) == list(range(1, 20001))


def test_server_that_ends_a_session_as_it_begins_does_not_blame_the_secret() -> None:
    said = "connection failed: FATAL:  terminating connection due to administrator command"
    assert isinstance(connection_error(said, "ops", "p.sql:1:1"), RetryLater)


# -- names and refusals


def test_names_that_fold_to_one_are_refused_with_both(collecting: Collecting, database: Database) -> None:
    database.run('CREATE TABLE t ("Name" text, name text)')
    collect(collecting, "public.t")
    assert "the column name collides with Name" in refusal(collecting)


def test_table_that_is_gone_suggests_a_name_like_it(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE flights (id int)")
    collect(collecting, "public.fligths")
    assert "did you mean public.flights?" in refusal(collecting)


def test_column_that_is_gone_suggests_a_name_like_it(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE flights (id int, carrier text)")
    collect(collecting, "public.flights", columns=(Column("id", "id"), Column("carier", "carier")))
    found = refusal(collecting)
    assert 'column "carier" does not exist' in found and "did you mean carrier?" in found


def test_table_without_permission_names_the_grant(collecting: Collecting, database: Database) -> None:
    database.run(f'CREATE TABLE t (id int); REVOKE ALL ON t FROM "{database.user}"')
    collect(collecting, "public.t")
    found = refusal(collecting)
    assert found.startswith("DefinitionError: program.atoll:7:3: permission denied for table t") and "GRANT SELECT" in found


def test_value_that_breaks_an_expression_is_not_shown(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (secretly text); INSERT INTO t VALUES ('hidden-4711')")
    collect(collecting, "public.t", columns=(Column("n", "secretly::int"),))
    found = refusal(collecting)
    assert found.startswith("RowError: ") and "hidden-4711" not in found and "invalid input syntax for type integer" in found


def test_statement_that_takes_too_long_ends_before_the_function_does(collecting: Collecting, database: Database) -> None:
    database.run("CREATE VIEW slow AS SELECT 1 AS id FROM pg_sleep(30)")
    collect(collecting, "public.slow")
    run = collecting.run(context=lambda step: FakeContext(5 if step == "extract" else 900), record_errors=True)
    assert "the database ended the work (57014 QueryCanceled)" in str(run.errors[collecting.dataset])


def test_source_sessions_only_read_and_are_closed(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (1) RETURNING 1'")
    collect(collecting, "", query="SELECT f() AS id")
    assert "read-only transaction" in refusal(collecting)
    open_sessions = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database.name}' AND application_name = 'atoll'"
    for _ in range(50):
        if database.run(open_sessions) == [(0,)]:
            break
        database.run("SELECT pg_sleep(0.05)")
    assert database.run(open_sessions) == [(0,)]


# -- sizes


def test_chunks_shrink_as_the_deadline_nears_and_never_vanish() -> None:
    part = sql_parts.Part("t", ("a",), ("c0",), (), 0, 10**6, True, page_bytes=8192, row_bytes=100)
    lengths = [sql_parts.chunk_positions(10**6 * LINES, 2, part, 50 * 2**20, seconds, MEMORY) for seconds in (600, 6, -20)]
    assert lengths[0] > lengths[1] > lengths[2] == 16 * LINES


@pytest.mark.deep  # hundreds of megabytes
def test_rows_of_megabytes_are_read_a_few_at_a_time(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id int, doc text); ALTER TABLE t ALTER doc SET STORAGE EXTERNAL")
    database.run("INSERT INTO t SELECT i, repeat(md5(i::text), (2^16)::int) FROM generate_series(1, 150) i; ANALYZE t")
    collect(collecting, "public.t")
    collecting.run()
    assert [(row["id"], len(row["doc"])) for row in sorted(staged(collecting), key=lambda r: r["id"])] == [
        (i, 2**21) for i in range(1, 151)
    ]


@pytest.mark.deep  # hundreds of megabytes
def test_few_large_rows_among_many_small_ones_are_read_by_halves(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id int, doc text); ALTER TABLE t ALTER doc SET STORAGE EXTERNAL")
    database.run("INSERT INTO t SELECT i, 'small' FROM generate_series(1, 20000) i")
    database.run("INSERT INTO t SELECT i, repeat(md5(i::text), (2^17)::int) FROM generate_series(20001, 20080) i; ANALYZE t")
    collect(collecting, "public.t")
    collecting.run()
    assert sorted(collecting.cloud.rows(collecting.dataset)["id"].to_pylist()) == list(range(1, 20081))


@pytest.mark.deep  # five million values
def test_very_wide_tables_of_many_rows_fit_in_memory(collecting: Collecting, database: Database) -> None:
    columns = [f"w{number}" for number in range(500)]
    database.run(f"CREATE TABLE t ({', '.join(f'{c} text' for c in columns)})")
    values = ", ".join(f"'v' || i % {number + 7}" for number in range(500))
    database.run(f"INSERT INTO t SELECT {values} FROM generate_series(1, 10000) i; ANALYZE t")
    collect(collecting, "public.t")
    assert collecting.run().results[collecting.dataset]["rows"] == 10000


def test_wide_rows_make_small_row_groups() -> None:
    assert [MEMORY.row_group_rows(size) for size in (100, 8_000, 10**9)] == [122_880, 4_096, 2_048]


# -- values in what PostgreSQL says

LEAKY = (
    "label::int",
    "to_tsquery(label)",
    "label::regclass",
    "(label || '-2026')::date",
    "label::jsonb",
    "regexp_replace('x', label || '(', '')",
    "tell(label)",
    "pg_input_error_info(label, 'int')::text::int",
    "1 / (length(label) - length(label))",
    "repeat('9', 40)::numeric::bigint",
    "to_timestamp(label, 'YYYY')",
    "decode(label, 'hex')",
)


@pytest.mark.security
def test_no_error_shows_a_value_of_a_row(collecting: Collecting, database: Database) -> None:
    value = "private' \\ \" value: & of: 4711"
    database.run("CREATE FUNCTION tell(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused % of value %', $1, $1; END $$")
    database.run("CREATE TABLE t (label text)")
    database.run("INSERT INTO t VALUES ('" + value.replace("'", "''") + "')")
    shown = {}
    for number, expression in enumerate(LEAKY):
        database.run(f"CREATE VIEW v{number} AS SELECT {expression} AS x FROM t")
        collect(collecting, f"public.v{number}")
        said = refusal(collecting)
        assert "Error: " in said and "program.atoll:7:3" in said
        if "private" in said or "4711" in said or "9999" in said:
            shown[expression] = said
        collecting.cloud.clock.advance(hours=2)
    assert shown == {}


def test_a_function_plans_parts_of_the_size_that_its_installation_says(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = Environment(SLICE.id, "table", "bucket", 1024).variables()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    handlers.services.cache_clear()
    try:
        source = handlers._open(Connection("ops", "postgres", {"secret": "ops"}, Position("p.sql", 1, 1)), database.secret)
        assert source._part_mb == 1024  # type: ignore[attr-defined]
    finally:
        handlers.services.cache_clear()
