"""What only Oracle has: states by their SCN, ranges of ROWIDs, policies, large values, days before Christ, objects."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import oracledb
import psycopg
import pyarrow.parquet as pq
import pytest

from doubles.oracle.session import OracleSession, Statement
from shared_metadata.errors import DefinitionError, RetryLater, SecretError
from shared_metadata.program import Column, Connection, Mode, Position
from slices.collect.oracle import planning
from slices.collect.oracle.client import OracleSource, open_source
from slices.collect.oracle.sessions import SETTLING
from slices.collect.oracle.tests.under_test import OracleUnderTest
from systems.sql_source import parts
from tests.conformance.collect import COLUMNS, Collecting, label_rows
from tests.conformance.fixtures import Cloud, FakeContext
from tests.oracle import RIGHTS, Database, Server, fresh_database

HR = Connection("hr", "oracle", {"secret": "hr"}, Position("p.sql", 1, 1))


@contextmanager
def source_of(database: Database) -> Iterator[OracleSource]:
    found = open_source(HR, database.secret, aws=None)
    try:
        yield found
    finally:
        found.close()


def collected(collecting: Collecting, database: Database, columns: str, *inserts: str, **how: Any) -> list[dict[str, Any]]:
    """The rows of a table T, as a snapshot brings them."""
    database.run(f"CREATE TABLE t ({columns})")
    for values in inserts:
        database.run(f"INSERT INTO t VALUES ({values})")
    collecting.collect(f"{database.schema}.T", how={"mode": Mode.REPLACE}, **how)
    collecting.run()
    found = collecting.cloud.rows(collecting.dataset)
    rows: list[dict[str, Any]] = found.to_pylist() if found else []
    return [{name: value for name, value in row.items() if name != "_batch"} for row in rows]


def test_every_type_is_collected_as_it_is(collecting: Collecting, database: Database) -> None:
    columns = (
        "i NUMBER(9), l NUMBER(18), big NUMBER(38), d NUMBER(12,2), h NUMBER(5,-2), n NUMBER, f BINARY_DOUBLE, s VARCHAR2(20), "
        "e VARCHAR2(20), c CHAR(4), r RAW(9), t TIMESTAMP(6), lz TIMESTAMP(6) WITH LOCAL TIME ZONE, day DATE, lg LONG, "
        "ym INTERVAL YEAR TO MONTH, js JSON, b BLOB"
    )
    values = (
        "1, 900000000000000000, 12345678901234567890123456789012345678, 12.5, 12300, 0.001, 1.5, 'Zürich', '', 'ab', "
        "HEXTORAW('00FF'), TIMESTAMP '9999-12-31 23:59:59.999999', TIMESTAMP '2026-01-02 03:04:05.000006 +02:00', "
        "DATE '2026-01-02', 'long', NULL, '{\"a\": 1}', HEXTORAW('0102')"
    )
    (row,) = collected(collecting, database, columns, values)
    assert {name: row[name] for name in ("i", "l", "big", "d", "h", "n", "f", "s", "e", "c", "r", "lg", "js", "b")} == {
        **{"i": 1, "l": 900000000000000000, "big": Decimal(12345678901234567890123456789012345678), "d": Decimal("12.50")},
        **{"h": Decimal(12300), "n": ".001", "f": 1.5, "s": "Zürich", "e": None, "c": "ab  ", "r": b"\x00\xff", "lg": "long"},
        **{"js": '{"a": 1}', "b": b"\x01\x02"},
    }
    assert row["t"] == datetime(9999, 12, 31, 23, 59, 59, 999999) and row["day"] == datetime(2026, 1, 2)
    assert row["lz"].isoformat() == "2026-01-02T01:04:05.000006+00:00"


def test_large_values_come_whole(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id NUMBER(9), c CLOB)")
    text = "ü東" * 50_000
    database.run("INSERT INTO t VALUES (1, :1)", [text])
    database.run("INSERT INTO t VALUES (2, NULL)")
    collecting.collect(f"{database.schema}.T", how={"mode": Mode.REPLACE})
    collecting.run()
    rows = collecting.cloud.rows(collecting.dataset)
    assert sorted((row["id"], row["c"]) for row in rows.to_pylist()) == [(1, text), (2, None)]


def test_objects_are_refused_by_the_columns_name_and_the_others_can_be_asked_for(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id NUMBER(9), shape MDSYS.SDO_GEOMETRY)")
    collecting.collect(f"{database.schema}.T", how={"mode": Mode.REPLACE})
    refusal = collecting.refusal()
    assert refusal.startswith("DefinitionError: program.atoll:7:3") and "SHAPE" in refusal and "MDSYS.SDO_GEOMETRY" in refusal
    with source_of(database) as source:
        described = source.describe([f"{database.schema}.T"])[f"{database.schema}.T"]
        assert described is not None and [column.name for column in described.columns] == ["id"]
        assert "SHAPE" in source.warnings(None)[f"{database.schema}.T"]


def test_ranges_of_rowids_take_every_row_once(collecting: Collecting, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However finely a part is cut: between blocks, and within a range by a hash."""
    monkeypatch.setattr(parts, "SMALLEST_CHUNK_BYTES", 1)
    monkeypatch.setattr(parts, "chunk_positions", lambda remaining, *_: min(remaining, parts.LINES + 700))
    monkeypatch.setattr(planning, "RANGE_BYTES", 2**16)
    source, labels = collecting.source, [f"row {number:05d}" for number in range(4500)]
    table = source.create_table(COLUMNS)
    source.put(table, label_rows(labels), collecting.at)
    collecting.collect(table, incremental=False)
    collecting.run()
    assert collecting.labels() == labels
    assert len(collecting.cloud.manifest(collecting.dataset)["files"]) > 1


