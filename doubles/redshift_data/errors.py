"""What goes wrong: a call that is refused, and a statement that fails, each as the Data API says it.

https://docs.aws.amazon.com/redshift-data/latest/APIReference/CommonErrors.html and the pages of the actions.
"""

from __future__ import annotations


class Refused(Exception):
    """A call that the API answers with an error."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class StatementFailed(Exception):
    """A statement that ends as FAILED.  message: as DescribeStatement's Error has it, without 'ERROR: '."""


class Aborted(Exception):
    """A statement that ends as ABORTED."""


def invalid(message: str) -> Refused:
    return Refused("ValidationException", message)


def unknown(what: str) -> StatementFailed:
    """Of what this double does not know to be the same in PostgreSQL, which it does not guess."""
    return StatementFailed(f"{what} is not known to this double of Redshift")


def syntax(near: str) -> StatementFailed:
    return StatementFailed(f'syntax error at or near "{near}"')
