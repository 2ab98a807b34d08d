"""Why Salesforce refuses a record, as it may be shown: its status code, and the names of fields. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

# SOAP API Developer Guide, "StatusCode": what the same record may do later.
FOR_THE_MOMENT = frozenset(
    {"UNABLE_TO_LOCK_ROW", "REQUEST_LIMIT_EXCEEDED", "SERVER_UNAVAILABLE", "TXN_SECURITY_METERING_ERROR", "UNKNOWN_EXCEPTION"}
)
GONE = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"})
_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,80}")
_FIELD = re.compile(r"[A-Za-z]\w{0,79}", re.ASCII)


def code_of(errors: Sequence[Mapping[str, Any]]) -> str:
    """The status code of the first of a result's errors."""
    code = str(errors[0].get("statusCode", "")) if errors else ""
    return code if _CODE.fullmatch(code) else "an error"


def reason_of(errors: Sequence[Mapping[str, Any]]) -> str:
    """The words for a result's errors: 'REQUIRED_FIELD_MISSING (LastName)'."""
    return "; ".join(dict.fromkeys(_reason(str(one.get("statusCode", "")), one.get("fields") or ()) for one in errors)) or "an error"


def read_error(text: str, known: Collection[str]) -> dict[str, Any]:
    """An error as collections have it, of a Bulk job's text, 'REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --'.

    known: names of fields in lower case; what is none of these may be a part of its words, which quote values.
    """
    code, fields = text.partition(":")[0], text.removesuffix("--").rstrip().rpartition(":")[2]
    return {"statusCode": code, "fields": [name for name in map(str.strip, fields.split(",")) if name.lower() in known]}


def _reason(code: str, fields: Sequence[str]) -> str:
    named = [name for name in fields if _FIELD.fullmatch(str(name))]
    return (code if _CODE.fullmatch(code) else "an error") + (f" ({', '.join(named)})" if named else "")