def test_edges_rise_and_a_table_without_statistics_has_none(database: Database) -> None:
    under_test = OracleUnderTest(database)
    table = under_test.create_table(COLUMNS)
    with source_of(database) as source:
        name = source.found(table, "here")
        assert planning.table_size(source.session, name, in_ranges=True).pages == 1
        under_test.put(table, label_rows([f"row {number:05d}" for number in range(5000)]), datetime(2026, 1, 1))
        size = planning.table_size(source.session, name, in_ranges=True)
    assert size.pages == len(size.edges) + 1 > 1 and all(before < after for before, after in pairwise(size.edges))


def test_a_snapshot_is_of_one_state_over_several_calls(collecting: Collecting) -> None:
    """What is written while it is read is not in it, though each call has sessions of its own."""
    source, labels = collecting.source, [f"row {number:06d}" for number in range(10_000)]
    table = source.create_table(COLUMNS)
    source.put(table, label_rows(labels), collecting.at)
    collecting.collect(table, incremental=False)
    (state,) = collecting.steps().plan(collecting.cloud.event("lake.raw.thing"), FakeContext())["work"]
    calls, done = 0, False
    while not done:
        done = collecting.steps().extract({**state, "part": 0}, FakeContext(5.0 if calls < 3 else 900))["done"]
        calls += 1
        source.put(table, [{"label": f"later {calls}"}], collecting.at)
        source.delete(table, [labels[-calls]], collecting.at)
    collecting.steps().commit(state, FakeContext())
    assert calls > 1 and collecting.labels() == labels


def test_a_state_that_has_left_the_undo_is_told_with_the_remedy_and_the_next_plan_takes_another(
    collecting: Collecting, database: Database, server: Server
) -> None:
    table = collecting.source.create_table(COLUMNS)
    collecting.source.put(table, label_rows(["a"]), collecting.at)
    collecting.collect(table, incremental=False)
    event = collecting.cloud.event("lake.raw.thing")
    (state,) = collecting.steps().plan(event, FakeContext(request_id="me"))["work"]
    for _ in range(10):
        server.listener.states.newest(database.name)
    with pytest.raises(RetryLater, match=r"ORA-01555.*UNDO_RETENTION"):
        collecting.steps().extract({**state, "part": 0}, FakeContext())
    collecting.cloud.clock.advance(hours=1)
    collecting.run()
    assert collecting.labels() == ["a"]


