"""Connects to PostgreSQL, with a session in which no setting of the server's decides, and runs transactions again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import psycopg

from shared_metadata.contract.runtime.deadline import Deadline
from systems.postgres import sessions
from systems.postgres.address import Address

LOCK_SECONDS = 15
IDLE_SECONDS = 60.0  # in a transaction, between two statements: then its worker is gone, and what it locked is free again
TRIES = 4
T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]


def connect(address: Address, place: str, reference: str, deadline: Deadline) -> Connection:
    """A settled session that gives up when the step must end. Raises SecretError or RetryLater."""
    connection = sessions.connect(address, reference=reference, place=place)
    limit_ms = max(1000, int(deadline.seconds_left * 1000))
    limits = {"statement_timeout": limit_ms, "lock_timeout": int(LOCK_SECONDS * 1000)}
    limits |= {"idle_in_transaction_session_timeout": int(IDLE_SECONDS * 1000)}
    connection.execute(sessions.settling({name: str(milliseconds) for name, milliseconds in limits.items()}))
    return connection


def retried(work: Callable[[], T]) -> T:
    """Runs a transaction again when the server broke it off to serialise it with another (deadlock, serialization)."""
    for attempt in range(1, TRIES + 1):
        try:
            return work()
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
            if attempt == TRIES:
                raise
    raise AssertionError("unreachable")
