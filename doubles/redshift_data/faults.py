"""What a test has go wrong: the next calls of the API, or the next statements, whose words match."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace
from typing import Any

from doubles.redshift_data.errors import Aborted, Refused, StatementFailed, invalid

CALL, STATEMENT = "call", "statement"


@dataclass(frozen=True)
class Fault:
    """phase: CALL or STATEMENT.  message, seconds: of those that have one."""

    kind: str
    phase: str
    message: str = ""
    seconds: float = 0.0

    def refusal(self) -> Refused:
        """What a call is answered with."""
        if self.kind == "too_many":
            return Refused("ActiveStatementsExceededException", self.message)
        if self.kind == "throttle":
            return Refused("ThrottlingException", self.message)
        return invalid(self.message) if self.kind == "refuse" else Refused("InternalServerException", self.message, 500)

    def end(self) -> Exception:
        """How a statement ends."""
        return Aborted(self.message) if self.kind == "abort" else StatementFailed(self.message)


_INTERNAL = "Internal server error"
FAULTS = {
    fault.kind: fault
    for fault in (
        Fault("refuse", CALL, "the call is refused"),
        Fault("too_many", CALL, "Active statements exceeded the allowed quota (500)."),
        Fault("throttle", CALL, "Rate exceeded"),
        Fault("internal", CALL, _INTERNAL),  # before anything is done
        Fault("lose_answer", CALL, _INTERNAL),  # after it is done
        Fault("queued", STATEMENT, seconds=2),
        Fault("slow", STATEMENT, seconds=2),
        Fault("fail", STATEMENT, "the statement fails"),
        Fault("abort", STATEMENT, "Query cancelled on user's request"),
        Fault("lost_commit", STATEMENT, "connection to the database was lost"),  # after it is committed
        Fault("conflict", STATEMENT, "1023"),  # as if another writer of its table had committed meanwhile
        Fault("stops_inside", STATEMENT, "the statement fails"),  # all of it has run, and it is rolled back
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
        """changes: of the kind's message or seconds."""
        if kind not in FAULTS:
            raise invalid(f"unknown fault {kind!r}; one of {', '.join(sorted(FAULTS))}")
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
