"""What PostgreSQL's answers mean to every slice: what refuses a connection, what passes by itself, what policies refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared_metadata.errors import AtollError, RetryLater, SecretError

if TYPE_CHECKING:
    import psycopg

# libpq gives no code for what keeps a connection from being made, only a text.
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
_MISTRUSTED = ("does not support SSL", "certificate", "no encryption")
_REFUSED = ("FATAL", "no password supplied")
# What libpq, and DuckDB with it, says of a connection that has ended, for which there is no SQLSTATE.
_AWAY = (
    *("canceling statement due to", "terminating connection", "server closed the connection", "could not receive data"),
    *("connection to server", "SSL SYSCALL", "SSL error", "Connection refused", "Connection timed out", "deadlock detected"),
    *("Lost connection", "no connection to the server", "too many clients", "remaining connection slots", "PQ"),
)
# What passes, or what somebody at the server ends, by its SQLSTATE or the beginning of it ▸ what helps where it does not pass.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
PASSING: Mapping[str, str] = {
    "08": "nothing if it passes; else see the server's load and the network",
    "25P03": "nothing if it passes; else see the server's load",
    "25P04": "nothing if it passes; else see the server's load",
    "40": "nothing if it passes; else see the server's load and who writes to the table at the same time",
    "53100": "free disk space at the server",
    "53200": "give the server more memory",
    "53300": "end connections, or raise max_connections at the server",
    "53400": "raise the limit at the server, as temp_file_limit",
    "53": "nothing if it passes; else see the server's load",
    "55006": "nothing if it passes; else see who uses the table",
    "55P03": "nothing if it passes; else see who holds locks on the table",
    "57": "nothing if it passes; else see the server's load and who holds locks on the table",
    "58": "see the server's log and its disks",
    "72": "nothing if it passes; else see the server's old_snapshot_threshold",
}


def connection_error(text: str, reference: str, place: str) -> AtollError:
    """Why a connection could not be made: the secret is wrong, or the server is away."""
    said = first_line(text)
    if any(word in text for word in _MISTRUSTED):
        return SecretError(
            f"an encrypted connection was refused: {said}",
            place=place,
            remedy=f"set sslmode or sslrootcert in the secret {reference!r}",
        )
    if any(word in text for word in _REFUSED) and not any(word in text for word in _BUSY):
        return SecretError(
            f"the database refused the connection: {said}",
            place=place,
            remedy=f"correct username, password and dbname (atoll secret {reference} FILE), or let the user in (pg_hba.conf)",
        )
    return RetryLater(
        f"the database cannot be reached: {said}",
        place=place,
        remedy="see that it runs and that the function's subnets and security group reach it; the batch is tried again",
    )


def remedy_of(remedies: Mapping[str, str], state: str) -> str:
    """What a table of remedies has of an SQLSTATE, or of its class; '' for nothing."""
    return remedies.get(state) or remedies.get(state[:2], "")


def is_away(text: str) -> bool:
    """Whether a text says that a connection has ended, or what ran on it."""
    return any(word in text for word in _AWAY)


def is_of_policies(error: psycopg.Error) -> bool:
    """Whether row level security is what refuses. The server's words may be in its own language; its function's name is not."""
    return error.diag.source_function == "check_enable_rls" or "row-level security" in (error.diag.message_primary or "")


def scrub(text: str, password: str) -> str:
    return text.replace(password, "…") if password else text


def first_line(text: str) -> str:
    """The server's own line: after the last 'ERROR:' or 'FATAL:', else after the statement that DuckDB quotes, else the first."""
    for mark in ("FATAL:", "ERROR:", '": '):
        if mark in text:
            text = text.rsplit(mark, 1)[1]
            break
    return text.strip().splitlines()[0].strip() if text.strip() else "no message"