@pytest.mark.parametrize("rights", [("GV$TRANSACTION",), ("DBMS_FLASHBACK",), ("FLASHBACK",)])
def test_without_the_rights_to_look_back_a_table_is_read_by_one_statement(
    cloud: Cloud, server: Server, rights: tuple[str, ...]
) -> None:
    with fresh_database(server, *rights) as database:
        collecting = Collecting(cloud, OracleUnderTest(database))
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a", "b"]), collecting.at)
        collecting.collect(table, incremental=False)
        (state,) = collecting.steps().plan(collecting.cloud.event("lake.raw.thing"), FakeContext())["work"]
        collecting.steps().extract({**state, "part": 0}, FakeContext())
        collecting.steps().commit(state, FakeContext())
        assert collecting.labels() == ["a", "b"]


def test_a_table_of_which_policies_hide_rows_is_refused_until_the_user_is_exempt(collecting: Collecting, database: Database) -> None:
    table = collecting.source.create_table(COLUMNS)
    collecting.source.put(table, label_rows(["a", "b"]), collecting.at)
    schema, _, name = table.partition(".")
    assert database.server is not None
    with database.server.listener.databases.connect(database.name) as admin:
        admin.execute(f'ALTER TABLE "{schema}"."{name}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY')  # type: ignore[arg-type]
        admin.execute(f'CREATE POLICY mine ON "{schema}"."{name}" FOR SELECT USING ("LABEL" = \'a\')')  # type: ignore[arg-type]
        collecting.collect(table, incremental=False)
        refusal = collecting.refusal()
        assert "row level security would hide rows: the policies mine" in refusal and "EXEMPT ACCESS POLICY" in refusal
        with source_of(database) as source:
            assert "EXEMPT ACCESS POLICY" in source.warnings([table])[table]
        admin.execute(psycopg.sql.SQL("ALTER ROLE {} BYPASSRLS").format(psycopg.sql.Identifier(f"{database.name}_atoll")))
    collecting.cloud.clock.advance(hours=1)
    collecting.run()
    assert collecting.labels() == ["a", "b"]


@pytest.mark.parametrize("rights", [RIGHTS, ("GV$TRANSACTION",)], ids=["as of a state", "in a transaction"])
def test_rows_that_are_archived_in_their_table_are_read_and_a_where_leaves_them_out(
    cloud: Cloud, server: Server, rights: tuple[str, ...]
) -> None:
    """Whatever an application's own session sees; a row that is archived meanwhile leaves the WHERE, and is marked."""
    with fresh_database(server, *rights) as database:
        collecting = Collecting(cloud, OracleUnderTest(database))
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a", "b", "c"]), collecting.at)
        name = table.partition(".")[2]
        database.run(f'ALTER TABLE "{name}" ROW ARCHIVAL')
        archive(database, name, "b")
        assert database.run(f'SELECT COUNT(*) FROM "{name}"') == [(2,)]
        collecting.collect(table, incremental=False)
        collecting.run()
        assert collecting.labels() == ["a", "b", "c"] and "ora_archive_state" not in collecting.rows()[0]
        columns = tuple(Column(column, column.upper()) for column in ("label", "updated_at"))
        collecting.dataset = "lake.raw.active:staged"
        collecting.collect(table, columns=columns, filter="ORA_ARCHIVE_STATE = '0'")
        collecting.run()
        assert collecting.labels() == ["a", "c"]
        archive(database, name, "c", collecting.at)
        collecting.run()
        assert sum(file["rows"] for file in collecting.cloud.manifest(collecting.dataset)["left"]) == 1


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP(6)", "TIMESTAMP(6) WITH TIME ZONE", "NUMBER(9)"])
def test_a_row_that_leaves_the_where_is_told_by_its_key(collecting: Collecting, database: Database, kind: str) -> None:
    """One whose cursor is none that a warehouse holds has left all the same."""
    database.run(f"CREATE TABLE t (id NUMBER(9) PRIMARY KEY, at {kind}, state VARCHAR2(9))")

    def write(number: int, state: str, minutes: int) -> None:
        moment = f"{collecting.at + timedelta(minutes=minutes):%Y-%m-%d %H:%M:%S}"
        at = str(minutes) if kind.startswith("NUMBER") else f"TIMESTAMP '{moment}'"
        database.run("DELETE FROM t WHERE id = :1", [number])
        database.run(f"INSERT INTO t VALUES ({number}, {at}, '{state}')")

    for number in range(3):
        write(number, "open", number)
    columns = (Column("id", "ID"), Column("at", "AT"))
    how = {"mode": Mode.MERGE, "key": ("id",), "cursor": "at"}
    collecting.collect(f"{database.schema}.T", how=how, columns=columns, filter="STATE = 'open'")
    collecting.run()
    assert collecting.cloud.rows(collecting.dataset).num_rows == 3
    write(0, "closed", 11)
    write(1, "open", 12)
    if kind == "DATE":
        database.run("UPDATE t SET state = 'closed', at = TO_DATE('-4712-02-01', 'SYYYY-MM-DD') WHERE id = 2")
    collecting.run()
    (file,) = collecting.cloud.manifest(collecting.dataset)["left"]
    left = pq.read_table(io.BytesIO(collecting.cloud.body(file["key"]))).to_pylist()
    assert sorted(row["id"] for row in left) == ([0, 2] if kind == "DATE" else [0])
    assert [row["id"] for row in collecting.cloud.rows(collecting.dataset).to_pylist() if row["id"] != 2] == [1]


