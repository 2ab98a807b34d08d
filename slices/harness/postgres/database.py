"""Connects to PostgreSQL, with a session in which no setting of the server's decides, and runs transactions again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import psycopg

from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import DefinitionError
from systems.postgres import sessions
from systems.postgres.address import Address

LOCK_SECONDS = 15
IDLE_SECONDS = 60.0  # in a transaction, between two statements: then its worker is gone, and what it locked is free again
TRIES = 4
_ROLE = "session_replication_role"
T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]


def connect(address: Address, place: str, reference: str, deadline: Deadline) -> Connection:
    """A settled session that gives up when the step must end. Raises SecretError or RetryLater."""
    connection = sessions.connect(address, reference=reference, place=place)
    limit_ms = max(1000, int(deadline.seconds_left * 1000))
    limits = {"statement_timeout": limit_ms, "lock_timeout": int(LOCK_SECONDS * 1000)}
    limits |= {"idle_in_transaction_session_timeout": int(IDLE_SECONDS * 1000)}
    connection.execute(sessions.settling({name: str(milliseconds) for name, milliseconds in limits.items()}))
    _check_constraints(connection, address.username, place)
    return connection


def _check_constraints(connection: Connection, user: str, place: str) -> None:
    """Ends a setting of the role's or the database's by which foreign keys and triggers do not hold; only some users may."""
    try:
        connection.execute(f"SELECT set_config('{_ROLE}', 'origin', false) WHERE current_setting('{_ROLE}') <> 'origin'")
    except psycopg.errors.InsufficientPrivilege:
        connection.close()
        what = f"{_ROLE} is set for the user {user}: foreign keys and triggers would not hold for what is published"
        raise DefinitionError(what, place=place, remedy=f"ALTER ROLE {identifier(user)} RESET {_ROLE}, or the database's") from None


def retried(work: Callable[[], T]) -> T:
    """Runs a transaction again when the server broke it off to serialise it with another (deadlock, serialization)."""
    for attempt in range(1, TRIES + 1):
        try:
            return work()
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
            if attempt == TRIES:
                raise
    raise AssertionError("unreachable")
