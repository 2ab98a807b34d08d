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
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from tests.background import postgres_server

TYPES = {
    "id": "bigint", "d": "date", "at": "timestamp without time zone", "u": "timestamp with time zone", "t": "time without time zone",
    "ds": "date[]", "r": "daterange", "words": "text", "name": "character varying(20)", "doc": "jsonb",
}  # fmt: skip
HEAD = "CREATE WAREHOUSE lake USING iceberg; CREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n"
READ_ON = (  # each `d > …`
    "'today'::text::date", "date('today'::text)", "'today'::my_day", "'today'::public.my_day",
    "CAST(CAST('today' AS varchar) AS date)",
    "(words || ('' || 'today'::text))::date", "coalesce(words, 'today')::date",
    "(CASE WHEN id > 9 THEN words ELSE 'today' END)::my_day",
    "(ARRAY['today'::text])[1]::date", "lower('TODAY'::text)::date", "'today'::unknown", "('{today}'::my_day[])[1]",
)  # fmt: skip
MOVING = (
    *(f"d > {text}" for text in READ_ON),
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
    "d > '2026-01-01' -- 'today'", "lower(words) = 'today'::text", "'today'::varchar(9) IN (words, name)", "doc = '[\"now\"]'::jsonb",
    "(doc ->> 'now')::timestamptz > u", "coalesce(words, 'x')::text = 'today'::text", "'2026-01-01'::text::date = d",
)  # fmt: skip


def query(where: str, mode: str = "MERGE ON (id) CURSOR u") -> str:
    return f"INSERT INTO lake.raw.t EVERY '1 hour' {mode} AS SELECT id, u FROM ops.public.t WHERE {where}\n;"


def problems(where: str, slices: Mapping[str, Slice], mode: str = "MERGE ON (id) CURSOR u", known: bool = True) -> list[str]:
    """known: there is a snapshot of the source."""
    columns = tuple(SchemaColumn(name, "string", source=name, source_type=kind) for name, kind in TYPES.items())
    schemas = {"ops": ConnectionSchemas("ops", "postgres", {"public.t": Schema(columns)})}
    try:
        compile_sources({"p.sql": HEAD + query(where, mode)}, slices, schemas if known else None)
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
        found.execute("CREATE DOMAIN my_day AS date")
        found.execute(f"CREATE TEMP TABLE t ({', '.join(f'{name} {kind}' for name, kind in TYPES.items())})")
        yield found


def test_the_server_reads_the_cases_as_they_are_meant(session: Any) -> None:
    """What it reads as a time at once is no text in the plan any more: 'today' has become a day."""
    for where in MOVING[len(READ_ON) :]:
        plan = "\n".join(line for (line,) in session.execute(f"EXPLAIN (VERBOSE) SELECT id FROM t WHERE {where}").fetchall())
        assert not any(word in plan.lower() for word in ("today", "now'", "tomorrow", "yesterday")), where
    for where in STILL:
        session.execute(f"EXPLAIN SELECT id FROM t WHERE {where}")


@pytest.mark.parametrize("text", READ_ON)
def test_the_server_reads_a_text_on_as_today(session: Any, text: str) -> None:
    session.execute("INSERT INTO t (id, d) VALUES (1, 'yesterday'), (2, 'today'), (3, 'tomorrow')")
    try:
        words = "coalesce(words, '') AS words" if "||" in text else "words"
        query = f"SELECT id FROM (SELECT id, d, {words} FROM t) t WHERE d > {text}"
        assert session.execute(query).fetchall() == [(3,)]
    finally:
        session.execute("DELETE FROM t")


OWN = ("live(id)", "id > 1 AND NOT Live(id, 2)", "at > since(u)", "id <<>> 3", "id <<>> ANY ('{1}')", "public.live(id)")
KNOWN = (
    "lower(words) = 'x'", "pg_catalog.lower(words) = 'x'", "date(at) > '2026-01-01'", "id BETWEEN 1 AND 2",
    "id NOT BETWEEN SYMMETRIC 1 AND 2",
    "extract(day FROM d) > 1", "position('a' IN words) > 1", "words NOT ILIKE 'a%'", "words SIMILAR TO 'a'", "id IN (1, 2)",
    "int8(id) != 1",
    "id IS DISTINCT FROM 2", "nullif(id, 1) > 2", "doc ? 'a'", "r @> d", "u AT TIME ZONE 'UTC' > at", "trim(words) = 'x'", "- id < 2",
)  # fmt: skip


@pytest.mark.parametrize("where", OWN)
@pytest.mark.parametrize("known", [True, False])
def test_what_only_the_database_knows_is_refused_in_what_is_merged(where: str, known: bool, slices: Mapping[str, Slice]) -> None:
    told = "rows may leave this WHERE without being changed: what this calls, only the source knows"
    assert problems(where, slices, known=known) == [told]


@pytest.mark.parametrize("where", KNOWN)
def test_what_postgresql_knows_is_not_taken_for_the_databases_own(where: str, slices: Mapping[str, Slice], session: Any) -> None:
    assert problems(where, slices, known=False) == []
    session.execute(f"EXPLAIN SELECT id FROM t WHERE {where}")


def test_a_misspelled_function_is_still_told_what_it_may_have_meant(slices: Mapping[str, Slice]) -> None:
    with pytest.raises(ProgramErrors) as found:
        compile_sources({"p.sql": HEAD + query("lowr(words) = 'x'")}, slices)
    assert "did you mean `lower`?" in found.value.diagnostics[0].remedy


def test_without_a_snapshot_only_what_a_text_is_cast_to_tells_that_it_is_a_time(slices: Mapping[str, Slice]) -> None:
    """As the documentation says."""
    assert problems("d > 'today'", slices, known=False) == []
    assert problems("d > 'today'::date", slices, known=False) != []


@pytest.mark.parametrize("kind", ["date", "timestamptz", "_timestamp", "tsrange", "datemultirange", "_daterange", "timetz"])
def test_every_type_that_holds_times_reads_moments(kind: str) -> None:
    assert moves("Today", kind) and not moves("2026-01-01", kind) and not moves("todays", kind)


@pytest.mark.parametrize("kind", ["text", "int4", "interval", "_text", "int4range", "mood", ""])
def test_no_other_does(kind: str) -> None:
    assert not moves("today", kind)
