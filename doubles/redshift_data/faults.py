"""What a test has go wrong: the next calls of the API, or the next statements, whose words match."""

from __future__ import annotations

from dataclasses import dataclass

from doubles import faults
from doubles.redshift_data.errors import Aborted, Refused, StatementFailed, invalid

CALL, STATEMENT = "call", "statement"


@dataclass(frozen=True)
class Fault(faults.Fault):
    """phase: CALL or STATEMENT.  message, seconds: of those that have one."""

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
FAULTS = (
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


class Faults(faults.Faults[Fault]):
    """The double's."""

    def __init__(self) -> None:
        super().__init__(FAULTS, invalid)
