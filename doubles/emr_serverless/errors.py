"""Calls that the API refuses: https://docs.aws.amazon.com/emr-serverless/latest/APIReference/CommonErrors.html"""

from __future__ import annotations


class Refused(Exception):
    """A call that the API answers with an error."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def invalid(message: str) -> Refused:
    return Refused("ValidationException", message)


def not_found(message: str) -> Refused:
    return Refused("ResourceNotFoundException", message, 404)


def conflict(message: str) -> Refused:
    return Refused("ConflictException", message, 409)
