"""What a test has go wrong: the next calls of the API, or the next queries, whose words match."""

from __future__ import annotations

from dataclasses import dataclass

from doubles import faults
from doubles.athena.errors import SYSTEM, QueryCancelled, QueryFailed, Refused, invalid

CALL, QUERY = "call", "query"


@dataclass(frozen=True)
class Fault(faults.Fault):
    """phase: CALL or QUERY.  message, seconds: of those that have one."""

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
TOO_MANY = Fault("too_many_requests", CALL, _MANY)
FAULTS = (
    Fault("refuse", CALL, "the call is refused"),
    TOO_MANY,
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


class Faults(faults.Faults[Fault]):
    """The double's."""

    def __init__(self) -> None:
        super().__init__(FAULTS, invalid)
