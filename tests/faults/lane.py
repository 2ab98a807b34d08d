"""What runs behind one pair of doors: one function at a time, so a call that comes through one is that function's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Protocol

from tests.faults.faults import CLOCKS, PAUSES, Invocation, Kind

HOST = "127.0.0.1"
SLOW_MS = 300


class Strikes(Protocol):
    """What decides what a call meets."""

    def strike(self, invocation: Invocation, operation: str) -> Kind | None:
        """What this call of the invocation meets."""


class Lane:
    """What runs behind one pair of doors.

    told: is called from the doors' thread with what the run itself has to do: pauses, jumps of the clock, the machine's end.
    """

    def __init__(self, schedule: Strikes, told: Callable[[Kind, Invocation], None]) -> None:
        self._schedule, self.told = schedule, told
        self._standing: dict[int, asyncio.Event] = {}
        self.invocation: Invocation | None = None
        self.aws_port = self.postgres_port = 0

    def strike(self, operation: str) -> tuple[Kind | None, Invocation | None]:
        invocation = self.invocation
        if invocation is None:
            return None, None
        kind = self._schedule.strike(invocation, operation)
        if kind in (*PAUSES, *CLOCKS, Kind.MACHINE, Kind.CHANGED):
            self.told(kind, invocation)
        return kind, invocation

    async def pause(self, invocation: Invocation) -> None:
        """Until the process is woken."""
        woken = self._standing.setdefault(invocation.pid, asyncio.Event())
        send_signal(invocation.pid, signal.SIGSTOP)
        await woken.wait()

    def wake(self, pid: int) -> None:
        """To be called on the doors' loop."""
        send_signal(pid, signal.SIGCONT)
        if standing := self._standing.pop(pid, None):
            standing.set()


def send_signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
