"""What a test has go wrong: the next calls of the API, or the next statements, whose words match."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace
from typing import Any

from doubles.snowflake.errors import Refused, StatementFailed

CALL, STATEMENT = "call", "statement"


@dataclass(frozen=True)
class Fault:
    """phase: CALL or STATEMENT.  code, state, message: as Snowflake says it."""

    kind: str
    phase: str
    code: str = "000604"
    state: str = "57014"
    message: str = "SQL execution canceled"
    status: int = 503
    seconds: float = 0.0

    def refusal(self) -> Refused:
        return Refused(self.status, self.code, self.message)

    def end(self) -> StatementFailed:
        return StatementFailed(self.code, self.state, self.message)


FAULTS = {
    fault.kind: fault
    for fault in (
        Fault("refuse", CALL),
        Fault("lose_answer", CALL),  # after it is done
        Fault("slow", STATEMENT, seconds=2),
        Fault("fail", STATEMENT),
        Fault("lost_commit", STATEMENT),  # after all of it has run
        Fault("stops_inside", STATEMENT),  # all but the COMMIT has run
    )
}


@dataclass
class _Armed:
    fault: Fault
    match: re.Pattern[str]
    left: int


class Faults:
    """The faults that wait, each for calls or statements in which its regular expression is found."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self._lock = threading.Lock()

    def arm(self, kind: str, count: int = 1, match: str = "", **changes: Any) -> None:
        with self._lock:
            self._armed.append(_Armed(replace(FAULTS[kind], **changes), re.compile(match), count))

    def disarm(self) -> None:
        with self._lock:
            self._armed.clear()

    def met(self, phase: str, words: str) -> dict[str, Fault]:
        """Those that this call or statement meets, used up by it: one of each kind, by kind."""
        found: dict[str, Fault] = {}
        with self._lock:
            for one in self._armed:
                if one.fault.phase == phase and one.fault.kind not in found and one.match.search(words):
                    one.left -= 1
                    found[one.fault.kind] = one.fault
            self._armed = [one for one in self._armed if one.left > 0]
        return found
