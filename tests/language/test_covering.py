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
