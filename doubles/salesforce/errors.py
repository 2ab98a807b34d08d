"""The errors that the double answers, in Salesforce's JSON shape."""

from typing import Any


class SalesforceError(Exception):
    """One refused request: HTTP status, error code, message, and the fields it is about.

    The body's shape is that of the REST API Developer Guide, "Status Codes and Error Responses".
    """

    def __init__(self, status: int, code: str, message: str, fields: list[str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields

    def body(self) -> list[dict[str, Any]]:
        """The JSON body: a list of one error."""
        error: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            error["fields"] = self.fields
        return [error]


class OAuthError(Exception):
    """A refused token request, answered with status 400 and `error` and `error_description`."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description

    def body(self) -> dict[str, Any]:
        """The JSON body of RFC 6749, section 5.2."""
        return {"error": self.error, "error_description": self.description}


def not_found(message: str = "The requested resource does not exist") -> SalesforceError:
    """The 404 that an unknown path, object, job or record gets."""
    return SalesforceError(404, "NOT_FOUND", message)
