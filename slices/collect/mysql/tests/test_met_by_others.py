"""Situations in which other tools lost rows of MySQL or MariaDB, changed them, or did not end: each with where it was met."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared_metadata.errors import RowError
from shared_metadata.program import Column, Mode
from slices.collect.mysql.client import open_source
from slices.collect.mysql.tests.test_cursors import ids
from slices.collect.mysql.tests.test_sessions import SHOP
from slices.collect.mysql.tests.test_types import lenient
from tests.conformance.collect import Collecting
from tests.mariadb import Database

pytestmark = pytest.mark.sampled(4)


@dataclass(frozen=True)
class Met:
    """setup: SQL of the source's owner, in UTC and without strictness.  flow: its clauses.  rows: what is collected, by id."""

    where: str
    setup: tuple[str, ...]
    rows: list[dict[str, Any]]
    source: str = "t"
    flow: dict[str, Any] = field(default_factory=lambda: {"incremental": False})


def columns(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, f"`{name}`") for name in names)


ARRIVES: dict[str, Met] = {
    "a key that no * stands for": Met(
        "PeerDB #4553, readyset #1553: rows without their invisible key, or no end of trying",
        ("CREATE TABLE t (id bigint INVISIBLE AUTO_INCREMENT PRIMARY KEY, x int)", "INSERT INTO t (x) VALUES (7)"),
        [{"id": 1, "x": 7}],
        flow={"incremental": False, "columns": columns("id", "x")},
    ),
    "a member that an enum does not have": Met(
        "debezium #201, data-prepper #6779: the change was lost; planetscale/airbyte-source #56: a member's number for its text",
        ("CREATE TABLE t (id int, e enum('a', '2', '1'), s set('a', 'b'))", "INSERT INTO t VALUES (1, 'x', 'x'), (2, '1', 'b,a')"),
        [{"id": 1, "e": "", "s": ""}, {"id": 2, "e": "1", "s": "a,b"}],
    ),
    "bits": Met(
        "powersync #427, ape-dts #1: null, or bytes, for numbers",
        ("CREATE TABLE t (id int, one bit(1), eight bit(8), all_of_it bit(64))", "INSERT INTO t VALUES (1, 1, 255, ~0)"),
        [{"id": 1, "one": True, "eight": 255, "all_of_it": Decimal(2**64 - 1)}],
    ),
    "the first day of the first year": Met(
        "dlt #3184: a failure; lengths of time beyond a day, airbyte #3931",
        (
            "CREATE TABLE t (id int, at datetime, d date, t time)",
            "INSERT INTO t VALUES (1, '0001-01-01', '0001-01-01', '-794:59:59')",
        ),
        [{"id": 1, "at": datetime(1, 1, 1), "d": date(1, 1, 1), "t": "-794:59:59"}],
    ),
    "an hour that the server's zone has twice": Met(
        "airbyte #30333, debezium #2245: moments moved by the server's or the reader's zone",
        (
            "CREATE TABLE t (id int, at timestamp, local datetime)",
            "INSERT INTO t VALUES (1, '2026-10-25 00:30:00', '2026-03-29 02:30:00')",
            "INSERT INTO t VALUES (2, '2026-10-25 01:30:00', '2026-10-25 02:30:00')",
        ),
        [
            {"id": 1, "at": datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "local": datetime(2026, 3, 29, 2, 30)},
            {"id": 2, "at": datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "local": datetime(2026, 10, 25, 2, 30)},
        ],
    ),
    "JSON": Met(
        "dlt-hub/verified-sources #543: no such type for Arrow",
        ("CREATE TABLE t (id int, j json)", """INSERT INTO t VALUES (1, '{"a": [1, null, "ü"]}'), (2, 'null'), (3, NULL)"""),
        [{"id": 1, "j": '{"a": [1, null, "ü"]}'}, {"id": 2, "j": "null"}, {"id": 3, "j": None}],
    ),
    "texts of a table in another character set": Met(
        "debezium #97: bytes read in the wrong one",
        (
            "CREATE TABLE t (id int, a varchar(9), e enum('süß'), s set('é')) CHARACTER SET latin1 COLLATE latin1_bin",
            "INSERT INTO t VALUES (1, 'Köln €', 'süß', 'é')",
        ),
        [{"id": 1, "a": "Köln €", "e": "süß", "s": "é"}],
    ),
    "rows that were, of a table that keeps its history": Met(
        "dbtrail #1276: each row was skipped, since two columns are hidden",
        ("CREATE TABLE t (id int PRIMARY KEY, x int) WITH SYSTEM VERSIONING", "INSERT INTO t VALUES (1, 1)", "UPDATE t SET x = 2"),
        [{"id": 1, "x": 2}],
    ),
    "columns that the table computes": Met(
        "airbyte #45338, of another database: null of GENERATED columns",
        ("CREATE TABLE t (id int, v int AS (id * 2) VIRTUAL, s int AS (id * 3) STORED)", "INSERT INTO t (id) VALUES (1)"),
        [{"id": 1, "v": 2, "s": 3}],
    ),
    "partitions, one of them without a row": Met(
        "a reader by parts ended at the first empty one (pgstream #700, of another database)",
        (
            "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 7",
            "INSERT INTO t VALUES (1), (2), (99)",
        ),
        [{"id": 1}, {"id": 2}, {"id": 99}],
    ),
    "names that are words of SQL, or hold dots and quotes": Met(
        "of many: statements that were not quoted",
        ("CREATE TABLE `a.b``c` (`select` int, `x``y.z%s` int, id int)", "INSERT INTO `a.b``c` VALUES (1, 2, 3)"),
        [{"id": 3, "select": 1, "x`y.z%s": 2}],
        source="a.b`c",
    ),
    "a text larger than a packet of the protocol": Met(
        "mariadb-connector-nodejs #273, of writing: packets out of order beyond 16 MB",
        (
            "CREATE TABLE t (id int, x longtext)",
            "INSERT INTO t VALUES (1, repeat('abcdefgh', 1 << 20))",
            "UPDATE t SET x = concat(x, x, x)",
        ),
        [{"id": 1, "x": "abcdefgh" * (3 << 20)}],
    ),
}


