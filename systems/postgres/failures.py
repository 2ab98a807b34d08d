"""What PostgreSQL's answers mean to every slice: what refuses a connection, what passes by itself, what policies refuse."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared_metadata.errors import AtollError, RetryLater, SecretError, unquoted

if TYPE_CHECKING:
    import psycopg

# libpq gives no SQLSTATE for what keeps a connection from being made, only a text, in which each attempt begins like this.
_ATTEMPT = re.compile(r'connection to server (?:at|on socket) "[^"\n]*"[^"\n]*? failed: ')
_FATAL = re.compile(
    r"\bFATAL:\s+(?!\s|sorry, too many|too many connections|remaining connection slots|the database system|terminating )"
)
_MISTRUSTED = re.compile(r"does not support SSL|certificate|, no encryption$", re.MULTILINE)
# The functions of the server's that refuse by a grant or a policy, and name what it is for: never a value.
_GRANTS, _POLICIES = "aclcheck_error", ("check_enable_rls", "ExecWithCheckOptions")
# Sentences of the server's own in which no value stands.
_KNOWN = re.compile(
    r"cannot execute [A-Z ]{3,40} in a read-only transaction|more than one row returned by a subquery used as an expression"
    r"|division by zero|numeric field overflow|stack depth limit exceeded|invalid page in block \d+ of relation [\w/]+"
)
# What passes, or what is ended at the server, by its SQLSTATE or the beginning of it ▸ what helps where it does not pass.
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
    """Why a connection could not be made: the secret is wrong, or the server is away. Names in the text decide nothing."""
    reasons = [unquoted(reason) for reason in _ATTEMPT.split(text)[1:] or [text.removeprefix("connection failed: ")]]
    if mistrusted := [reason for reason in reasons if _MISTRUSTED.search(reason)]:
        return SecretError(
            f"an encrypted connection was refused: {_first_line(mistrusted[0])}",
            place=place,
            remedy=f"set sslmode or sslrootcert in the secret {reference!r}",
        )
    if refused := [reason for reason in reasons if _FATAL.search(reason) or "no password supplied" in reason]:
        return SecretError(
            f"the database refused the connection: {_first_line(refused[0])}",
            place=place,
            remedy=f"correct username, password and dbname (atoll secret {reference} FILE), or let the user in (pg_hba.conf)",
        )
    return RetryLater(
        f"the database cannot be reached: {_first_line(reasons[0])}",
        place=place,
        remedy="see that it runs and that the function's subnets and security group reach it; the batch is tried again",
    )


def told(error: psycopg.Error) -> str:
    """The server's sentence where it can name nothing but what the statement or the catalog does; '' where it may quote a row.

    What is wrong with a statement itself has a position in it and no context, which no function that is given a row can say.
    """
    said, spoke = error.diag.message_primary or "", error.diag.source_function or ""
    of_statement = (error.sqlstate or "").startswith("42") and error.diag.statement_position is not None and not error.diag.context
    if of_statement or spoke.startswith(_GRANTS) or spoke in _POLICIES or _KNOWN.fullmatch(said):
        return said
    return ""


def word(state: str | None) -> str:
    """PostgreSQL's own word for an SQLSTATE: '40001' ▸ 'SerializationFailure'. Only a connection that is lost has none."""
    import psycopg

    if not state:
        return "connection lost"
    try:
        return psycopg.errors.lookup(state).__name__
    except KeyError:
        return "an error"


def remedy_of(remedies: Mapping[str, str], state: str) -> str:
    """What a table of remedies has of an SQLSTATE, or of its class; '' for nothing."""
    return remedies.get(state) or remedies.get(state[:2], "")


def is_of_policies(error: psycopg.Error) -> bool:
    """Whether row level security is what refuses. The server's words may be in its own language; its function's name is not."""
    return error.sqlstate == "42501" and error.diag.source_function in _POLICIES


def scrub(text: str, password: str) -> str:
    return text.replace(password, "…") if password else text


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no message")
