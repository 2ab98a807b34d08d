"""What Salesforce's refusals mean, by their errorCode; of their texts, which quote values, only known sentences are shown."""

from __future__ import annotations

import re

from shared_metadata.errors import DefinitionError

# REST API Developer Guide, "Status Codes and Error Responses"; SOAP API Developer Guide, "ExceptionCode".
RETRIED_CODES = frozenset({"REQUEST_LIMIT_EXCEEDED", "SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW", "UNKNOWN_EXCEPTION"})
REMEDIES = {
    "INVALID_TYPE": "the object is gone or the user may not read it: change the program, or grant the permission",
    "NOT_FOUND": "the object is gone or the user may not read it: change the program, or grant the permission",
    "INVALID_FIELD": "a field is gone or the user may not read it: change the program, or grant field-level security",
    "INVALID_QUERY_FILTER_OPERATOR": "compare the filter's values with the fields' types",
    "MALFORMED_QUERY": "write the statement's query as SOQL has it",
    "API_DISABLED_FOR_ORG": "enable the API for the integration user",
    "QUERY_TIMEOUT": "filter by an indexed field, or lower bulk_threshold_rows",
    "UNSUPPORTED_API_VERSION": "set api_version in the connection",
    "HTTP 414": "select fewer fields, or shorten the filter: the object is one that the Bulk API does not know",
}
_CODE = re.compile(r"[A-Z][A-Za-z0-9_]{2,60}|HTTP \d{3}")
# A query's mistake, at the text's very end, behind all of the query that it shows; names of fields and objects are no values.
_MISTAKE = re.compile(
    r"""(?:\A|\nERROR\ at\ Row:\d+:Column:\d+\s)\s*
    (No\ such\ (?:column|relation)\ '\w{1,80}'\ on\ (?:entity|sobject)\ '\w{1,80}'
    |sObject\ type\ '\w{1,80}'\ is\ not\ (?:supported|replicateable)
    |[Ff]ield\ '?\w{1,80}'?\ can\ ?not\ be\ (?:filtered|sorted|grouped)\ in\ (?:a\ )?query\ call)\.?
    (?:\ If\ you\ are\ attempting\ to\ use\ a\ custom\ (?:field|object),\ be\ sure\ to\ append\ the\ '__c'
    \ after\ the\ (?:custom\ field|entity)\ name\.\ Please\ reference\ your\ WSDL\ or\ the\ describe\ call
    \ for\ the\ appropriate\ names\.)?\s*\Z""",
    re.VERBOSE,
)
_SENTENCES = frozenset(
    {
        "query timed out",
        "Your query request was running for too long.",
        "The REST API is not enabled for this Organization.",
        "Aggregate queries not supported in Bulk Query",
        "Selecting compound data not supported in Bulk Query",
        "OFFSET not supported in Bulk Query",
    }
)
# RFC 6749, section 5.2, and Help, "OAuth 2.0 Authorization Errors".
_OAUTH_ERROR = re.compile(r"[a-z]{2,}(?:_[a-z]+)*")
_OAUTH_SENTENCES = frozenset(
    {
        *("audience is invalid", "assertion expired", "invalid assertion", "invalid client credentials", "client identifier invalid"),
        *("user hasn't approved this consumer", "expired access/refresh token", "authentication failure", "inactive user"),
        *("inactive organization", "IP restricted or invalid login hours", "no valid scopes defined", "grant type not supported"),
        *("expired authorization code", "invalid authorization code", "no client credentials user enabled", "token validity expired"),
        *("request not supported on this domain", "user is not admin approved to access this app"),
    }
)


class Refused(DefinitionError):
    """Salesforce's answer is an error that a retry cannot help; `code` is its errorCode."""

    def __init__(self, code: str, text: str, status: int, place: str) -> None:
        self.code = code or f"HTTP {status}"
        remedy = REMEDIES.get(self.code, "change the program or the user's permissions")
        super().__init__(f"Salesforce answered {told(self.code, text)}", place=place, remedy=remedy)


def told(code: str, text: str) -> str:
    """An error as it may be shown: its code, and its text where that is a known sentence."""
    shown, mistake = code if _CODE.fullmatch(code) else "an error", _MISTAKE.search(text)
    said = mistake[1] if mistake else text if text in _SENTENCES else ""
    return f"{shown}: {said}" if said else shown


def told_of_job(text: str) -> str:
    """The reason, as it may be shown, why a Bulk job has failed, 'INVALID_FIELD: …'."""
    code, _, more = text.partition(": ")
    return told(code, more)


def told_of_login(error: str, description: str, status: int) -> str:
    """The reason, as it may be shown, why credentials are refused."""
    shown = error if _OAUTH_ERROR.fullmatch(error) else f"HTTP {status}"
    return f"{shown}: {description}" if description in _OAUTH_SENTENCES else shown
