"""What goes wrong: a call that is refused, and a query that fails, each as Athena says it.

https://docs.aws.amazon.com/athena/latest/ug/error-reference.html
"""

from __future__ import annotations

from typing import Any

SYSTEM, USER = 1, 2
# The names of Trino's errors, and the type that Athena gives them.
TYPES = {
    **{"DIVISION_BY_ZERO": 1001, "TYPE_MISMATCH": 1002, "SYNTAX_ERROR": 1006, "COLUMN_NOT_FOUND": 1006, "AMBIGUOUS_NAME": 1006},
    **{"EXPRESSION_NOT_AGGREGATE": 1006, "INVALID_CAST_ARGUMENT": 1100, "NUMERIC_VALUE_OUT_OF_RANGE": 1100},
    **{"INVALID_FUNCTION_ARGUMENT": 1106, "TABLE_NOT_FOUND": 1110, "SCHEMA_NOT_FOUND": 1110, "NOT_SUPPORTED": 1200},
    **{"FUNCTION_NOT_FOUND": 1303, "PERMISSION_DENIED": 1500, "ICEBERG_TOO_MANY_OPEN_PARTITIONS": 233, "ICEBERG_COMMIT_ERROR": 233},
    **{"GENERIC_INTERNAL_ERROR": 200, "QUERY_TIMEOUT": 206},
}
_OTHER = 1000


class Refused(Exception):
    """A call that the API answers with an error.  more: members of the error beside its message."""

    def __init__(self, code: str, message: str, status: int = 400, **more: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.more = code, message, status, more


class QueryFailed(Exception):
    """A query that ends as FAILED."""

    def __init__(self, code: str, message: str, *, category: int = USER, retryable: bool = False) -> None:
        super().__init__(f"{code}: {message}" if code else message)
        self.error = {
            "ErrorCategory": category,
            "ErrorType": TYPES.get(code, _OTHER if category == USER else 100),
            "Retryable": retryable,
            "ErrorMessage": str(self),
        }


class QueryCancelled(Exception):
    """A query that ends as CANCELLED."""


def invalid(message: str, **more: Any) -> Refused:
    return Refused("InvalidRequestException", message, **more)


def unknown(what: str) -> QueryFailed:
    """Of what this double does not know to be the same in DuckDB, which it does not guess."""
    return QueryFailed("NOT_SUPPORTED", f"{what} is not known to this double of Athena")
