"""Ends the wait for a server that neither answers nor closes its connection: its own timeouts are of no help then."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection as Session


class Watchdog:
    """Cuts a session off after so many seconds; whoever waits for an answer on it then gets an error."""

    def __init__(self, session: Session[Any], seconds: float) -> None:
        self._session, self.ended = session, False
        self._timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self._end)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        import psycopg

        self.ended = True
        with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self._session.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)
