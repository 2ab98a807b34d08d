"""Results as Athena keeps them in S3 and hands them out: texts in CSV, an empty field for NULL, and pages of rows.

https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html
"""

from __future__ import annotations

import datetime as dt
import json
import re
import struct
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from doubles.athena.kinds import ZONED, plain, zone_of
from doubles.athena.limits import MOST_ROWS_A_PAGE
from doubles.athena.scope import Column
from shared_metadata.program.type_names import TypeName as Kind

_FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|)([,\n])')
_DIGITS = {"boolean": 0, "tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19, "float": 17, "double": 17, "date": 0}
_TEXT_DIGITS = 2147483647


def csv_of(columns: Sequence[Column], rows: pa.Table) -> str:
    """With a header line; every value in quotes, NULL without."""
    lines = [_line([column.name for column in columns])]
    kinds = [column.value.kind for column in columns]
    for batch in rows.to_batches():
        values = [_plain(column).to_pylist() for column in batch.columns]
        lines += [_line([_text(value, kind) for value, kind in zip(row, kinds, strict=True)]) for row in zip(*values, strict=True)]
    return "".join(lines)


def _plain(column: pa.Array) -> pa.Array:
    """Moments of a zone, all of which are UTC here, without it: Python would want to know it."""
    return column.cast(pa.timestamp("us")) if pa.types.is_timestamp(column.type) else column


def _line(texts: Sequence[str | None]) -> str:
    return ",".join("" if text is None else '"' + text.replace('"', '""') + '"' for text in texts) + "\n"


def rows_of(csv: str) -> list[list[str | None]]:
    """The lines of such a CSV, the header first."""
    rows: list[list[str | None]] = []
    row: list[str | None] = []
    for found in _FIELD.finditer(csv):
        row.append(found[1].replace('""', '"') if found[1] is not None else None)
        if found[2] == "\n":
            rows.append(row)
            row = []
    return rows


def _text(value: Any, kind: Kind) -> str | None:
    if value is None:
        return None
    if kind.word in ("real", "double"):
        return java_number(value, single=kind.word == "real")
    zone = zone_of(kind)
    if zone or kind.word in ("timestamp", ZONED):
        value = value.astimezone(ZoneInfo(zone)) if zone else value
        digits = kind.sizes[0]
        fraction = f".{value.microsecond:06d}"[: digits + 1] if digits else ""
        return f"{value:%Y-%m-%d %H:%M:%S}{fraction}" + (f" {zone}" if zone else " UTC" if kind.word == ZONED else "")
    if isinstance(value, dt.time):
        return f"{value:%H:%M:%S}.{value.microsecond:06d}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes) and kind.word == "varbinary":
        return " ".join(f"{byte:02x}" for byte in value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    return _nested(value, kind) if kind.parts else str(value)


def _nested(value: Any, kind: Kind) -> str:
    """https://docs.aws.amazon.com/athena/latest/ug/rows-and-structs.html: [a, b], {k=v}"""

    def inner(part: Any, of: Kind) -> str:
        text = _text(part, of)
        return "null" if text is None else text

    if kind.word == "array":
        return "[" + ", ".join(inner(part, kind.parts[0]) for part in value) + "]"
    pairs = value if isinstance(value, list) else [*value.items()]
    kinds = kind.parts if kind.word == "row" else (kind.parts[1],) * len(pairs)
    return "{" + ", ".join(f"{name}={inner(part, of)}" for (name, part), of in zip(pairs, kinds, strict=True)) + "}"


def java_number(value: float, *, single: bool = False) -> str:
    """As Java writes a double or a float."""
    if value != value or value in (float("inf"), float("-inf")):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    text = _shortest(value) if single else repr(value)
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        plain = f"{Decimal(text):f}"
        return plain if "." in plain else f"{plain}.0"
    sign, digits, exponent = Decimal(text).normalize().as_tuple()
    shown = "".join(map(str, digits))
    return f"{'-' if sign else ''}{shown[0]}.{shown[1:] or '0'}E{int(exponent) + len(shown) - 1}"


def _shortest(value: float) -> str:
    """The shortest text that is this number in 32 bits."""
    texts = (f"{value:.{digits}g}" for digits in range(1, 10))
    return next(text for text in texts if struct.unpack("f", struct.pack("f", float(text)))[0] == value)


def metadata_of(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """ColumnInfo: https://docs.aws.amazon.com/athena/latest/APIReference/API_ColumnInfo.html"""
    return [_column_info(column.name, column.value.kind) for column in columns]


def _column_info(name: str, kind: Kind) -> dict[str, Any]:
    word = "float" if kind.word == "real" else plain(kind).word
    precision, scale = _DIGITS.get(word, 0), 0
    if word == "decimal":
        precision, scale = kind.sizes
    elif word in ("timestamp", ZONED, "time"):
        precision = kind.sizes[0]
    elif word in ("varchar", "varbinary"):
        precision = kind.sizes[0] if kind.sizes else _TEXT_DIGITS if word == "varchar" else 1073741824
    return {
        **{"CatalogName": "hive", "SchemaName": "", "TableName": "", "Name": name, "Label": name, "Type": word},
        **{"Precision": precision, "Scale": scale, "Nullable": "UNKNOWN", "CaseSensitive": word == "varchar"},
    }


def page(csv: str, columns: Sequence[dict[str, Any]], token: str, most: int) -> dict[str, Any]:
    """An answer of GetQueryResults.  token: of the page before, '' for the first, which begins with the header."""
    rows = rows_of(csv)
    start = int(token or 0)
    shown = rows[start : start + min(most, MOST_ROWS_A_PAGE)]
    data = [{"Data": [{} if text is None else {"VarCharValue": text} for text in row]} for row in shown]
    answer: dict[str, Any] = {"ResultSet": {"Rows": data, "ResultSetMetadata": {"ColumnInfo": [*columns]}}, "UpdateCount": 0}
    if start + len(shown) < len(rows):
        answer["NextToken"] = str(start + len(shown))
    return answer


def described(columns: Sequence[Column]) -> str:
    """What this double keeps beside the CSV; Athena's own file is not documented."""
    return json.dumps(metadata_of(columns))
