"""What a test has go wrong: the next calls of the API, or the next statements, whose words match."""

from __future__ import annotations

from dataclasses import dataclass

from doubles import faults
from doubles.snowflake.errors import Refused, StatementFailed

CALL, STATEMENT = "call", "statement"


@dataclass(frozen=True)
class Fault(faults.Fault):
    """phase: CALL or STATEMENT.  code, state, message: as Snowflake says it."""

    code: str = "000604"
    state: str = "57014"
    message: str = "SQL execution canceled"
    status: int = 503
    seconds: float = 0.0

    def refusal(self) -> Refused:
        return Refused(self.status, self.code, self.message)

    def end(self) -> StatementFailed:
        return StatementFailed(self.code, self.state, self.message)


FAULTS = (
    Fault("refuse", CALL),
    Fault("lose_answer", CALL),  # after it is done
    Fault("slow", STATEMENT, seconds=2),
    Fault("fail", STATEMENT),
    Fault("lost_commit", STATEMENT),  # after all of it has run
    Fault("stops_inside", STATEMENT),  # all but the COMMIT has run
)


class Faults(faults.Faults[Fault]):
    """The double's."""

    def __init__(self) -> None:
        super().__init__(FAULTS)
