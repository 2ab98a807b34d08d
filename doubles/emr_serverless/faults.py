"""What a test has go wrong: the next calls of the API, or the next jobs, whose words match."""

from __future__ import annotations

from dataclasses import dataclass

from doubles import faults
from doubles.emr_serverless.errors import Refused, invalid

CALL, JOB = "call", "job"


@dataclass(frozen=True)
class Fault(faults.Fault):
    """phase: CALL or JOB.  message, seconds: of those that have one."""

    message: str = ""
    seconds: float = 0.0

    def refusal(self) -> Refused:
        """What a call is answered with."""
        if self.kind == "throttle":
            return Refused("ThrottlingException", self.message, 429)
        if self.kind == "quota":
            return Refused("ServiceQuotaExceededException", self.message, 402)
        return Refused("InternalServerException", self.message, 500)


FAULTS = (
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


class Faults(faults.Faults[Fault]):
    """The double's."""

    def __init__(self) -> None:
        super().__init__(FAULTS, invalid)
