"""What a test has go wrong: the next calls of the API, or the next statements, whose words match."""

from __future__ import annotations

from dataclasses import dataclass

from doubles import faults
from doubles.databricks.errors import Refused, StatementFailed

CALL, STATEMENT = "call", "statement"


@dataclass(frozen=True)
class Fault(faults.Fault):
    """phase: CALL or STATEMENT.  condition, code, message: as Databricks says it."""

    condition: str = ""
    code: str = "TEMPORARILY_UNAVAILABLE"
    message: str = "The service is temporarily unavailable."
    status: int = 503
    seconds: float = 0.0

    def refusal(self) -> Refused:
        return Refused(self.status, self.code, self.message)

    def end(self) -> StatementFailed:
        return StatementFailed(self.condition, self.message, code=self.code)


FAULTS = (
    Fault("refuse", CALL),
    Fault("lose_answer", CALL),  # after it is done
    Fault("slow", STATEMENT, seconds=2),
    Fault("fail", STATEMENT),
    Fault("lost_commit", STATEMENT, code="INTERNAL_ERROR"),  # after all of it has run
    Fault("stops_inside", STATEMENT, code="INTERNAL_ERROR"),  # all of a transaction but its end has run
    Fault("conflict", STATEMENT, "DELTA_CONCURRENT_APPEND.ROW_LEVEL_CHANGES", "BAD_REQUEST", "Transaction conflict detected."),
)


class Faults(faults.Faults[Fault]):
    """The double's."""

    def __init__(self) -> None:
        super().__init__(FAULTS)
