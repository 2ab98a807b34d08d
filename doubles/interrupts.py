"""Interrupts of DuckDB that are not lost: it forgets one that comes before a statement begins, or between two."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

_AGAIN_SECONDS = 0.02


class Interrupts:
    """Interrupts what runs at a connection, once it is asked to, again and again until it ends."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection, self._lock, self._within = connection, threading.Lock(), False
        self.asked, self._ended = threading.Event(), threading.Event()

    def ask(self) -> None:
        self.asked.set()
        threading.Thread(target=self._repeat, name="interrupts", daemon=True).start()

    def end(self) -> None:
        """Is called before the connection is closed."""
        with self._lock:
            self._within = False
        self._ended.set()

    @contextmanager
    def apply(self) -> Iterator[None]:
        """What runs in here is interrupted; what comes before and afterwards, such as a ROLLBACK, is not."""
        self._set(True)
        try:
            yield
        finally:
            self._set(False)

    def _set(self, within: bool) -> None:
        with self._lock:
            self._within = within

    def _repeat(self) -> None:
        while not self._ended.wait(_AGAIN_SECONDS):
            with self._lock:
                if self._within:
                    self._connection.interrupt()
