"""A profile of a column's values, from a file's statistics or a sample, compared to detect a rename. Pure.

No value is kept: how many are null, whether all others are one and the same, and between which sizes they lie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared_metadata.program.schema import Schema
from shared_metadata.program.type_names import decimal

SAMPLE_ROWS = 1000
_NUMBERS = frozenset({"int", "long", "float", "double"})
_DATES = frozenset({"date", "timestamp", "timestamptz"})
_CUT_BYTES = 250  # the length from which a text's bounds may be cut: DuckDB keeps 256, or less so that no character is split
_FEW = 20  # the number of rows that hold the same value by chance
_NULLS = 0.2  # the tolerance between the shares of nulls of the same column from batch to batch


@dataclass(frozen=True)
class ColumnValues:
    """A profile: `nulls` of `rows` values are null. constant: all others are equal; None where that is unknown.

    least, most: their sizes, of numbers the digits before the point, of dates the year; None for other types.
    """

    rows: int
    nulls: int
    constant: bool | None = False
    least: int | None = None
    most: int | None = None


def sampled(kind: str, values: Sequence[Any]) -> ColumnValues:
    """The profile of a sample of a source's rows. kind: the column's type, as in SchemaColumn."""
    texts = {str(value) for value in values if value is not None}
    sizes = [size for text in texts if (size := _size(kind, text)) is not None]
    nulls = sum(value is None for value in values)
    return ColumnValues(len(values), nulls, len(texts) == 1, min(sizes, default=None), max(sizes, default=None))


def file_values(statistics: Mapping[str, Mapping[str, str]], schema: Schema) -> dict[str, list[Any]]:
    """Column ▸ [nulls, constant, least, most] from the statistics of DuckDB's COPY … RETURN_STATS for a file with this schema."""
    found = {}
    for column in schema.columns:
        said = statistics.get('"' + column.name.replace('"', '""') + '"')
        if said is not None and "null_count" in said:
            sizes = [_size(column.type, said.get(bound)) for bound in ("min", "max")]
            found[column.name] = [int(said["null_count"]), _constant(said), *sizes]
    return found


def _constant(said: Mapping[str, str]) -> bool | None:
    """Whether a column's values are all the same; None for bounds that are cut or missing."""
    low, high = said.get("min"), said.get("max")
    if said["null_count"] == said.get("num_values"):
        return False
    if low is None or high is None or len(low.encode()) >= _CUT_BYTES:
        return None
    return low == high and said.get("has_nan") != "true"


def of_files(column: str, files: Sequence[Mapping[str, Any]]) -> ColumnValues | None:
    """The profile over a batch's files, as a manifest names them; None where a file lacks the column's statistics."""
    known = [(file["rows"], *said) for file in files if (said := file.get("values", {}).get(column)) is not None]
    if not known or len(known) < len(files):
        return None
    rows, nulls, constant, least, most = zip(*known, strict=True)
    lows, highs = [size for size in least if size is not None], [size for size in most if size is not None]
    same = False if False in constant else constant[0] if len(known) == 1 else None  # each file may have another constant
    return ColumnValues(sum(rows), sum(nulls), same, min(lows, default=None), max(highs, default=None))


def alike(kind: str, gone: ColumnValues, come: ColumnValues) -> bool | None:
    """Whether a new column holds a vanished one's values; None where the profiles do not decide it.

    A column that was only added is empty, or holds its default in every row. Other sizes alone prove nothing: the vanished
    column's are those of its last batch.
    """
    if gone.nulls == gone.rows or not come.rows:
        return None
    if come.nulls == come.rows:
        return False
    if come.constant and not gone.constant and come.rows >= _FEW:
        return False if gone.constant is False else None
    if abs(gone.nulls / gone.rows - come.nulls / come.rows) > _NULLS:
        return None
    if gone.least is None or gone.most is None or come.least is None or come.most is None:
        return True if kind == "string" else None
    return True if come.least <= gone.most and gone.least <= come.most else None


def _size(kind: str, text: str | None) -> int | None:
    """A value's magnitude (digits, or the year); it doesn't reveal the value."""
    try:
        if text is not None and (kind in _NUMBERS or decimal(kind)):
            number = float(text)
            return int(math.copysign(len(f"{abs(number):.0f}"), number)) if math.isfinite(number) else None
        return int(text[:4]) if text is not None and kind in _DATES else None
    except ValueError:  # a value that is no date elsewhere, such as infinity
        return None
