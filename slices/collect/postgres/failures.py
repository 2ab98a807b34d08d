"""Turns what PostgreSQL and DuckDB report into the errors of Atoll; neither rows nor secrets pass."""

from __future__ import annotations

import re

from shared_metadata.errors import AtollError, DefinitionError, RetryLater, RowError, SecretError

_BUSY = (
    "too many",
    "connection slots",
    "starting up",
    "shutting down",
    "recovery",
    "not yet accepting",
    "the database system",
    "terminating",
)
_SSL = ("does not support SSL", "certificate verify failed", "root certificate file", "no encryption")
_AWAY = (
    "canceling statement due to",
    "terminating connection",
    "server closed the connection",
    "could not receive data",
    "connection to server",
    "SSL SYSCALL",
    "SSL error",
    "Connection refused",
    "Connection timed out",
    "deadlock detected",
    "out of shared memory",
    "too many clients",
    "remaining connection slots",
    "Lost connection",
    "no connection to the server",
    "PQ",
)
_GONE = ("does not exist", "syntax error", "must appear in the GROUP BY", "is ambiguous", "operator is not unique")
# What may be told of a message about a row: PostgreSQL's own words. A function may put anything into a message of its own.
_NUMBER = "smallint|integer|bigint|real|double precision|numeric|oid|money"
_TOLD = re.compile(
    rf"(invalid input syntax for type [a-z ]+|(?:{_NUMBER}|date|timestamp|interval|value) out of range|numeric field overflow"
    r"|division by zero|date/time field value out of range|invalid byte sequence for encoding|invalid hexadecimal digit"
    r"|cannot cast jsonb [a-z]+ to type [a-z ]+|cannot execute [A-Z ]+ in a read-only transaction)"
    rf"|out of range for type (?:{_NUMBER})$"
)
_AFTER_COLON = re.compile(r": .*$")


def connection_error(text: str, reference: str, place: str) -> AtollError:
    """Why a connection could not be made: the secret is wrong, or the server is away."""
    said = _first_line(text)
    if any(word in text for word in _SSL):
        return SecretError(
            f"an encrypted connection was refused: {said}",
            place=place,
            remedy=f"set sslmode or sslrootcert in the secret {reference!r}",
        )
    if "FATAL" in text and not any(word in text for word in _BUSY):
        return SecretError(
            f"the database refused the connection: {said}",
            place=place,
            remedy=f"correct username, password and dbname in the secret {reference!r}, or let the user in (pg_hba.conf)",
        )
    return RetryLater(
        f"the database cannot be reached: {said}",
        place=place,
        remedy="see that it runs and that the function's subnets and security group reach it; the batch is tried again",
    )


def statement_error(text: str, place: str) -> AtollError:
    """What a failed statement means; text is PostgreSQL's or DuckDB's own, of which only what names no value is kept."""
    said = _first_line(text)
    if "permission denied" in said:
        return DefinitionError(said, place=place, remedy="GRANT SELECT on it, and USAGE on its schema, to the secret's user")
    if any(word in said for word in _AWAY) or said.startswith("snapshot "):
        return RetryLater(
            f"the database ended the work: {said}", place=place, remedy="the batch is tried again and goes on from where it was"
        )
    if any(word in said for word in _GONE):
        said = _AFTER_COLON.sub(": …", said)
        return DefinitionError(said, place=place, remedy="correct the statement in the program, or restore what it names")
    if "dimensions" in said:
        return RowError(
            "an array has more dimensions than its column's type says",
            place=place,
            remedy="SELECT to_json(column)::text AS column instead",
        )
    return RowError(
        f"the rows cannot be read: {_without_values(said)}",
        place=place,
        remedy="correct the value or the expression, or SELECT column::text",
    )


def _without_values(said: str) -> str:
    found = _TOLD.match(said) or _TOLD.search(said)
    return found[0] if found else "PostgreSQL refuses a value or a row, in words that may quote it"


def scrub(text: str, password: str) -> str:
    return text.replace(password, "…") if password else text


def _first_line(text: str) -> str:
    """The server's own line: after the last 'ERROR:' or 'FATAL:', else after the statement that DuckDB quotes, else the first."""
    for mark in ("FATAL:", "ERROR:", '": '):
        if mark in text:
            text = text.rsplit(mark, 1)[1]
            break
    return text.strip().splitlines()[0].strip() if text.strip() else "no message"
