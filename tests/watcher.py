"""Somebody who reads the same thing again and again while a test goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

State = TypeVar("State")


class Watcher(threading.Thread, Generic[State]):
    """Keeps each state that `read` gave, in order, and the one at its stop; the same one after another once."""

    def __init__(self, read: Callable[[], State], pause_seconds: float = 0) -> None:
        super().__init__(daemon=True)
        self._read, self._pause_seconds, self._end = read, pause_seconds, threading.Event()
        self._seen: list[State] = []
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            ends = False
            while not ends:
                ends = self._end.wait(self._pause_seconds)
                state = self._read()
                if not self._seen or state != self._seen[-1]:
                    self._seen.append(state)
        except Exception as error:
            self._error = error

    def stop(self) -> list[State]:
        self._end.set()
        self.join()
        assert self._error is None, self._error
        return self._seen