@pytest.mark.parametrize("what", ARRIVES)
def test_every_row_arrives_as_it_is(collecting: Collecting, database: Database, what: str) -> None:
    met = ARRIVES[what]
    (packet,) = database.run("SELECT @@GLOBAL.max_allowed_packet")[0]
    database.server.run("SET GLOBAL max_allowed_packet = 67108864")
    try:
        lenient(database, *met.setup)
    finally:
        database.server.run(f"SET GLOBAL max_allowed_packet = {packet}")
    collecting.collect(f"{database.name}.{met.source}", **met.flow)
    collecting.run()
    found = [
        {name: value for name, value in row.items() if name != "_batch"}
        for row in collecting.cloud.rows(collecting.dataset).to_pylist()
    ]
    assert sorted(found, key=lambda row: int(row["id"])) == met.rows


REFUSED = {
    "a flag that counts": ("airbyte #76180: a tinyint(1) of 2 became true", "x tinyint(1) NOT NULL", "2", "x (boolean)"),
    "a zero date that is not null": (
        "airbyte #65082, dlt #2699: null, the first of 1970, or no end",
        "x datetime NOT NULL",
        "0",
        "x (timestamp)",
    ),
    "a day without a number": ("airbyte #3931: a failure without a name", "x date", "'2026-02-00'", "x (date)"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_type_cannot_hold_is_refused_by_name(collecting: Collecting, database: Database, what: str) -> None:
    _, column, literal, said = REFUSED[what]
    lenient(database, f"CREATE TABLE t (id int, {column})", f"INSERT INTO t VALUES (1, {literal})")
    collecting.collect(f"{database.name}.t", incremental=False)
    error = collecting.run(record_errors=True).errors[collecting.dataset]
    assert isinstance(error, RowError) and f"{said} cannot hold a value" in str(error)


def test_a_window_ends_at_the_microsecond(collecting: Collecting, database: Database) -> None:
    """airbyte #76309: bounds were cut to seconds, and what came within one was never read."""
    lenient(database, "CREATE TABLE t (id int PRIMARY KEY, at datetime(6))")
    collecting.collect(f"{database.name}.t", how={"mode": Mode.MERGE, "key": ("id",), "cursor": "at"})
    seen: list[int] = []
    for number in range(3):
        start = f"{collecting.at:%Y-%m-%d %H:%M:%S}"
        lenient(
            database,
            f"INSERT INTO t VALUES ({2 * number}, '{start}.000001'), ({2 * number + 1}, '{start}' + INTERVAL 3599999999 MICROSECOND)",
        )
        seen += ids(collecting)
    assert set(seen + ids(collecting)) == set(range(6))


def test_discover_lists_no_sequence_and_describes_what_can_be_collected(database: Database) -> None:
    """Sequences of MariaDB are tables to its catalog."""
    for statement in (
        "CREATE SEQUENCE s",
        "CREATE TABLE t (id int PRIMARY KEY) WITH SYSTEM VERSIONING",
        "CREATE VIEW v AS SELECT 1 AS x",
    ):
        database.run(statement)
    source = open_source(SHOP, database.secret, aws=None)
    try:
        names = [name for name in source.tables() if name.startswith(f"{database.name}.")]
        assert names == [f"{database.name}.{name}" for name in ("t", "v")]
        assert all(source.describe(names).values())
    finally:
        source.close()
