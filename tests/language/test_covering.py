"""Which flows cover missed intervals: by their mode and clauses, and by what their readers name."""

from __future__ import annotations

from pathlib import Path

import pytest

from language.compiler import compile_sources
from shared_metadata.program import Flow, Program
from shared_metadata.program.source_schemas import ConnectionSchemas
from slices.registry import installed

AIRLINE = Path(__file__).parents[2] / "examples" / "airline"
SCHEMAS = {name: ConnectionSchemas.from_json((AIRLINE / "schemas" / f"{name}.json").read_text()) for name in ("crm", "ops")}
HEAD = """
CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
"""
FLIGHTS = "AS SELECT id, carrier, dep_delay, updated_at FROM ops.public.flights;"
COLLECT = f"INSERT INTO lake.ops.f EVERY '15 minutes' MERGE ON (id) CURSOR updated_at {FLIGHTS}"
WHOLE = "SELECT carrier, count(*) AS flights FROM lake.ops.f GROUP BY 1"
ENDS = "SELECT carrier, max(batch_end()) AS upto FROM lake.ops.f GROUP BY 1"
BOUND = "SELECT carrier, count(*) AS flights FROM lake.ops.f WHERE updated_at >= Batch_Start() GROUP BY 1"
BATCH = "SELECT carrier, max(_batch) AS flights FROM lake.ops.f GROUP BY 1"
QUOTED = 'SELECT carrier FROM lake.ops.f AS x WHERE x . "_BATCH" IS NOT NULL'
KEPT, COVERED = False, True


def flows_of(*statements: str, typed: bool = True) -> dict[str, Flow]:
    program: Program = compile_sources({"p.sql": "\n".join((HEAD, *statements))}, installed(), SCHEMAS if typed else None).program
    return dict(program.flows)


@pytest.mark.parametrize(
    ("clauses", "collect", "load"),
    [
        ("REPLACE", COVERED, COVERED),
        ("MERGE ON (id) CURSOR updated_at", COVERED, COVERED),
        ("APPEND CURSOR updated_at", KEPT, KEPT),
        ("MERGE ON (id) CURSOR updated_at TOLERATE 5 BAD ROWS", KEPT, KEPT),
        ("MERGE ON (id) CURSOR updated_at TOLERATE 0 BAD ROWS", COVERED, COVERED),
        ("MERGE ON (id) CURSOR updated_at TOLERATE 1 PERCENT BAD ROWS", COVERED, COVERED),
        ("REPLACE TOLERATE 5 BAD ROWS", COVERED, COVERED),
        ("MERGE ON (id) CURSOR updated_at EXPECT late: (_batch > updated_at) OR WARN", KEPT, KEPT),
        ("MERGE ON (id) CURSOR updated_at PARTITION BY (_batch)", KEPT, KEPT),
    ],
)
def test_what_is_collected(clauses: str, collect: bool, load: bool) -> None:
    flows = flows_of(f"INSERT INTO lake.ops.f EVERY '15 minutes' {clauses} {FLIGHTS}")
    assert [flow.covers for flow in flows.values()] == [collect, load]


@pytest.mark.parametrize(
    ("mode", "query", "covers"),
    [
        ("REPLACE", WHOLE, COVERED),
        ("REPLACE", ENDS, COVERED),
        ("REPLACE", BOUND, KEPT),
        ("APPEND", WHOLE, KEPT),
        ("MERGE ON (carrier)", WHOLE, KEPT),
        ("REPLACE TOLERATE lake.ops.f STALE '1 hour'", WHOLE, COVERED),
    ],
)
@pytest.mark.parametrize("typed", [True, False])
def test_a_view(mode: str, query: str, covers: bool, typed: bool) -> None:
    flows = flows_of(COLLECT, f"CREATE MATERIALIZED VIEW lake.ops.v EVERY '1 hour' {mode} AS {query};", typed=typed)
    assert flows["lake.ops.v"].covers is covers
    assert flows["lake.ops.f"].covers and flows["lake.ops.f:load"].covers, "its reader's boundaries are the schedule's to keep"


