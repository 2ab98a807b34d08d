"""States of a database that can be asked for by their number (SCN): PostgreSQL's exported snapshots, of which the newest are kept."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from typing import Any

import psycopg

from doubles.oracle.databases import Databases
from doubles.oracle.errors import OracleError

KEPT = 6  # of a database; the undo of a real one keeps as much as its space and UNDO_RETENTION let it
FIRST_NUMBER = 1_000_000


class States:
    """Of all databases of a double."""

    def __init__(self, databases: Databases) -> None:
        self._databases, self._lock = databases, threading.Lock()
        self._numbers = itertools.count(FIRST_NUMBER)
        self._kept: dict[str, OrderedDict[int, tuple[psycopg.Connection[Any], str]]] = {}

    def newest(self, database: str) -> int:
        """The number of the state that there is now."""
        session = self._databases.connect(database)
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        ((name,),) = session.execute("SELECT pg_export_snapshot()").fetchall()
        with self._lock:
            kept = self._kept.setdefault(database, OrderedDict())
            number = next(self._numbers)
            kept[number] = (session, name)
            while len(kept) > KEPT:
                kept.popitem(last=False)[1][0].close()
        return number

    def enter(self, session: psycopg.Connection[Any], database: str, number: int) -> None:
        """Lets a session, in no transaction, see a state. Raises OracleError for one that has left the undo, or is still to come."""
        with self._lock:
            kept = self._kept.get(database, OrderedDict())
            if number not in kept:
                if number >= next(iter(reversed(kept)), FIRST_NUMBER):
                    raise OracleError(8181, "specified number is not a valid system change number")
                raise OracleError(1555, 'snapshot too old: rollback segment number 1 with name "_SYSSMU1$" too small')
            name = kept[number][1]
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            session.execute(f"SET TRANSACTION SNAPSHOT '{name}'")  # type: ignore[arg-type]

    def forget(self, database: str) -> None:
        """As when the undo was needed for others."""
        with self._lock:
            for session, _ in self._kept.pop(database, OrderedDict()).values():
                session.close()
