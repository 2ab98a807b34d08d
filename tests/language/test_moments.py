"""Texts that are another time tomorrow, in the WHERE of what is merged: refused where PostgreSQL reads a time, and only there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
import pytest

from language import ProgramErrors
from language.compiler import compile_sources
from language.dialects.postgres.moments import moves
from shared_metadata.contract.declaration import Slice
from shared_metadata.records import Schema, SchemaColumn
from shared_metadata.source_schemas import ConnectionSchemas
from tests.background import postgres_server

TYPES = {
    "id": "bigint", "d": "date", "at": "timestamp without time zone", "u": "timestamp with time zone", "t": "time without time zone",
    "ds": "date[]", "r": "daterange", "words": "text", "name": "character varying(20)", "doc": "jsonb",
}  # fmt: skip
HEAD = "CREATE WAREHOUSE lake USING iceberg; CREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n"
MOVING = (
    "d >= 'today'", "'yesterday' < u", "at = ' NOW '", "u BETWEEN 'yesterday' AND '2030-01-01'", "d IN ('2026-01-01', 'today')",
    "'today' IN (d, d)", "u > 'today 12:00'", "d <> ALL ('{today}')", "d = ANY (ARRAY['today']::date[])",
    "ds @> ARRAY['today'::date]", "ds && '{tomorrow}'", "r @> 'today'::date", "r && '[yesterday,today)'",
    "d <@ '[today,tomorrow)'::daterange", "t < 'now'",
    "u > coalesce(at, 'now')", "u > CASE WHEN id > 1 THEN u ELSE 'today' END", "greatest(u, 'now') = u", "nullif(d, 'today') IS NULL",
    "(id, d) > (1, 'today')", "d IS DISTINCT FROM 'today'", "date_trunc('day', u) > 'yesterday'", "age(u, 'today') < '1 day'",
    "date('today') = d", "NOT (d < 'today' OR id = 1)", "u > timestamptz 'now'", "d - 'today' < 3",
    "CASE d WHEN 'today' THEN true END",
)  # fmt: skip
STILL = (
    "words = 'today'", "name IN ('now', 'then')", "words LIKE 'today%'", "d >= '2026-01-01'", "u > 'epoch'", "u < 'infinity'",
    "d = '2026-05-05' AND words = 'yesterday'", "doc ->> 'today' = 'now'", "doc @> '{\"now\": 1}'", "coalesce(words, 'today') = 'x'",
    "words = 'today'::text", "to_char(u, 'YYYY') = 'now'", "words < 'nowhere'", "id::text = 'tomorrow'",
    "d > '2026-01-01' -- 'today'",
)  # fmt: skip


def problems(where: str, slices: Mapping[str, Slice], mode: str = "MERGE ON (id) CURSOR u") -> list[str]:
    columns = tuple(SchemaColumn(name, "string", source=name, source_type=kind) for name, kind in TYPES.items())
    schemas = {"ops": ConnectionSchemas("ops", "postgres", {"public.t": Schema(columns)})}
    query = f"INSERT INTO lake.raw.t EVERY '1 hour' {mode} AS SELECT id, u FROM ops.public.t WHERE {where}\n;"
    try:
        compile_sources({"p.sql": HEAD + query}, slices, schemas)
    except ProgramErrors as found:
        return [diagnostic.cause for diagnostic in found.diagnostics]
    return []


@pytest.mark.parametrize("where", MOVING)
def test_a_moment_is_refused_in_what_is_merged_alone(where: str, slices: Mapping[str, Slice]) -> None:
    assert problems(where, slices) == ["rows leave this WHERE without being changed, and no CURSOR tells which"]
    assert problems(where, slices, "REPLACE") == []


@pytest.mark.parametrize("where", STILL)
def test_a_text_that_is_no_moment_is_none(where: str, slices: Mapping[str, Slice]) -> None:
    assert problems(where, slices) == []


@pytest.fixture(scope="module")
def session() -> Any:
    with postgres_server() as (host, port), psycopg.connect(host=host, port=port, dbname="postgres", user="postgres") as found:
        found.execute(f"CREATE TEMP TABLE t ({', '.join(f'{name} {kind}' for name, kind in TYPES.items())})")
        yield found


def test_the_server_reads_the_cases_as_they_are_meant(session: Any) -> None:
    """What it reads as a time at once is no text in the plan any more: 'today' has become a day."""
    for where in MOVING:
        plan = "\n".join(line for (line,) in session.execute(f"EXPLAIN (VERBOSE) SELECT id FROM t WHERE {where}").fetchall())
        assert not any(word in plan.lower() for word in ("today", "now'", "tomorrow", "yesterday")), where
    for where in STILL:
        session.execute(f"EXPLAIN SELECT id FROM t WHERE {where}")


@pytest.mark.parametrize("kind", ["date", "timestamptz", "_timestamp", "tsrange", "datemultirange", "_daterange", "timetz"])
def test_every_type_that_holds_times_reads_moments(kind: str) -> None:
    assert moves("Today", kind) and not moves("2026-01-01", kind) and not moves("todays", kind)


@pytest.mark.parametrize("kind", ["text", "int4", "interval", "_text", "int4range", "mood", ""])
def test_no_other_does(kind: str) -> None:
    assert not moves("today", kind)
