"""Ends the wait for a server that neither answers nor closes its connection: its own timeouts are of no help then."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

from shared_metadata.errors import RetryLater

if TYPE_CHECKING:
    from psycopg import Connection as Session

ANSWER_SECONDS = 5.0  # between giving up a source that is silent and the deadline


class Patience:
    """A session is cut off after so many seconds; whoever waits for an answer on it then gets an error."""

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


def silent(place: str) -> RetryLater:
    remedy = "see whether it is overloaded or stopped; the batch is tried again and goes on from where it was"
    return RetryLater("the database did not answer before the call's time was up", place=place, remedy=remedy)
