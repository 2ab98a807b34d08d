"""The double answers the unmodified driver as an Oracle does, and refuses what an Oracle refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import oracledb
import pytest

from doubles.oracle import values
from tests.oracle import Database, fresh_database, oracle_server

NUMBERS = ["0", "1", "-1", "0.01", "-0.001", "99", "100", "12345678901234567890123456789012345678", "-12.5", "1E-30", "1E+30"]
REFUSED = {
    "SELECT 1": 923,
    "SELECT 1 FROM DUAL LIMIT 1": 933,
    "SELECT x FROM (SELECT 1 AS x FROM DUAL) AS q": 933,
    "SELECT DUMMY IS NULL FROM DUAL": 923,
    "SELECT DUMMY FROM DUAL WHERE TRUE": 904,
    "SELECT DUMMY FROM nowhere": 942,
    "SELECT nothing FROM DUAL": 904,
    "SELEKT 1 FROM DUAL": 900,
}


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with oracle_server() as server, fresh_database(server) as found:
        yield found


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_read_as_it_was_written(number: str) -> None:
    assert values.read_number(values.write_number(number)) == Decimal(number)


@pytest.mark.parametrize("statement", REFUSED)
def test_what_postgresql_would_take_or_says_otherwise_has_oracles_number(database: Database, statement: str) -> None:
    with pytest.raises(oracledb.DatabaseError) as refused:
        database.run(statement)
    assert refused.value.args[0].code == REFUSED[statement]


def test_names_without_quotes_stand_in_capitals_and_an_empty_text_is_null(database: Database) -> None:
    database.run('CREATE TABLE "Kept" (id NUMBER(9) PRIMARY KEY, "Name" VARCHAR2(9), at DATE)')
    database.run('INSERT INTO "Kept" (ID, "Name", at) VALUES (:1, :2, :3)', [1, "", datetime(2026, 1, 2, 3, 4, 5)])
    assert database.run('SELECT Id, "Name", AT FROM "Kept" WHERE "Name" IS NULL') == [(1, None, datetime(2026, 1, 2, 3, 4, 5))]
    with pytest.raises(oracledb.IntegrityError, match="ORA-00001"):
        database.run('INSERT INTO "Kept" (id) VALUES (1)')
    assert database.run("SELECT column_name FROM all_tab_cols WHERE table_name = 'Kept' ORDER BY internal_column_id") == [
        *(("ID",), ("Name",), ("AT",))
    ]


def test_nothing_joined_to_a_text_is_the_text(database: Database) -> None:
    assert database.run("SELECT NULL || 'a' || NULL || 'b', NULL || NULL FROM DUAL") == [("ab", None)]


def test_a_json_object_has_as_many_values_as_are_asked_for(database: Database) -> None:
    listed = ", ".join(f"'k{number}' VALUE '}}{number}'" for number in range(120))
    ((text,),) = database.run(f"SELECT JSON_OBJECT({listed} RETURNING CLOB) FROM DUAL")
    assert json.loads(str(text)) == {f"k{number}": f"}}{number}" for number in range(120)}


def test_a_wrong_password_is_refused_by_number(database: Database) -> None:
    with pytest.raises(oracledb.DatabaseError, match="ORA-01017"):
        replace(database, secret={**database.secret, "password": "another"}).connect()


def test_what_was_is_shown_as_of_its_number_and_a_transaction_that_is_rolled_back_is_not(database: Database) -> None:
    database.run("CREATE TABLE was (id NUMBER(9))")
    ((number,),) = database.run("SELECT DBMS_FLASHBACK.GET_SYSTEM_CHANGE_NUMBER FROM DUAL")
    database.run("INSERT INTO was (id) VALUES (1)")
    with database.connect() as session, session.cursor() as cursor:
        cursor.execute("INSERT INTO was (id) VALUES (2)")
        session.rollback()
    assert database.run("SELECT id FROM was") == [(1,)]
    assert database.run(f"SELECT id FROM was AS OF SCN {number}") == []
