"""What DuckDB asks at the door comes to one settled session, in one state, and nothing of it gets lost or stays behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pytest

from shared_metadata.contract.parquet.duckdb_session import literal, open_duckdb
from slices.collect.mysql.door import Door
from tests.mariadb import Database


@contextmanager
def attached(database: Database, sessions: list[Any], kill: Any = lambda number: None) -> Iterator[tuple[Any, Door]]:
    door = Door(sessions, kill)
    connection = open_duckdb(extensions=("mysql_scanner",), memory_mb=256, threads=1)
    try:
        connection.execute(f"SET GLOBAL mysql_pool_acquire_mode = 'wait'; SET GLOBAL mysql_pool_size = {len(sessions)}")
        address = f'host=localhost socket="{door.path}" user=atoll compression=disabled ssl_mode=disabled'
        connection.execute(f"ATTACH {literal(address)} AS source (TYPE mysql)")
        yield connection, door
    finally:
        door.close()
        connection.close()


def asked(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = connection.execute(f"SELECT * FROM mysql_query('source', {literal(sql)})").fetchall()
    return found


def test_all_answers_are_of_one_session_and_one_state(database: Database) -> None:
    database.run("CREATE TABLE t (id int PRIMARY KEY)")
    session = database.connect()
    with session.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET @mark = 7")
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    database.run("INSERT INTO t VALUES (1)")
    with attached(database, [session]) as (connection, _):
        for _ in range(3):
            assert asked(connection, "SELECT CONNECTION_ID(), @mark, (SELECT COUNT(*) FROM t)") == [(session.thread_id(), 7, 0)]


def test_rows_of_any_number_and_size_come_whole(database: Database) -> None:
    database.run("CREATE TABLE t (id int PRIMARY KEY, v longtext)")
    database.run("INSERT INTO t SELECT seq, REPEAT('x', seq % 50) FROM seq_1_to_60000")
    database.run("INSERT INTO t VALUES (70000, REPEAT('y', 15000000))")
    with attached(database, [database.connect()]) as (connection, _):
        rows = "SELECT COUNT(*), SUM(LENGTH(v)), MAX(id) FROM"
        wanted = database.run(f"{rows} t")[0]
        assert connection.execute(f"{rows} mysql_query('source', 'SELECT id, v FROM t')").fetchone() == wanted


def test_an_error_comes_as_the_server_says_it_and_the_session_goes_on(database: Database) -> None:
    with attached(database, [database.connect()]) as (connection, door):
        for sql in ("SELECT * FROM nowhere", "SELECT (SELECT seq UNION ALL SELECT seq) FROM seq_1_to_9"):
            with pytest.raises(duckdb.Error):
                asked(connection, sql)
            assert asked(connection, "SELECT 1") == [(1,)]
        assert not door.broken


def test_several_sessions_are_read_beside_one_another_and_each_has_its_own(database: Database) -> None:
    sessions = [database.connect() for _ in range(3)]
    found: set[int] = set()
    with attached(database, sessions) as (connection, _):
        meeting = threading.Barrier(3)

        def ask() -> None:
            cursor = connection.cursor()
            meeting.wait()
            found.add(asked(cursor, "SELECT CONNECTION_ID() FROM (SELECT SLEEP(0.5)) AS s")[0][0])

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {session.thread_id() for session in sessions}


def test_whoever_wants_no_more_rows_ends_the_query(database: Database) -> None:
    killed: list[int] = []

    def kill(number: int) -> None:
        killed.append(number)
        database.server.run(f"KILL QUERY {number}")

    session = database.connect()
    with attached(database, [session], kill) as (connection, _):
        sql = "SELECT seq, REPEAT('x', 1000) AS v FROM seq_1_to_3000000"
        begun = time.monotonic()
        with pytest.raises(duckdb.Error):
            connection.execute(
                f"SELECT CAST(CASE WHEN seq = 5000 THEN 'no' ELSE '1' END AS INT) FROM mysql_query('source', {literal(sql)})"
            ).fetchall()
        assert killed == [session.thread_id()] and time.monotonic() - begun < 5


def test_a_session_that_ends_is_noticed(database: Database) -> None:
    session = database.connect()
    with attached(database, [session]) as (connection, door):
        database.server.run(f"KILL {session.thread_id()}")
        with pytest.raises(duckdb.Error):
            asked(connection, "SELECT 1")
        assert door.broken


def test_nobody_gets_a_session_beyond_those_that_there_are(database: Database) -> None:
    with attached(database, [database.connect()]) as (connection, door):
        second = open_duckdb(extensions=("mysql_scanner",), memory_mb=256, threads=1)
        try:
            address = f'host=localhost socket="{door.path}" user=atoll compression=disabled ssl_mode=disabled'
            with pytest.raises(duckdb.Error):
                second.execute(f"ATTACH {literal(address)} AS source (TYPE mysql)")
                asked(second, "SELECT 1")
        finally:
            second.close()
        assert asked(connection, "SELECT 1") == [(1,)]
