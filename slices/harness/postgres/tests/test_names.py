"""No user's column meets a name of ours: tables are published whose columns have every name in the SQL that the slice sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import psycopg
import pytest
import sqlglot
from sqlglot import exp

from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.contract.results.results import Results
from shared_metadata.errors import DefinitionError
from shared_metadata.program import BadRows, Mode
from slices.harness.postgres.logic import SYSTEM_COLUMNS
from slices.harness.postgres.tests.database import Database
from tests.conformance.fixtures import Cloud, open_cloud
from tests.conformance.harness import HarnessConformance, Way, columns

ALWAYS = {"n", "t", "s", "r", "x0", "file_row_number", "file_index", "filename", "oid", "excluded", "_batch", "_deleted"}
BAD, GOOD = 40_000, 1


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(dialect, statement) of all that is sent to PostgreSQL and to DuckDB."""
    found: list[tuple[str, str]] = []
    execute, copy, fetch = psycopg.Connection.execute, psycopg.Cursor.copy, Results._fetch

    def executed(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        found.append(("postgres", str(query)))
        return execute(self, query, *arguments, **options)

    def copied(self: Any, statement: Any, *arguments: Any, **options: Any) -> Any:
        found.append(("postgres", str(statement)))
        return copy(self, statement, *arguments, **options)

    def fetched(self: Results, query: str) -> Any:
        found.append(("duckdb", query))
        return fetch(self, query)

    monkeypatch.setattr(psycopg.Connection, "execute", executed)
    monkeypatch.setattr(psycopg.Cursor, "copy", copied)
    monkeypatch.setattr(Results, "_fetch", fetched)
    return found


def names_in(said: list[tuple[str, str]]) -> set[str]:
    found: set[str] = set()
    for dialect, statement in said:
        for tree in sqlglot.parse(
            statement.replace("%s", "1").replace("%(table)s", "1"), dialect, error_level=sqlglot.ErrorLevel.IGNORE
        ):
            found |= {name.name.lower() for name in tree.find_all(exp.Identifier)} if tree else set()
    return {name for name in found if 0 < len(name) < 64}


def keywords(target: Database) -> set[str]:
    reserved = target.execute("SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')")
    theirs = duckdb.sql("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'").fetchall()
    return {row["word"] for row in reserved} | {word for (word,) in theirs}


def publish(publishing: Way, target: Database, names: list[str]) -> None:
    """New, changed, refused and deleted rows, and the refused one again when it fits."""
    publishing.columns = columns(id="long", bad="long", **dict.fromkeys(names, "string"))
    target.execute("DROP TABLE IF EXISTS scorecard; DROP SCHEMA IF EXISTS atoll CASCADE")
    listed = ", ".join(f"{identifier(name)} text" for name in names)
    target.execute(f"CREATE TABLE scorecard (id bigint PRIMARY KEY, bad smallint, {listed})")
    target.execute(f'ALTER TABLE scorecard OWNER TO "{target.secret["username"]}"')

    def row(id: int, bad: int = GOOD, more: str = "") -> dict[str, Any]:
        return {"id": id, "bad": bad, **{name: f"{name} {id}{more}" for name in names}}

    first = publishing.publish([row(1), row(2), row(3, BAD), row(4)])
    ((_, why, data),) = publishing.rejected(first)
    assert (why, data) == ("a value is out of range in column bad", row(3, BAD))
    rows = [row(1), row(2, more=" changed"), row(3)]
    if publishing.flow.mode == Mode.APPEND:
        publishing.publish([row(5)])
        publishing.publish(rows, interval=first)
        rows = [*rows, row(5)]
    else:
        publishing.publish(rows)
    assert sorted(target.rows(), key=lambda found: found["id"]) == rows


@pytest.mark.sampled(3)
@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.REPLACE, Mode.APPEND])
def test_columns_have_every_name_that_the_slice_s_sql_uses(
    cloud: Cloud, target: Database, mode: Mode, said: list[tuple[str, str]]
) -> None:
    shape = columns(id="long", bad="long", plain="string")
    options: dict[str, Any] = {"mode": mode, "key": ("id",), "whole": mode != Mode.APPEND, "bad_rows": BadRows(1)}
    publishing = HarnessConformance().way(cloud, target, shape, **options)
    publish(publishing, target, ["plain"])
    ours = names_in(said)
    assert {"_atoll_row", "c0", "held", "typed", "digest" if mode != Mode.MERGE else "excluded"} <= ours
    words = (ours | keywords(target) | ALWAYS) - SYSTEM_COLUMNS - {"id", "bad"}
    cloud.clock.advance(hours=1)
    publish(publishing, target, sorted(words))


@pytest.mark.parametrize("exists", [True, False])
def test_a_name_that_postgresql_keeps_for_itself_is_refused_with_the_remedy(cloud: Cloud, target: Database, exists: bool) -> None:
    if exists:
        target.execute("CREATE TABLE scorecard (id bigint PRIMARY KEY)")
    publishing = HarnessConformance().way(cloud, target, columns(id="long", ctid="string"), key=("id",))
    with pytest.raises(DefinitionError, match="cannot have a column ctid, a name that PostgreSQL keeps for itself") as caught:
        publishing.run(publishing.put_result([]))
    assert "AS another name" in caught.value.remedy