def archive(database: Database, table: str, label: str, at: datetime | None = None) -> None:
    with database.connect() as session, session.cursor() as cursor:
        cursor.execute("ALTER SESSION SET ROW ARCHIVAL VISIBILITY = ALL")
        cursor.execute(f"UPDATE \"{table}\" SET ORA_ARCHIVE_STATE = '1' WHERE LABEL = :1", [label])
        if at is not None:
            cursor.setinputsizes(oracledb.DB_TYPE_TIMESTAMP)
            cursor.execute(f'UPDATE "{table}" SET UPDATED_AT = :1 WHERE LABEL = :2', [at.replace(tzinfo=None), label])
        session.commit()


def test_every_setting_of_a_session_is_settled(collecting: Collecting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the plan, the extraction and discover; what an account or a logon trigger has set before decides over nothing."""
    asked, run = list[list[str]](), OracleSession.run

    def noted(session: OracleSession, statement: Statement, rows: Any) -> int:
        if not hasattr(session, "noted"):
            session.noted = list[str]()  # type: ignore[attr-defined]
            asked.append(session.noted)  # type: ignore[attr-defined]
        session.noted.append(statement.text)  # type: ignore[attr-defined]
        return run(session, statement, rows)

    table = collecting.source.create_table(COLUMNS)
    collecting.source.put(table, label_rows(["a"]), collecting.at)
    collecting.collect(table)
    monkeypatch.setattr(OracleSession, "run", noted)
    collecting.run()
    assert len(asked) >= 2 and all(tuple(statements[: len(SETTLING)]) == SETTLING for statements in asked)
    for name in ("NLS_SORT", "NLS_COMP", "NLS_DATE_FORMAT", "TIME_ZONE", "QUERY_REWRITE_ENABLED"):
        assert f"{name} = " in SETTLING[0]


def test_a_wrong_service_and_a_table_that_may_not_be_read_are_told_by_what_helps(database: Database) -> None:
    with (
        source_of(replace(database, secret={**database.secret, "dbname": "nowhere"})) as source,
        pytest.raises(SecretError, match="dbname"),
    ):
        source.tables()
    with source_of(database) as source, pytest.raises(DefinitionError, match=r"the table ATOLL\.GONE is not there"):
        source.found("GONE", "here")


def test_a_moment_between_two_seconds_bounds_a_date_by_the_later_one() -> None:
    from shared_metadata.program.schema import SchemaColumn
    from slices.collect.oracle.cursor_column import cursor_of

    column = cursor_of(SchemaColumn("at", "timestamp", source_type="DATE"), "c", "p.sql:1:1")
    assert column.literal("2026-01-01T00:00:00.5Z").startswith("TO_DATE('2026-01-01 00:00:01'")
    assert column.literal("2026-01-01T00:00:00Z").startswith("TO_DATE('2026-01-01 00:00:00'")
