"""Turns reading errors of PostgreSQL and DuckDB into Atoll's; neither rows nor secrets pass."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared_metadata.errors import AtollError, DefinitionError, RetryLater, RowError
from systems.postgres.failures import PASSING, first_line, is_of_policies, remedy_of

if TYPE_CHECKING:
    import psycopg

# What helps where being tried again may not, by what the server says.
_LASTING = {
    "lock timeout": "nothing: a statement that alters, truncates or rewrites the table waits, and is let through before it goes on",
    "conflict with recovery": "nothing if it is seldom; else set hot_standby_feedback = on at the replica, or let its "
    "max_standby_streaming_delay be longer than a batch reads",
    "out of shared memory": "raise max_locks_per_transaction at the server: each partition of a table takes a lock",
    "temporary file size": "raise temp_file_limit for the secret's user, or let the query sort and join less",
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html, by their beginning: what is about a value
_OF_A_ROW = ("22", "23", "P0", "38", "39")
# What may be told of a message about a row: PostgreSQL's own words. A function may put anything into a message of its own.
_NUMBER = "smallint|integer|bigint|real|double precision|numeric|oid|money"
_TOLD = re.compile(
    rf"(invalid input syntax for type [a-z ]+|(?:{_NUMBER}|date|timestamp|interval|value) out of range|numeric field overflow"
    r"|division by zero|date/time field value out of range|invalid byte sequence for encoding|invalid hexadecimal digit"
    r"|cannot cast jsonb [a-z]+ to type [a-z ]+|cannot execute [A-Z ]+ in a read-only transaction)"
    rf"|out of range for type (?:{_NUMBER})$"
)
_AFTER_COLON = re.compile(r": .*$")


def statement_error(error: psycopg.Error, place: str) -> AtollError:
    """The meaning of a failed statement, by its SQLSTATE; only those of PostgreSQL's words are kept that name no value."""
    state, said = error.sqlstate or "", first_line(error.diag.message_primary or str(error))
    if not state or remedy_of(PASSING, state) or said.startswith("snapshot "):
        return ended(said, place)
    if state == "42501":
        return hidden(said, place) if is_of_policies(error) else _forbidden(said, place)
    if state.startswith(_OF_A_ROW):
        return unreadable(said, place)
    if state == "55000" and "populated" in said:
        remedy = "REFRESH MATERIALIZED VIEW it at the source, and after each restore; then `atoll retry`"
        return DefinitionError(said, place=place, remedy=remedy)
    if state == "42704" and "configuration parameter" in said:
        remedy = "what is read asks for a setting: give it to the secret's user, ALTER ROLE … SET its name = …"
        return DefinitionError(said, place=place, remedy=remedy)
    if state.startswith("42"):
        remedy = "correct the statement in the program, or restore what it names"
        return DefinitionError(_AFTER_COLON.sub(": …", said), place=place, remedy=remedy)
    remedy = "mend what is read at the source, or leave it out of the program"
    return DefinitionError(f"PostgreSQL refuses to read it ({state}): {_AFTER_COLON.sub(': …', said)}", place=place, remedy=remedy)


def hidden(said: str, place: str) -> DefinitionError:
    """The error for a table of which policies hide rows from the secret's user."""
    remedy = "ALTER ROLE the secret's user BYPASSRLS, or collect a view of what is wanted, made by the table's owner"
    return DefinitionError(f"row level security would hide rows: {said}", place=place, remedy=remedy)


def _forbidden(said: str, place: str) -> DefinitionError:
    return DefinitionError(said, place=place, remedy="GRANT SELECT on it, and USAGE on its schema, to the secret's user")


def ended(text: str, place: str) -> RetryLater:
    """The error where the connection, or the server, has ended the statement."""
    said = first_line(text)
    again = "the batch is tried again and goes on from where it was"
    remedy = next((helps for words, helps in _LASTING.items() if words in said), again)
    return RetryLater(f"the database ended the work: {said}", place=place, remedy=remedy)


def unreadable(text: str, place: str) -> RowError:
    """The error for a row that PostgreSQL refuses, or whose answer cannot be read."""
    said = first_line(text)
    if "dimensions" in said:
        remedy = "SELECT to_json(column)::text AS column instead"
        return RowError("an array has more dimensions than its column's type says", place=place, remedy=remedy)
    remedy = "correct the value or the expression, or SELECT column::text"
    return RowError(f"the rows cannot be read: {_without_values(said)}", place=place, remedy=remedy)


def _without_values(said: str) -> str:
    found = _TOLD.match(said) or _TOLD.search(said)
    return found[0] if found else "PostgreSQL refuses a value or a row, in words that may quote it"
