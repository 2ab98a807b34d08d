"""One request to the API as the resources see it, and what they answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from doubles.salesforce.errors import SalesforceError
from doubles.salesforce.results import ResultPage
from doubles.salesforce.traffic import Fault

VERSIONS = [f"{number}.0" for number in range(50, 67)]


@dataclass(frozen=True)
class Call:
    """One request to the API: the parts of its path, its query string, headers and body."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    fault: Fault = field(default_factory=Fault)

    @property
    def version(self) -> str:
        """The version in the path, such as `v60.0`."""
        return self.path["version"]

    def json(self) -> dict[str, Any]:
        """The body's JSON object."""
        try:
            parsed = json.loads(self.body)
        except ValueError as error:
            raise SalesforceError(400, "JSON_PARSER_ERROR", f"Unexpected character at {error}") from None
        if not isinstance(parsed, dict):
            raise SalesforceError(400, "JSON_PARSER_ERROR", "The HTTP entity body must be a JSON object")
        return parsed


@dataclass(frozen=True)
class Answer:
    """What a resource answers: a status and JSON, nothing, a page of a result file, or a text in CSV."""

    json: Any = None
    status: int = 200
    page: ResultPage | None = None
    text: str | None = None
