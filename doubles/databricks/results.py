"""Rows as the API writes them: every value is a text, and the types stand beside them.

https://docs.databricks.com/api/workspace/statementexecution/executestatement
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_TYPES = {
    **{"BOOLEAN": "BOOLEAN", "DOUBLE": "DOUBLE", "FLOAT": "FLOAT", "VARCHAR": "STRING", "DATE": "DATE", "BLOB": "BINARY"},
    **{"TIMESTAMP": "TIMESTAMP_NTZ", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP", "INTEGER": "INT", "BIGINT": "LONG", "HUGEINT": "LONG"},
}


def schema(columns: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """columns: each with DuckDB's type."""
    found = []
    for at, (name, kind) in enumerate(columns):
        column: dict[str, Any] = {"name": name, "position": at}
        if sizes := _DECIMAL.match(kind):
            column |= {"type_name": "DECIMAL", "type_text": kind, "type_precision": int(sizes[1]), "type_scale": int(sizes[2])}
        else:
            column |= {"type_name": _TYPES.get(kind, "STRING"), "type_text": _TYPES.get(kind, "STRING")}
        found.append(column)
    return {"column_count": len(columns), "columns": found}


def data(rows: Sequence[Sequence[Any]]) -> list[list[str | None]]:
    return [[text(value) for value in row] for row in rows]


def text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo:
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return format(value, "f") if isinstance(value, Decimal) else str(value)