@pytest.mark.parametrize(
    ("mode", "query", "covers"),
    [
        ("MERGE ON (carrier)", WHOLE, COVERED),
        ("REPLACE", WHOLE, COVERED),
        ("REPLACE", ENDS, COVERED),
        ("MERGE ON (carrier)", ENDS, KEPT),
        ("REPLACE", BOUND, KEPT),
        ("APPEND", WHOLE, KEPT),
    ],
)
def test_a_publication(mode: str, query: str, covers: bool) -> None:
    flows = flows_of(COLLECT, f"INSERT INTO ops.elsewhere.v EVERY '1 hour' {mode} AS {query};", typed=False)
    assert flows["ops.elsewhere.v:result"].covers is covers and flows["ops.elsewhere.v"].covers is covers


@pytest.mark.parametrize("query", [BATCH, QUOTED])
def test_a_reader_that_names_the_batch_of_a_row_keeps_the_intervals_of_what_it_reads(query: str) -> None:
    flows = flows_of(COLLECT, f"CREATE MATERIALIZED VIEW lake.ops.v EVERY '1 hour' REPLACE AS {query};")
    assert not flows["lake.ops.f:load"].covers and flows["lake.ops.v"].covers


WINDOW = "updated_at >= batch_start() AND updated_at < batch_end()"
LOG = f"SELECT date_trunc('minute', updated_at) AS seen, carrier, count(*) AS changed FROM lake.ops.f WHERE {WINDOW} GROUP BY 1, 2"
ROWS = f"SELECT id, upper(carrier) AS carrier FROM lake.ops.f WHERE {WINDOW}"
APPEND = "APPEND"


def follows(query: str, *, collect: str = COLLECT, clauses: str = APPEND, every: str = "15 minutes", typed: bool = True) -> bool:
    flows = flows_of(collect, f"CREATE MATERIALIZED VIEW lake.ops.v EVERY '{every}' {clauses} AS {query};", typed=typed)
    assert not any(flow.follows for name, flow in flows.items() if name != "lake.ops.v")
    return flows["lake.ops.v"].follows


@pytest.mark.parametrize(
    "query",
    [
        ROWS,
        LOG,
        LOG.replace("GROUP BY 1, 2", "GROUP BY date_trunc('minute', updated_at), carrier HAVING count(*) > 1"),
        LOG.replace("'minute'", "'second'"),
        f"SELECT updated_at, min(dep_delay) AS least FROM lake.ops.f AS x WHERE dep_delay > 3 AND x.{WINDOW} GROUP BY x.updated_at",
        ROWS.replace(WINDOW, "batch_end() > f.updated_at AND (batch_start() <= updated_at AND id > 7)"),
    ],
)
def test_a_view_whose_batches_add_up_by_its_inputs_cursor_follows_it(query: str) -> None:
    assert follows(query)


