"""Turns reading errors of PostgreSQL and DuckDB into Atoll's; neither rows nor secrets pass."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared_metadata.errors import AtollError, DefinitionError, RetryLater, RowError
from systems.postgres.failures import PASSING, is_of_policies, remedy_of, told, word

if TYPE_CHECKING:
    import psycopg

# What helps where being tried again may not, by SQLSTATE.
_LASTING = {
    "55P03": "nothing: a statement that alters, truncates or rewrites the table waits, and is let through before it goes on",
    "40001": "nothing if it is seldom; else set hot_standby_feedback = on at the replica, or let its "
    "max_standby_streaming_delay be longer than a batch reads",
    "53200": "raise max_locks_per_transaction at the server, for each partition of a table takes a lock, or give it more memory",
    "53400": "raise temp_file_limit for the secret's user, or let the query sort and join less",
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html, by their beginning: what is about a value
_OF_A_ROW = ("22", "23", "P0", "38", "39")
CANCELLED = "57014"
# DuckDB passes on a server's text only: what the server says begins behind the statement, which holds no row, and ends the line.
_SERVER = re.compile(r'IO Error: [A-Z][\w ]+(?: ".*?")?: (?:ERROR|FATAL): +', re.DOTALL)
_SENTENCES = {
    re.compile(r"canceling statement due to lock timeout\n?"): "55P03",
    re.compile(r"(?:canceling statement|terminating connection) due to conflict with recovery\n?"): "40001",
    re.compile(r"canceling statement due to (?:statement timeout|user request)\n?"): CANCELLED,
    re.compile(r"terminating connection due to administrator command\n?"): "57P01",
    re.compile(r"the database system is shutting down\n?"): "57P03",
    re.compile(r"out of shared memory\n?"): "53200",
    re.compile(r"temporary file size exceeds temp_file_limit \(\d+kB\)\n?"): "53400",
}
# What may be told of a message about a row: PostgreSQL's own words. A function may put anything into a message of its own.
_NUMBER = "smallint|integer|bigint|real|double precision|numeric|oid|money"
_TYPE = (
    rf"(?:{_NUMBER}|boolean|uuid|jsonb?|xml|inet|cidr|macaddr8?|bytea|bit|point|line|lseg|box|path|polygon|circle|date|interval"
    r"|time(?:stamp)?(?: with(?:out)? time zone)?|pg_lsn|tid|xid8?|cid|tsvector|tsquery)"
)
_TOLD = re.compile(
    rf"(invalid input syntax for type {_TYPE})(?:: \".*)?|((?:{_TYPE}|value) out of range)(?:: .*)?|(numeric field overflow)"
    r"|(division by zero)|(date/time field value out of range)(?:: \".*)?|(invalid byte sequence for encoding)(?: \".*)?"
    rf"|(invalid hexadecimal digit)(?:: \".*)?|(cannot cast jsonb [a-z]+ to type {_TYPE})"
    rf"|value \".*\" is (out of range for type {_TYPE})",
    re.DOTALL,
)


def statement_error(error: psycopg.Error, place: str) -> AtollError:
    """The meaning of a failed statement, by its SQLSTATE; only those of PostgreSQL's words are kept that name no value."""
    state, said = error.sqlstate or "", error.diag.message_primary or ""
    if not state or remedy_of(PASSING, state):
        return ended(state, place)
    if state == "42501":
        return hidden(told(error), place) if is_of_policies(error) else _forbidden(told(error), place)
    if state.startswith(_OF_A_ROW):
        return unreadable(place, said if state.startswith("22") and error.diag.source_function != "exec_stmt_raise" else "")
    if state == "55000" and not error.diag.context and re.fullmatch(r'materialized view "[^"]*" has not been populated', said):
        remedy = "REFRESH MATERIALIZED VIEW it at the source, and after each restore; then `atoll retry`"
        return DefinitionError(said, place=place, remedy=remedy)
    if state == "42704" and said.startswith("unrecognized configuration parameter "):
        remedy = "what is read asks for a setting: give it to the secret's user, ALTER ROLE … SET its name = …"
        return DefinitionError("unrecognized configuration parameter", place=place, remedy=remedy)
    if state.startswith("42"):
        remedy = "correct the statement in the program, or restore what it names"
        refused = told(error) or f"PostgreSQL refuses what is read ({state} {word(state)})"
        return DefinitionError(refused, place=place, remedy=remedy)
    remedy = "mend what is read at the source, or leave it out of the program"
    return DefinitionError(f"PostgreSQL refuses to read it ({state}): {told(error) or word(state)}", place=place, remedy=remedy)


def hidden(said: str, place: str) -> DefinitionError:
    """The error for a table of which policies hide rows from the secret's user."""
    remedy = "ALTER ROLE the secret's user BYPASSRLS, or collect a view of what is wanted, made by the table's owner"
    return DefinitionError(f"row level security would hide rows: {said}", place=place, remedy=remedy)


def _forbidden(said: str, place: str) -> DefinitionError:
    remedy = "GRANT SELECT on it, and USAGE on its schema, to the secret's user"
    return DefinitionError(said or "a function that is called refuses by a grant", place=place, remedy=remedy)


def ended(state: str, place: str) -> RetryLater:
    """The error where the connection, or the server, has ended the statement. state: its SQLSTATE; '' where none was said."""
    remedy = _LASTING.get(state, "the batch is tried again and goes on from where it was")
    what = f" ({state} {word(state)})" if state else ": the connection broke off"
    return RetryLater(f"the database ended the work{what}", place=place, remedy=remedy)


def is_of_server(text: str) -> bool:
    """Whether DuckDB passes on an error that the server has said."""
    return _SERVER.match(text) is not None


def state_of(text: str) -> str:
    """The SQLSTATE of a server's text that DuckDB passes on, of what ends a connection or a statement; '' for all else."""
    found = _SERVER.match(text)
    said = text[found.end() :] if found else ""
    return next((state for sentence, state in _SENTENCES.items() if sentence.fullmatch(said)), "")


def unreadable(place: str, said: str = "") -> RowError:
    """The error for a row that is refused. said: PostgreSQL's message, of which only what is known to hold no value is told."""
    found = _TOLD.fullmatch(said)
    why = next(filter(None, found.groups()), "") if found else "a value or a row is refused, in words that may quote it"
    remedy = "correct the value or the expression, or SELECT column::text"
    return RowError(f"the rows cannot be read: {why}", place=place, remedy=remedy)


def of_more_dimensions(place: str) -> RowError:
    remedy = "SELECT to_json(column)::text AS column instead"
    return RowError("an array has more dimensions than its column's type says", place=place, remedy=remedy)
