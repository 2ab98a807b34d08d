"""Connects to PostgreSQL, with a session in which no setting of the server's decides, and runs transactions again."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from shared_metadata.contract.steps import Deadline
from shared_metadata.errors import AtollError, RetryLater, SecretError
from slices.harness.postgres.config import Credentials
from systems.postgres.sessions import settling

CONNECT_TIMEOUT_SECONDS = 10
LOCK_TIMEOUT_SECONDS = 15
IDLE_SECONDS = 60.0  # in a transaction, between two statements: then its worker is gone, and what it locked is free again
TRIES = 4
REFUSED = ("authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry", "is not permitted to log in")
MISTRUSTED = ("certificate", "SSL", "root.crt")
# A peer that is gone, or a network that lets nothing through, is noticed within a minute.
SILENCE: dict[str, Any] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]


def connect(credentials: Credentials, place: str, reference: str, deadline: Deadline) -> Connection:
    """A connection in UTC that gives up when the step must end. Raises SecretError or RetryLater."""
    try:
        connection = psycopg.connect(
            host=credentials.host,
            port=credentials.port,
            dbname=credentials.dbname,
            user=credentials.username,
            password=credentials.password,
            sslmode=credentials.sslmode,
            sslrootcert=_certificate(credentials.sslrootcert) if credentials.sslrootcert else None,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            application_name="atoll",
            client_encoding="UTF8",
            **SILENCE,
            autocommit=True,
            prepare_threshold=None,  # connection poolers in transaction mode know no prepared statements
        )
    except psycopg.OperationalError as error:
        raise _unconnected(str(error), place, reference) from None
    limit_ms = max(1000, int(deadline.seconds_left * 1000))
    limits = {"statement_timeout": limit_ms, "lock_timeout": int(LOCK_TIMEOUT_SECONDS * 1000)}
    limits |= {"idle_in_transaction_session_timeout": int(IDLE_SECONDS * 1000)}
    connection.execute(settling({name: str(milliseconds) for name, milliseconds in limits.items()}))
    return connection


def _certificate(text: str) -> str:
    """libpq wants a file."""
    path = Path(tempfile.gettempdir()) / f"atoll-{hashlib.sha256(text.encode()).hexdigest()[:16]}.pem"
    path.write_text(text)
    return str(path)


def _unconnected(text: str, place: str, reference: str) -> AtollError:
    """libpq gives no code for these, only a text, which may hold the secret's values."""
    if any(part in text for part in REFUSED):
        remedy = f"correct username, password and dbname (atoll secret {reference} FILE), or let this user in (pg_hba.conf)"
        return SecretError(f"PostgreSQL refused the credentials of secret {reference!r}", place=place, remedy=remedy)
    if any(part in text for part in MISTRUSTED):
        remedy = f"correct sslmode and sslrootcert in the secret atoll/{reference}"
        return SecretError(f"no trusted TLS connection with the sslmode of secret {reference!r}", place=place, remedy=remedy)
    remedy = f"see that it runs, that host and port in the secret atoll/{reference} are right and that the network lets this in"
    return RetryLater("PostgreSQL does not answer", place=place, remedy=remedy)


def retried(work: Callable[[], T]) -> T:
    """Runs a transaction again when the server broke it off to serialise it with another (deadlock, serialization)."""
    for attempt in range(1, TRIES + 1):
        try:
            return work()
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
            if attempt == TRIES:
                raise
    raise AssertionError("unreachable")
