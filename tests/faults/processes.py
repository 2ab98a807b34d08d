"""Functions in processes of their own, as Lambda runs them: warm until they die, and they die of SIGKILL."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any

MODULE = "tests.faults.functions"
LOST = "Runtime.ExitError"  # how Lambda names the end of a process
TIMED_OUT = "Sandbox.Timedout"
LONGEST_SECONDS = 60.0


class FunctionError(Exception):
    """An invocation that failed: `name` is what a state machine matches."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name, self.message = name, message


def _forked(calls: Connection, slice_id: str, variables: Mapping[str, str]) -> None:
    from tests.faults import functions

    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    functions.serve(calls, slice_id, variables)


class Function:
    """The functions of one slice, in one process at a time."""

    def __init__(self, slice_id: str, variables: Mapping[str, str]) -> None:
        self.slice_id = slice_id
        self._calls, theirs = context().Pipe()
        self._process = context().Process(target=_forked, args=(theirs, slice_id, dict(variables)), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        return int(self._process.pid or 0)

    def send(self, step: str, event: Mapping[str, Any], now: datetime) -> None:
        self._calls.send((step, event, now, uuid.uuid4().hex))

    def answer(self, seconds: float = LONGEST_SECONDS, given_up: Callable[[], bool] = lambda: False) -> Any:
        """Raises FunctionError: of the handler, of a process that died, or of one that takes too long or is `given_up`."""
        deadline = time.monotonic() + seconds
        try:
            while not self._calls.poll(0.05):
                if given_up() or time.monotonic() > deadline:
                    raise FunctionError(TIMED_OUT, "no answer in time")
            kind, value = self._calls.recv()
        except (EOFError, ConnectionResetError):
            raise FunctionError(LOST, "the process has ended") from None
        if kind == "error":
            raise FunctionError(*value)
        return value

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._calls.close()
        self._process.join(5)


def context() -> multiprocessing.context.ForkServerContext:
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([MODULE])
    return found
