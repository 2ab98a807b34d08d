"""A server's, a database's and a role's own settings decide over nothing that is published."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql

from shared_metadata.errors import DefinitionError, RowError
from shared_metadata.program import BadRows, Mode
from slices.harness.postgres.tests.database import Database
from slices.harness.postgres.tests.direct import Direct
from tests.conformance.fixtures import Cloud, open_cloud
from tests.conformance.harness import HarnessConformance, columns
from tests.conformance.postgres_settings import HOSTILE

SHAPE = {
    "id": "long", "d": "double", "f": "float", "at": "timestamptz", "day": "date", "gap": "string", "b": "binary",
    "l": "list<string>",
}  # fmt: skip
TABLE = """id bigint PRIMARY KEY, d float8, f real, at timestamptz, day date, gap interval, b bytea, l text[],
  more text DEFAULT E'a\\\\b', feeling mood DEFAULT 'glad'"""
ROW: dict[str, Any] = {
    "id": 1, "d": 0.1 + 0.2, "f": 0.5, "at": datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC), "day": date(2026, 2, 3),
    "gap": "1 day 02:00:00", "b": b"\\\x00'", "l": ["NULL", None, "a\\b"],
}  # fmt: skip


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


@pytest.mark.parametrize("whose", ["ROLE", "DATABASE"])
def test_no_setting_of_theirs_changes_what_is_published(cloud: Cloud, target: Database, whose: str) -> None:
    target.execute(f"CREATE TYPE mood AS ENUM ('glad'); CREATE TABLE scorecard ({TABLE})")
    target.execute(f'ALTER TABLE scorecard OWNER TO "{target.secret["username"]}"')
    whom = sql.SQL(f"ALTER {whose} {{}}").format(sql.Identifier(target.secret["username"])).as_string()
    hostile = [f"{whom} SET {name} = '{value}'" for name, value in HOSTILE.items()] + [f"{whom} SET search_path = hostile, nowhere"]
    target.execute("CREATE SCHEMA hostile; CREATE TABLE hostile.scorecard (id int); GRANT USAGE ON SCHEMA hostile TO PUBLIC")
    for mode in (Mode.MERGE, Mode.REPLACE):
        target.execute("; ".join(hostile))
        options: dict[str, Any] = {"mode": mode, "key": ("id",), "bad_rows": BadRows(1)}
        publishing = HarnessConformance().way(cloud, target, columns(**SHAPE), **options)
        cloud.clock.advance(hours=1)
        interval = publishing.publish([ROW, {**ROW, "id": 2, "gap": "none"}])
        before = target.execute("SELECT xmin::text AS written FROM public.scorecard")
        publishing.publish([ROW, {**ROW, "id": 3}])
        with psycopg.connect(target.admin, autocommit=True, options="-c default_transaction_read_only=off") as admin:
            admin.execute(f"{whom} RESET ALL")
        found = target.execute("SELECT *, gap::text AS gap, xmin::text AS written FROM public.scorecard ORDER BY id")
        assert {name: found[0][name] for name in SHAPE} == ROW and (found[0]["more"], found[0]["feeling"]) == ("a\\b", "glad")
        assert len(publishing.rejected(interval)) == 1
        assert before == [{"written": found[0]["written"]}] and found[1]["id"] == 3


@pytest.mark.parametrize("forced", [False, True])
def test_a_table_whose_policies_hold_for_the_user_is_refused_with_what_to_grant(cloud: Cloud, target: Database, forced: bool) -> None:
    """Otherwise rows that a policy hides are not seen: upserted twice, never deleted, or refused one by one."""
    user = target.secret["username"]
    target.execute("CREATE TABLE scorecard (id bigint PRIMARY KEY, x text); CREATE POLICY mine ON scorecard USING (id < 3)")
    target.execute(f'GRANT ALL ON scorecard TO "{user}"; ALTER TABLE scorecard ENABLE ROW LEVEL SECURITY')
    if forced:
        target.execute(f'ALTER TABLE scorecard OWNER TO "{user}"; ALTER TABLE scorecard FORCE ROW LEVEL SECURITY')
    publishing = HarnessConformance().way(cloud, target, columns(id="long", x="string"), key=("id",))
    interval = publishing.put_result([{"id": 1, "x": "a"}, {"id": 5, "x": "b"}])
    with pytest.raises(DefinitionError, match=r"row level security of public.scorecard holds") as caught:
        publishing.run(interval)
    assert target.rows() == []
    target.execute(caught.value.remedy.partition(",")[0])
    cloud.clock.advance(hours=1)
    publishing.run(interval)
    assert len(target.rows()) == 2


@pytest.mark.parametrize("role", ["replica", "local"])
def test_a_role_for_which_foreign_keys_would_not_hold_is_refused_or_is_made_to_hold_them(target: Database, role: str) -> None:
    """A user who may set it does so; for another one nobody but the server's owner can."""
    user = target.secret["username"]
    target.execute(
        "CREATE TABLE parents (id text PRIMARY KEY); CREATE TABLE scorecard (id text PRIMARY KEY, x text REFERENCES parents)"
    )
    target.execute(f'ALTER TABLE scorecard OWNER TO "{user}"; ALTER ROLE "{user}" SET session_replication_role = {role}')
    shape = {"id": "string", "x": "string"}
    with pytest.raises(DefinitionError, match="session_replication_role is set for the user") as caught:
        Direct(target, shape)
    target.execute(f'ALTER ROLE "{user}" SUPERUSER')
    with closing(Direct(target, shape)) as publishing, pytest.raises(RowError, match="foreign key"):
        publishing.publish([{"id": "a", "x": "none"}])
    target.execute(f'DROP SCHEMA atoll CASCADE; ALTER ROLE "{user}" NOSUPERUSER; {caught.value.remedy.partition(",")[0]}')
    with closing(Direct(target, shape)) as publishing:
        publishing.publish([{"id": "a", "x": None}])
    assert target.rows() == [{"id": "a", "x": None}]
