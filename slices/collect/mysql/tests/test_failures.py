"""Whose fault it is that a table cannot be read is told by MySQL's number: a row's, the program's or the source's, or nobody's."""

from __future__ import annotations

from typing import Any

import pymysql
import pytest

from shared_metadata.errors import AtollError, DefinitionError, RetryLater, RowError, SecretError
from shared_metadata.program import Column, Connection, Mode, Position
from slices.collect.mysql.client import open_source
from slices.collect.mysql.failures import statement_error
from systems.mysql.failures import OF_A_ROW, PASSING, connection_error
from tests.conformance.collect import Collecting
from tests.mariadb import Database

pytestmark = pytest.mark.sampled(3)

SHOP = Connection("shop", "mysql", {"secret": "shop"}, Position("p.sql", 1, 1))
TABLE = "CREATE TABLE t (id int, at datetime)"
LATER = {"mode": Mode.MERGE, "key": ("id",), "cursor": "at"}
# What is at the source ▸ the error, and words of its cause and remedy; read is the view or table r.
CASES: dict[str, tuple[tuple[str, ...], type[AtollError], tuple[str, ...]]] = {
    "a view of what is gone": ((TABLE, "CREATE VIEW r AS SELECT * FROM t", "DROP TABLE t"), DefinitionError, ("r", "restore")),
    "a view of one who is gone": (
        (TABLE, "CREATE DEFINER = 'nobody'@'nowhere' VIEW r AS SELECT * FROM t"),
        DefinitionError,
        ("1045", "GRANT SELECT"),
    ),
    "a subquery of several rows": (
        (TABLE, "INSERT INTO t VALUES (1, NULL), (2, NULL)", "CREATE VIEW r AS SELECT id, (SELECT id FROM t) AS one, at FROM t"),
        RowError,
        ("1242",),
    ),
    "a number out of range": (
        (TABLE, "INSERT INTO t VALUES (9, NULL)", "CREATE VIEW r AS SELECT id, at, ~0 + id AS n FROM t"),
        RowError,
        ("1690",),
    ),
}


@pytest.mark.parametrize("flow", [{}, LATER], ids=["whole", "by cursor"])
@pytest.mark.parametrize("what", CASES)
def test_errors_are_told_by_their_kind(collecting: Collecting, database: Database, what: str, flow: dict[str, Any]) -> None:
    setup, kind, words = CASES[what]
    for statement in setup:
        database.run(statement)
    collecting.collect(f"{database.name}.r", how=flow or {"mode": Mode.REPLACE})
    run = None
    try:
        run = collecting.run(record_errors=True)
        said = str(run.planned["failed"][0]["error"]) if run.planned["failed"] else repr_of(run.errors[collecting.dataset])
    except AtollError as error:
        said = repr_of(error)
    assert said.startswith(f"{kind.__name__}: program.atoll:7:3") and all(word in said for word in words), said
    assert "Remedy:" in said


def repr_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def test_a_column_that_is_gone_is_named_with_the_one_that_may_be_meant(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id int, amount int)")
    collecting.collect(f"{database.name}.t", incremental=False, columns=(Column("id", "id"), Column("amuont", "amuont")))
    said = collecting.refusal()
    assert "no column amuont" in said and "did you mean amount?" in said


def test_a_filter_that_cannot_be_is_told_without_what_it_compares(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id int)")
    collecting.collect(f"{database.name}.t", incremental=False, filter="nowhere = 'private'")
    said = collecting.refusal()
    assert said.startswith("DefinitionError") and "nowhere" in said and "private" not in said


def test_a_table_without_the_grant_names_it(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id int)")
    database.revoke("SELECT ON {name}.*")
    database.grant("INSERT ON {name}.*")
    collecting.collect(f"{database.name}.t", incremental=False)
    said = collecting.refusal()
    assert said.startswith("DefinitionError") and "denied" in said and "GRANT SELECT" in said


def test_columns_that_the_user_may_not_read_are_left_out_by_the_query(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id int PRIMARY KEY, private text)")
    database.run("INSERT INTO t VALUES (1, 'x')")
    database.revoke("SELECT ON {name}.*")
    database.grant("SELECT (id) ON {name}.t")
    collecting.collect(f"{database.name}.t", incremental=False, columns=(Column("id", "id"),))
    collecting.run()
    assert [row["id"] for row in collecting.cloud.rows(collecting.dataset).to_pylist()] == [1]


@pytest.mark.security
@pytest.mark.parametrize("number", sorted({*PASSING, *OF_A_ROW, 0, 1146, 1054, 1064, 1142, 9999}))
def test_no_error_shows_what_the_server_quotes(number: int) -> None:
    error = pymysql.err.OperationalError(number, "Incorrect value: 'private' for column `a`")
    shown = number in (1146, 1054, 1142)  # sentences that hold names alone
    for found in (statement_error(error, "p.sql:1:1"), connection_error(error, "shop", "p.sql:1:1")):
        assert found.remedy and ("private" not in str(found) or shown)
    kind = type(statement_error(error, "p"))
    assert kind is (RetryLater if number in PASSING or not number else RowError if number in OF_A_ROW else DefinitionError)


@pytest.mark.parametrize("changed", ["password", "username", "dbname"])
def test_a_refused_secret_says_what_helps_and_no_value(database: Database, changed: str) -> None:
    source = open_source(SHOP, {**database.secret, changed: "wr0ng"}, aws=None)
    with pytest.raises(SecretError) as caught:
        source.tables()
    assert "'shop'" in caught.value.remedy and "wr0ng" not in str(caught.value)


@pytest.mark.parametrize("at", ["plan", "extract"])
def test_a_server_that_takes_no_more_connections_is_tried_later(collecting: Collecting, database: Database, at: str) -> None:
    database.run("CREATE TABLE t (id int)")
    collecting.collect(f"{database.name}.t", incremental=False)
    (limit,) = database.run("SELECT @@max_connections")[0]
    steps, event = collecting.steps(), collecting.cloud.event("lake.raw.thing")
    from tests.conformance.fixtures import FakeContext

    state = steps.plan(event, FakeContext())["work"][0] if at == "extract" else {}
    held = [database.connect() for _ in range(2)]
    try:
        database.server.run("SET GLOBAL max_connections = 10")
        held += [pymysql.connect(unix_socket=database.server.socket, user="root") for _ in range(8)]
        with pytest.raises(RetryLater, match="cannot be reached"):
            steps.extract({**state, "part": 0}, FakeContext()) if at == "extract" else steps.plan(event, FakeContext())
    finally:
        for session in held:
            session.close()
        database.server.run(f"SET GLOBAL max_connections = {limit}")
