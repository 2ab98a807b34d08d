"""`make verify SLICE=collect/oracle` runs the slice's tests where ATOLL_ORACLE says, and nowhere where something is."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from examples.verify_aws import __main__ as verify
from examples.verify_aws import oracle
from tests.oracle import Database, fresh_database, oracle_server


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with oracle_server() as server, fresh_database(server) as found:
        yield found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "ATOLL_ORACLE names no database"),
        ("oracle://", "ATOLL_ORACLE is no JSON"),
        ("[]", "ATOLL_ORACLE is no JSON object"),
        ('{"host": "localhost"}', "dbname"),
        ('{"host": "localhost", "port": 1, "dbname": "x", "username": "x", "password": "x"}', "cannot be reached"),
    ],
)
def test_what_is_missing_is_told_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: str, said: str
) -> None:
    monkeypatch.setenv(oracle.VARIABLE, given)
    assert verify.main(["--slice", "collect/oracle"]) == 1
    assert said in capsys.readouterr().out


def test_a_schema_in_which_there_is_something_is_left_alone(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(oracle.VARIABLE, json.dumps(dict(database.secret)))
    database.run("CREATE TABLE kept (id NUMBER)")
    assert verify.main(["--slice", "slices/collect/oracle/"]) == 1
    assert "has 1 tables, and the tests drop all that there are" in capsys.readouterr().out
    assert database.run("SELECT count(*) FROM kept") == [(0,)]
    database.run("DROP TABLE kept")


@pytest.mark.deep
@pytest.mark.timeout(600)
@pytest.mark.budget(120)
@pytest.mark.parametrize(("test", "code"), [("test_first_batch_takes_the_whole_table", 0), ("test_of_no_such_name", 5)])
def test_the_slice_s_tests_run_there_and_say_how_they_ended(
    database: Database, monkeypatch: pytest.MonkeyPatch, test: str, code: int
) -> None:
    monkeypatch.setenv(oracle.VARIABLE, json.dumps(dict(database.secret)))
    assert oracle.main(["-k", test, "-q"]) == code
    assert database.run("SELECT count(*) FROM all_tables WHERE owner = :1", [database.schema]) == [(0,)]
