"""A server's, a database's and a role's own settings decide over nothing that is collected."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

from shared_metadata.program import Connection, Mode, Position
from slices.collect.postgres.client import open_source
from slices.collect.postgres.tests.captured import Capturing
from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.test_source import collect, staged
from systems.postgres.sessions import SETTINGS, settling
from tests.conformance.capturing import staged as staged_counts
from tests.conformance.collect import Collecting
from tests.conformance.postgres_settings import HOSTILE

PATH = "hostile, nowhere"
VALUES = """CREATE SCHEMA hostile; CREATE FUNCTION hostile.never(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR hostile.= (LEFTARG = int, RIGHTARG = int, FUNCTION = hostile.never);
CREATE TABLE hostile.t (id int, wrong text); CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TABLE t (id int PRIMARY KEY, updated_at timestamptz, day date, moment timestamp, gap interval, real real, double float8,
  bytes bytea, several bytea[], moments timestamptz[], gaps interval[], feeling mood,
  text text, whole t_whole, range tstzrange);
INSERT INTO t VALUES (1, '2020-02-03 04:05:06Z', '2020-02-03', '2020-02-03 04:05', '1 day -2 hours', 0.1, 0.1::float8 + 0.2,
  '\\x005c27ff', ARRAY['\\x005c'::bytea], ARRAY['2020-02-03 04:05:06Z'::timestamptz], ARRAY['1 mon -3 sec'::interval],
  'sad', 'C:\\temp ''é', ROW('2020-02-03 04:05:06Z', 0.1::float8 + 0.2, '\\x00'), '[2020-02-03 04:05:06Z,)')"""
QUERY = "SELECT id, updated_at, moment::text AS said, gap::text AS gapped, '\\\\' AS slash FROM t WHERE id = 1 AND text IS NOT NULL"
FLOWS: tuple[dict[str, Any], ...] = (
    {"source": "public.t"},
    {"source": "t", "mode": Mode.MERGE, "key": ("id",), "cursor": "updated_at"},
    {"source": "", "query": QUERY},
)


CAPTURED = (
    "id int PRIMARY KEY, name text, big text, at timestamptz, day date, moment timestamp, gap interval, real real, double float8, "
    "bytes bytea, several bytea[], moments timestamptz[], range tstzrange"
)
CAPTURED_ROWS = """(1, 'C:\\temp ''é', repeat('b', 9000), '2020-02-03 04:05:06Z', '2020-02-03', '2020-02-03 04:05',
  '1 day -2 hours', 0.1, 0.1::float8 + 0.2, '\\x005c27ff', ARRAY['\\x005c'::bytea, NULL],
  ARRAY['2020-02-03 04:05:06Z'::timestamptz], '[2020-02-03,)'),
  (2, 'NULL', NULL, '1999-12-31 23:59:59.999999Z', '1999-12-31', NULL, '-3 mons', -1e-30, 1e300, '', '{}', NULL, 'empty')"""


@pytest.fixture
def values(database: Database) -> Database:
    database.run("CREATE TYPE t_whole AS (at timestamptz, number float8, bytes bytea)")
    database.run(VALUES)
    return database


def make_hostile(database: Database, where: str) -> None:
    """The settings at values that nobody collects by, of the role or of the database."""
    whose = sql.SQL("ROLE {}").format(sql.Identifier(database.user))
    whose = whose if where == "role" else sql.SQL("DATABASE {}").format(sql.Identifier(database.name))
    with psycopg.connect(host=database.host, port=database.port, dbname=database.name, user="postgres", autocommit=True) as admin:
        for name, value in HOSTILE.items():
            if admin.execute("SELECT 1 FROM pg_settings WHERE lower(name) = lower(%s)", (name,)).fetchone():
                admin.execute(sql.SQL("ALTER {} SET {} = {}").format(whose, sql.Identifier(name), sql.Literal(value)))
        admin.execute(sql.SQL("ALTER {} SET search_path = hostile, nowhere").format(whose))


@pytest.mark.parametrize("where", ["role", "database"])
def test_rows_are_the_same_under_any_settings(collecting: Collecting, values: Database, where: str) -> None:
    found: dict[bool, list[Any]] = {False: [], True: []}
    for hostile in found:
        if hostile:
            make_hostile(values, where)
        for flow in FLOWS:
            collecting.dataset = "lake.raw.thing:staged"
            collect(collecting, **flow)
            collecting.cloud.clock.advance(hours=1)
            assert not collecting.run(record_errors=True).errors
            found[hostile].append(staged(collecting))
    assert found[True] == found[False]
    assert all(rows and rows[0]["id"] == 1 and "wrong" not in rows[0] for rows in found[True])


def test_every_session_is_settled(collecting: Collecting, values: Database) -> None:
    """Of the extraction's a query tells; of the plan's, the session itself."""
    make_hostile(values, "role")
    names = [name for name in SETTINGS if values.run("SELECT 1 FROM pg_settings WHERE lower(name) = lower(%s)", (name,))]
    own = {"default_transaction_read_only": "on", "statement_timeout": None}
    asked = ", ".join(f"current_setting('{name}') AS {name.lower()}" for name in names)
    collect(collecting, "", query=f"SELECT {asked} FROM public.t")
    collecting.run()
    (said,) = staged(collecting)
    differing = {name for name in names if said[name.lower()] != own.get(name, SETTINGS[name])}
    assert differing == {"statement_timeout", "lock_timeout"}
    assert said["statement_timeout"] not in ("0", HOSTILE["statement_timeout"]) and said["lock_timeout"] == "15s"


def test_a_captured_table_is_the_same_under_any_settings(capturing: Capturing) -> None:
    """Its copy, what its log tells, and the rows that are asked for since the log tells them in part."""
    capturing.make(CAPTURED)
    capturing.database.run(f"INSERT INTO thing VALUES {CAPTURED_ROWS}")
    capturing.apply()
    capturing.run()
    expected = capturing.rows()
    assert len(expected) == 2
    capturing.database.run("CREATE SCHEMA hostile; CREATE TABLE hostile.thing (id int, wrong text)")
    make_hostile(capturing.database, "role")
    for loses in (False, True):
        capturing.all(f"UPDATE thing SET name = 'again {loses}'")
        if loses:
            capturing.forget()
        capturing.run()
        assert capturing.rows() == [{**row, "name": f"again {loses}"} for row in expected]
        assert (capturing.was_whole(), staged_counts(capturing)) == (loses, (2, 0))


def test_a_table_is_described_alike_under_any_settings(values: Database) -> None:
    values.run("CREATE TABLE defaulted (at timestamp DEFAULT now()); CREATE VIEW part AS SELECT id FROM t WHERE text <> ''")
    names, found = ["t", "public.t", "public.defaulted", "public.part", "nowhere"], list[Any]()
    for hostile in (False, True):
        if hostile:
            make_hostile(values, "role")
        source = open_source(Connection("ops", "postgres", {"secret": "ops"}, Position("p.sql", 2, 3)), values.secret, aws=None)
        try:
            asked = (source.tables(), source.describe(names), source.defaults(names), source.warnings(names), source.notes(names[3:]))
        finally:
            source.close()
        found.append(asked)
    assert found[0] == found[1]
    described = found[1][1]
    assert described["t"] == described["public.t"] and len(described["t"].columns) == 15


def test_settings_that_a_server_does_not_know_are_left_out(values: Database) -> None:
    address = {"host": values.host, "port": values.port, "dbname": values.name, "user": "postgres"}
    with psycopg.connect(**address, autocommit=True) as session:  # type: ignore[arg-type]
        session.execute(settling({"of_a_later_version": "1", "timezone": "UTC"}))
        assert session.execute("SHOW TimeZone").fetchone() == ("UTC",)
