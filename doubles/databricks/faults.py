"""What a test has go wrong: the next calls of the API, or the next statements, whose words match."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace
from typing import Any

from doubles.databricks.errors import Refused, StatementFailed

CALL, STATEMENT = "call", "statement"


@dataclass
class Fault:
    """phase: CALL or STATEMENT.  condition, code, message: as Databricks says it.  match: what its words hold.  left: so often."""

    kind: str
    phase: str
    condition: str = ""
    code: str = "TEMPORARILY_UNAVAILABLE"
    message: str = "The service is temporarily unavailable."
    status: int = 503
    seconds: float = 0.0
    match: str = ""
    left: int = 1

    def refusal(self) -> Refused:
        return Refused(self.status, self.code, self.message)

    def end(self) -> StatementFailed:
        return StatementFailed(self.condition, self.message, code=self.code)


FAULTS = {
    fault.kind: fault
    for fault in (
        Fault("refuse", CALL),
        Fault("lose_answer", CALL),  # after it is done
        Fault("slow", STATEMENT, seconds=2),
        Fault("fail", STATEMENT),
        Fault("lost_commit", STATEMENT, code="INTERNAL_ERROR"),  # after all of it has run
        Fault("stops_inside", STATEMENT, code="INTERNAL_ERROR"),  # all of a transaction but its end has run
        Fault("conflict", STATEMENT, "DELTA_CONCURRENT_APPEND.ROW_LEVEL_CHANGES", "BAD_REQUEST", "Transaction conflict detected."),
    )
}


class Faults:
    """The faults that wait, each for calls or statements in which its regular expression is found."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []
        self._lock = threading.Lock()

    def arm(self, kind: str, count: int = 1, match: str = "", **changes: Any) -> None:
        with self._lock:
            self._armed.append(replace(FAULTS[kind], left=count, match=match, **changes))

    def disarm(self) -> None:
        with self._lock:
            self._armed.clear()

    def met(self, phase: str, words: str) -> dict[str, Fault]:
        """Those that this call or statement meets, used up by it: one of each kind, by kind."""
        found: dict[str, Fault] = {}
        with self._lock:
            for one in self._armed:
                if one.phase == phase and one.kind not in found and re.search(one.match, words):
                    one.left -= 1
                    found[one.kind] = one
            self._armed = [one for one in self._armed if one.left > 0]
        return found
