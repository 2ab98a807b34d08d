"""What a test has go wrong: the next calls of the API, or the next jobs, whose words match."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace

from doubles.emr_serverless.errors import Refused, invalid

CALL, JOB = "call", "job"


@dataclass(frozen=True)
class Fault:
    """phase: CALL or JOB.  message, seconds: of those that have one."""

    kind: str
    phase: str
    message: str = ""
    seconds: float = 0.0

    def refusal(self) -> Refused:
        """What a call is answered with."""
        if self.kind == "throttle":
            return Refused("ThrottlingException", self.message, 429)
        if self.kind == "quota":
            return Refused("ServiceQuotaExceededException", self.message, 402)
        return Refused("InternalServerException", self.message, 500)


FAULTS = {
    fault.kind: fault
    for fault in (
        Fault("throttle", CALL, "Rate exceeded"),
        Fault("quota", CALL, "The maximum number of concurrent vCPUs of the account is reached"),
        Fault("internal", CALL, "Internal server error"),  # before anything is done
        Fault("lose_answer", CALL, "Internal server error"),  # after it is done
        Fault("queued", JOB, seconds=2),
        Fault("slow", JOB, seconds=2),
        Fault("refused", JOB, "Job failed: the service could not submit the job run to the application"),
        Fault("killed", JOB),  # the driver, before it has done anything
        Fault("lost_commit", JOB),  # the driver, after the rows are committed
    )
}


@dataclass
class _Armed:
    fault: Fault
    match: re.Pattern[str]
    left: int


class Faults:
    """The faults that wait, each for calls or jobs in which its regular expression is found."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self._lock = threading.Lock()

    def arm(self, kind: str, count: int = 1, match: str = "", **changes: str | float) -> None:
        """changes: of the kind's message or seconds."""
        if kind not in FAULTS:
            raise invalid(f"unknown fault {kind!r}; one of {', '.join(sorted(FAULTS))}")
        with self._lock:
            self._armed.append(_Armed(replace(FAULTS[kind], **changes), re.compile(match), count))  # type: ignore[arg-type]

    def disarm(self) -> None:
        with self._lock:
            self._armed.clear()

    def met(self, phase: str, words: str) -> dict[str, Fault]:
        """Those that this call or job meets, used up by it: one of each kind."""
        found: dict[str, Fault] = {}
        with self._lock:
            for one in self._armed:
                if one.fault.phase == phase and one.fault.kind not in found and one.match.search(words):
                    one.left -= 1
                    found[one.fault.kind] = one.fault
            self._armed = [one for one in self._armed if one.left > 0]
        return found
