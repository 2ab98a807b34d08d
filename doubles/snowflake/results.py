"""Rows as the SQL API writes them: every value is a text, and the types stand beside them.

https://docs.snowflake.com/en/developer-guide/sql-api/handling-responses
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

_EPOCH, _DAY = datetime(1970, 1, 1), date(1970, 1, 1)
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_TYPES = {
    **{"BOOLEAN": "boolean", "DOUBLE": "real", "FLOAT": "real", "VARCHAR": "text", "DATE": "date", "TIME": "time"},
    **{"TIMESTAMP": "timestamp_ntz", "TIMESTAMP WITH TIME ZONE": "timestamp_ltz", "BLOB": "binary", "JSON": "variant"},
}


def row_type(columns: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """columns: each with DuckDB's type."""
    found = []
    for name, kind in columns:
        sizes = _DECIMAL.match(kind)
        precision, scale = (int(sizes[1]), int(sizes[2])) if sizes else (38, 0)
        word = "fixed" if sizes else _TYPES.get(kind, "fixed" if "INT" in kind else "variant")
        found.append({"name": name, "type": word, "nullable": True, "precision": precision, "scale": scale})
    return found


def data(rows: Sequence[Sequence[Any]]) -> list[list[str | None]]:
    return [[_text(value) for value in row] for row in rows]


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        gone = value.astimezone(UTC).replace(tzinfo=None) - _EPOCH if value.tzinfo else value - _EPOCH
        return f"{gone.days * 86_400 + gone.seconds}.{gone.microseconds:06d}000"
    if isinstance(value, date):
        return str((value - _DAY).days)
    if isinstance(value, time):
        return f"{value.hour * 3600 + value.minute * 60 + value.second}.{value.microsecond:06d}000"
    if isinstance(value, bytes):
        return value.hex().upper()
    return format(value, "f") if isinstance(value, Decimal) else str(value)
