"""What a row is refused for is told by the SQLSTATE: no word of a value makes another error of it, and none is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg
import pytest

from shared_metadata.errors import AtollError, DefinitionError, RowError
from shared_metadata.program import BadRows
from slices.collect.postgres import failures
from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.test_source import collect
from tests.conformance.collect import Collecting
from tests.words_in_values import MARK, WORDS

RAISING = (
    "CREATE FUNCTION f(text, text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING MESSAGE = $1, ERRCODE = $2; END $$"
)
# An expression that refuses every value ▸ what is told of it.
REFUSING = {
    **{
        f"v::{kind}": f"invalid input syntax for type {kind}"
        for kind in ("integer", "bigint", "numeric", "double precision", "boolean", "uuid", "interval", "json", "point")
    },
    "ARRAY[v]::integer[]": "invalid input syntax for type integer",
    "v::jsonb": "invalid input syntax for type json",
    "(length(v) + 4711000)::smallint": "smallint out of range",
    "v::mood": "in words that may quote it",
    "f(v, 'P0001')": "in words that may quote it",
    "f(v, '22P02')": "in words that may quote it",
    "f(v, '23505')": "in words that may quote it",
    "regexp_replace(v, v || '(', '')": "in words that may quote it",
    "decode('-' || v, 'hex')": "invalid hexadecimal digit",
}
# What is refused by functions in the name of others ▸ the error.
FEIGNED = {
    "42501": DefinitionError,
    "42704": DefinitionError,
    "55000": DefinitionError,
    "42P01": DefinitionError,
    "XX000": DefinitionError,
}


@pytest.fixture(scope="module")
def session(server: tuple[str, int]) -> Iterator[psycopg.Connection]:
    host, port = server
    with psycopg.connect(host=host, port=port, dbname="postgres", user="postgres") as connection:
        connection.execute(RAISING)
        connection.execute("CREATE TYPE mood AS ENUM ('calm')")
        connection.execute("SAVEPOINT made")
        yield connection
        connection.rollback()


def refused(session: psycopg.Connection, expression: str, word: str) -> AtollError:
    with pytest.raises(psycopg.Error) as caught:
        session.execute(f"SELECT {expression} FROM (VALUES ('x' || %s)) AS t (v)", (word,))
    session.execute("ROLLBACK TO made")
    return failures.statement_error(caught.value, "p.sql:1:1")


@pytest.mark.parametrize("expression", REFUSING)
def test_no_word_of_a_value_changes_what_is_told_or_is_in_it(session: psycopg.Connection, expression: str) -> None:
    found = [refused(session, expression, word) for word in WORDS]
    assert {type(error) for error in found} == {RowError}
    (message,) = {str(error) for error in found}
    assert REFUSING[expression] in message and "jane" not in message and "4711" not in message


@pytest.mark.parametrize("state", FEIGNED)
def test_a_function_that_speaks_like_the_server_is_not_quoted(session: psycopg.Connection, state: str) -> None:
    found = [refused(session, f"f(v, '{state}')", word) for word in WORDS]
    assert {type(error) for error in found} == {FEIGNED[state]}
    (message,) = {str(error) for error in found}
    assert MARK not in message and "jane" not in message


def test_names_that_a_value_is_taken_for_are_not_told(session: psycopg.Connection) -> None:
    for expression in ("v::regclass", "v::regtype", "current_setting(v)", "nextval(v)", "v::regrole"):
        for word in WORDS:
            assert "jane" not in str(refused(session, expression, word))


@pytest.mark.budget(60)
@pytest.mark.parametrize("words", [WORDS[::12], pytest.param(WORDS, marks=pytest.mark.deep)], ids=["some", "all"])
@pytest.mark.parametrize("what", ["v::int", "f(v, 'P0001')"])
def test_a_row_that_a_batch_reads_is_refused_as_a_row_whatever_it_says(
    collecting: Collecting, database: Database, what: str, words: Sequence[str]
) -> None:
    database.run(RAISING)
    database.run("CREATE TABLE t (id int, v text)")
    for word in words:
        database.run("TRUNCATE t")
        database.run("INSERT INTO t VALUES (1, %s)", ("x" + word,))
        collect(collecting, "", query=f"SELECT id, {what} AS n FROM public.t")
        error = collecting.run(record_errors=True).errors[collecting.dataset]
        assert isinstance(error, RowError), (word, error)
        assert "jane" not in str(error) and "4711" not in str(error)
        collecting.cloud.clock.advance(hours=2)


def test_a_date_that_no_type_holds_is_set_aside_whatever_stands_beside_it(collecting: Collecting, database: Database) -> None:
    database.run("CREATE TABLE t (id int, v text, d date); INSERT INTO t VALUES (0, '', NULL)")
    for number, word in enumerate(WORDS, 1):
        database.run("INSERT INTO t VALUES (%s, %s, '10000-01-01')", (number, word))
    collect(collecting, "public.t", bad_rows=BadRows(len(WORDS)))
    collecting.run()
    assert sorted(row["data"]["v"] for row in collecting.rejected()) == sorted(WORDS)
