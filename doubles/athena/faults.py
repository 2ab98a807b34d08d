"""What a test has go wrong: the next calls of the API, or the next queries, whose words match."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace
from typing import Any

from doubles.athena.errors import SYSTEM, QueryCancelled, QueryFailed, Refused, invalid

CALL, QUERY = "call", "query"


@dataclass(frozen=True)
class Fault:
    """phase: CALL or QUERY.  message, seconds: of those that have one."""

    kind: str
    phase: str
    message: str = ""
    seconds: float = 0.0

    def refusal(self) -> Refused:
        """What a call is answered with."""
        if self.kind == "too_many_requests":
            return Refused("TooManyRequestsException", self.message, Reason="CONCURRENT_QUERY_LIMIT_EXCEEDED")
        if self.kind == "throttle":
            return Refused("ThrottlingException", self.message)
        return invalid(self.message) if self.kind == "refuse" else Refused("InternalServerException", self.message, 500)

    def end(self) -> Exception:
        """How a query ends."""
        if self.kind == "cancel":
            return QueryCancelled(self.message)
        if self.kind in ("transient", "lost_commit"):
            return QueryFailed("", self.message, category=SYSTEM, retryable=True)
        return QueryFailed("ICEBERG_COMMIT_ERROR" if self.kind == "conflict" else "GENERIC_USER_ERROR", self.message)


_INTERNAL = "Query failed with error code: INTERNAL_SERVER_ERROR. Please try again."
_MANY = "You have exceeded the limit for the number of queries you can run concurrently. Reduce the number of concurrent queries submitted by this account."  # noqa: E501
FAULTS = {
    fault.kind: fault
    for fault in (
        Fault("refuse", CALL, "the call is refused"),
        Fault("too_many_requests", CALL, _MANY),
        Fault("throttle", CALL, "Rate exceeded"),
        Fault("internal", CALL, "Internal server error"),  # before anything is done
        Fault("lose_answer", CALL, "Internal server error"),  # after it is done
        Fault("queued", QUERY, seconds=2),
        Fault("slow", QUERY, seconds=2),
        Fault("transient", QUERY, _INTERNAL),
        Fault("fail", QUERY, "the query fails"),
        Fault("cancel", QUERY, "Query cancelled by user"),
        Fault("conflict", QUERY, "Failed to commit Iceberg update to table"),
        Fault("lost_commit", QUERY, _INTERNAL),  # after the rows are committed
    )
}


@dataclass
class _Armed:
    fault: Fault
    match: re.Pattern[str]
    left: int


class Faults:
    """The faults that wait, each for calls or queries in which its regular expression is found."""

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

    def met(self, phase: str, words: str) -> list[Fault]:
        """Those that this call or query meets, used up by it: one of each kind."""
        found: dict[str, Fault] = {}
        with self._lock:
            for one in self._armed:
                if one.fault.phase == phase and one.fault.kind not in found and one.match.search(words):
                    one.left -= 1
                    found[one.fault.kind] = one.fault
            self._armed = [one for one in self._armed if one.left > 0]
        return [*found.values()]
