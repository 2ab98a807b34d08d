"""What a test has go wrong with the next tasks."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
PULL = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found"
ROUTE = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: i/o timeout"


@dataclass(frozen=True)
class Fault:
    """phase: RunTask is refused ('run'), the task does not begin ('start'), its process meets it ('process'), its end is not told to
    the state machine ('answer').  seconds: after its beginning."""

    kind: str
    phase: str
    reason: str = ""
    seconds: float = 0.0


FAULTS = {
    fault.kind: fault
    for fault in (
        Fault("capacity", "run", CAPACITY),
        Fault("image", "start", PULL),
        Fault("route", "start", ROUTE),
        Fault("killed", "process"),
        Fault("slow", "process", seconds=5),  # its process stands still for so long, before it does anything
        Fault("lose_answer", "answer", "Service Unavailable"),
    )
}


class Faults:
    """The faults that wait, each for so many tasks."""

    def __init__(self) -> None:
        self._armed, self._lock = list[list[object]](), threading.Lock()

    def arm(self, kind: str, count: int = 1, **changes: float) -> None:
        with self._lock:
            self._armed.append([replace(FAULTS[kind], **changes), count])  # type: ignore[arg-type]

    def disarm(self) -> None:
        with self._lock:
            self._armed.clear()

    def met(self, phase: str) -> Fault | None:
        """The first that waits for this phase; it waits for one task fewer then."""
        with self._lock:
            for armed in self._armed:
                fault, left = armed
                if isinstance(fault, Fault) and fault.phase == phase and isinstance(left, int) and left > 0:
                    armed[1] = left - 1
                    return fault
        return None
