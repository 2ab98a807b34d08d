"""What Databricks' errors mean, without any value that a row may hold.

An error begins with its condition, `[TABLE_OR_VIEW_NOT_FOUND]`. Its words are told where they name what the statement or the catalog
does; of all else, ours. https://docs.databricks.com/aws/en/error-messages/error-classes
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from slices.organize.databricks.logic import MOVED_WORD
from slices.organize.databricks.script import ANSI_WORD, ZONE_WORD
from systems.sql_warehouse.session import MOVED

README = "the slice's README lists what that needs"
# https://docs.databricks.com/api/workspace/statementexecution/getstatement: of the service, not of the statement.
TRANSIENT_CODES = (
    "INTERNAL_ERROR",
    "TEMPORARILY_UNAVAILABLE",
    "SERVICE_UNDER_MAINTENANCE",
    "WORKSPACE_TEMPORARILY_UNAVAILABLE",
    "ABORTED",
)
_TRANSIENT = re.compile(r"DELTA_CONCURRENT_\w+|DELTA_METADATA_CHANGED|DELTA_PROTOCOL_CHANGED|\w*TRANSACTION_\w*CONFLICT\w*")
_QUERY = "mend the query"
_GRANT = f"make it, or grant it to the service principal; {README}"
# Conditions whose words quote no row, by how they begin, each with what to do.
_TOLD = {
    **dict.fromkeys(("PARSE_", "UNRESOLVED_", "DATATYPE_MISMATCH", "MISSING_AGGREGATION", "MISSING_GROUP_BY", "AMBIGUOUS_"), _QUERY),
    **dict.fromkeys(("WRONG_NUM_ARGS", "INVALID_", "UNSUPPORTED_", "NUM_COLUMNS_MISMATCH", "INSERT_COLUMN_ARITY_MISMATCH"), _QUERY),
    **dict.fromkeys(("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "NO_SUCH_CATALOG", "CATALOG_NOT_FOUND"), _GRANT),
    **dict.fromkeys(("INSUFFICIENT_PERMISSIONS", "PERMISSION_DENIED", "INSUFFICIENT_PRIVILEGES"), f"grant it; {README}"),
    **dict.fromkeys(("UC_", "UNAUTHORIZED_ACCESS", "EXTERNAL_LOCATION"), f"see the external location and its grants; {README}"),
    "TABLE_OR_VIEW_ALREADY_EXISTS": "rename what is in the way; Atoll touches nothing that it did not make",
    "DELTA_UNSUPPORTED_DATA_TYPES": "CAST the column",
    "TRANSACTION_NOT_SUPPORTED": "see that transactions are on in the workspace, and that the tables are Unity Catalog's own",
    "MULTI_STATEMENT_TRANSACTION_NOT_SUPPORTED": "have transactions (a preview) switched on in the workspace",
    "PATH_NOT_FOUND": "nothing: what was staged is gone, and the batch is made again from its source",
    "COPY_INTO_SOURCE": f"see the external location and its grants; {README}",
    "QUOTA_EXCEEDED": "raise the quota, or drop what is not needed",
}
_OURS = {
    "CAST_INVALID_INPUT": "a text is no number, or no moment",
    "CAST_OVERFLOW": "a number has more digits than its type",
    "NUMERIC_VALUE_OUT_OF_RANGE": "a number has more digits than its type",
    "ARITHMETIC_OVERFLOW": "a number has more digits than its type",
    "DIVIDE_BY_ZERO": "a number is divided by zero",
    "CANNOT_PARSE_TIMESTAMP": "a text is no moment",
    "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE": "a row is met by several of a MERGE",
    "DELTA_NOT_NULL_CONSTRAINT_VIOLATED": "a column that takes no NULL is given one",
    "DELTA_EXCEED_CHAR_VARCHAR_LIMIT": "a text is longer than its column takes",
    "SCALAR_SUBQUERY_TOO_MANY_ROWS": "a subquery gives several rows",
}
_LIMITS = {
    "DEADLINE_EXCEEDED": "have it do less, or allow it more: statement_minutes, and STATEMENT_TIMEOUT of the workspace",
    "RESOURCE_EXHAUSTED": "give the SQL warehouse more clusters, or have it do less",
}
_CONDITION = re.compile(r"\[([A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*)\]")
_NAMED = re.compile(r"`([^`]*)`")


def transient(said: str) -> bool:
    """Whether a statement failed since another one came first."""
    found = _CONDITION.search(said)
    return found is not None and bool(_TRANSIENT.match(found[1]))


def reason(code: str, said: str) -> str:
    """code: as the API has it.  said: its message."""
    if MOVED_WORD in said:
        return MOVED
    if ZONE_WORD in said:
        return "sessions of this SQL warehouse are not in UTC; set TIMEZONE in its configuration to UTC"
    if ANSI_WORD in said:
        return "sessions of this SQL warehouse are not in ANSI mode; set ANSI_MODE in its configuration to TRUE"
    found = _CONDITION.search(said)
    condition = found[1] if found else ""
    if transient(said):
        return f"another transaction has changed the same table ({condition})"
    for begins, remedy in _TOLD.items():
        if condition.startswith(begins):
            return f"{_words(said)} ({condition}; {remedy})"
    for begins, ours in _OURS.items():
        if condition.startswith(begins):
            return f"{ours} ({condition})"
    if code in _LIMITS:
        return f"it came to a limit ({code}; {_LIMITS[code]})"
    if code in TRANSIENT_CODES:
        return f"the service itself failed ({code})"
    return f"Databricks' words of error {condition or code or 'without a code'} may quote a row; its Query History shows them"


def refusal(status: int, told: Mapping[str, Any], warehouse: str) -> tuple[str, str]:
    """Cause and remedy where no statement is taken."""
    code, said = str(told.get("error_code", status)), " ".join(str(told.get("message", "")).split())[:300]
    if status == 404:
        return (
            f"Databricks has no SQL warehouse {warehouse} ({code})",
            "name another by warehouse_id; its page in the console shows it",
        )
    if status == 403:
        remedy = f"grant the service principal CAN USE on the SQL warehouse {warehouse}, and Workspace and SQL access; {README}"
        return f"Databricks lets the service principal run nothing on the SQL warehouse {warehouse} ({code})", remedy
    return (
        f"Databricks takes no statement: {said} ({code})",
        f"see that the SQL warehouse {warehouse} is started or may be, and what it says",
    )


def _words(said: str) -> str:
    """Its words as the program has the names in it."""
    words = " ".join(_CONDITION.sub("", said, count=1).partition("SQLSTATE")[0].split())
    return _NAMED.sub(lambda found: unquote(found[1]), words[:400]).strip()