@pytest.mark.parametrize(
    "query",
    [
        LOG.replace("'minute'", "'hour'"),  # a group of several batches
        LOG.replace("GROUP BY 1, 2", "GROUP BY 2, 1").replace("date_trunc('minute', updated_at)", "batch_start()"),
        LOG.replace("date_trunc('minute', updated_at)", "date_trunc('minute', updated_at + INTERVAL 30 SECONDS)"),
        LOG.replace("GROUP BY 1, 2", "GROUP BY ROLLUP (1, 2)"),
        f"SELECT count(*) AS n FROM lake.ops.f WHERE {WINDOW}",
        f"SELECT carrier, count(*) AS n FROM lake.ops.f WHERE {WINDOW} GROUP BY 1",
        f"SELECT DISTINCT carrier FROM lake.ops.f WHERE {WINDOW}",
        f"{ROWS} ORDER BY id LIMIT 3",
        f"SELECT id, row_number() OVER (ORDER BY id) AS n FROM lake.ops.f WHERE {WINDOW}",
        f"{ROWS} AND id > (SELECT avg(id) FROM lake.ops.f)",
        f"{ROWS} UNION ALL {ROWS}",
        f"WITH w AS ({ROWS}) SELECT * FROM w",
        ROWS.replace("FROM lake.ops.f", "FROM lake.ops.f JOIN lake.ops.f AS g USING (id)").replace("updated_at", "f.updated_at")
        .replace("SELECT id, upper(carrier)", "SELECT id, upper(f.carrier)"),
        ROWS.replace("updated_at < batch_end()", "updated_at <= batch_end()"),
        ROWS.replace(" AND ", " OR "),
        ROWS.replace(WINDOW, "updated_at >= batch_start()"),
        ROWS.replace("upper(carrier)", "batch_end()"),
        ROWS.replace(WINDOW, "id >= epoch(batch_start()) AND id < epoch(batch_end())"),
        ROWS.replace("upper(carrier)", "_batch"),
        ROWS.replace("id, upper(carrier)", "geomean(id)"),  # a macro over aggregates
        ROWS.replace("id, upper(carrier)", "1") + " GROUP BY ()",
    ],
)  # fmt: skip
def test_a_view_of_whose_batches_that_is_not_told_keeps_its_intervals(query: str) -> None:
    assert not follows(query)


@pytest.mark.parametrize(
    ("clauses", "followed"),
    [
        ("APPEND", True),
        ("APPEND EXPECT known: (carrier IS NOT NULL) OR QUARANTINE TOLERATE 1 PERCENT BAD ROWS", False),
        ("APPEND EXPECT known: (carrier IS NOT NULL) OR QUARANTINE TOLERATE 5 BAD ROWS", False),
        ("APPEND EXPECT late: (batch_end() > TIMESTAMPTZ '2020-01-01') OR WARN", False),
        ("APPEND TOLERATE lake.ops.f STALE '1 hour'", False),
        ("REPLACE", False),
        ("MERGE ON (id)", False),
    ],
)
def test_a_view_that_follows_adds_rows_and_counts_nothing_by_batch(clauses: str, followed: bool) -> None:
    assert follows(ROWS, clauses=clauses) is followed


@pytest.mark.parametrize(
    "collect",
    [
        COLLECT.replace("MERGE ON (id) CURSOR updated_at", "APPEND CURSOR updated_at"),
        COLLECT.replace("MERGE ON (id) CURSOR updated_at", "REPLACE"),
        COLLECT.replace("CURSOR updated_at", "CURSOR id"),
        COLLECT.replace("CURSOR updated_at", "CAPTURE"),
        COLLECT.replace("MERGE ON (id)", "MERGE ON (carrier)"),  # not the table's key: the source may have a row twice
        COLLECT.replace("SELECT id,", "SELECT id + 0 AS id,"),
    ],
)
def test_what_it_follows_has_each_row_once_as_the_source_has_it(collect: str) -> None:
    assert follows(ROWS) and not follows(ROWS, collect=collect)
    assert not follows(ROWS, typed=False), "without the source's schema nobody knows its key"


def test_a_key_and_a_cursor_may_have_other_names_in_the_warehouse() -> None:
    collect = COLLECT.replace("SELECT id, carrier, dep_delay, updated_at", "SELECT id AS nr, carrier, updated_at AS changed")
    query = ROWS.replace("updated_at", "changed").replace("id,", "nr,")
    assert follows(query, collect=collect.replace("ON (id) CURSOR updated_at", "ON (nr) CURSOR changed"))


def test_the_airlines_log_follows_its_flights() -> None:
    program = compile_sources({"p.sql": (AIRLINE / "program.sql").read_text()}, installed(), SCHEMAS).program
    assert [flow.id for flow in program.flows.values() if flow.follows] == ["lake.ops.flight_log"]
