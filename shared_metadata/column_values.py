"""What the values of a column are like: told by a file's statistics or by a sample, and compared to tell a rename. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared_metadata.type_widening import decimal

SAMPLE_ROWS = 1000
LONGEST = 64  # characters that are kept of a bound
_NUMBERS = frozenset({"int", "long", "float", "double"})
_DATES = frozenset({"date", "timestamp", "timestamptz"})
_FEW = 20  # rows that hold the same value by chance


@dataclass(frozen=True)
class ColumnValues:
    """Of `rows` values `nulls` are null; all others lie between `least` and `most`, as text, where the type has an order."""

    rows: int
    nulls: int
    least: str | None = None
    most: str | None = None

    @property
    def constant(self) -> bool:
        return self.least is not None and self.least == self.most


def sampled(kind: str, values: Sequence[Any]) -> ColumnValues:
    """Of some rows of a source. kind: the column's type, as in SchemaColumn."""
    key, texts = _order(kind), [str(value)[:LONGEST] for value in values if value is not None]
    bounds = (min(texts, key=key), max(texts, key=key)) if key and texts else (None, None)
    return ColumnValues(len(values), len(values) - len(texts), *bounds)


def file_values(statistics: Mapping[str, Mapping[str, str]]) -> dict[str, list[Any]]:
    """Column ▸ [nulls, least, most] of what DuckDB's COPY … RETURN_STATS says of a file; columns within others are left out."""
    found = {}
    for path, said in statistics.items():
        if '"."' not in path and "null_count" in said:
            found[path[1:-1].replace('""', '"')] = [
                int(said["null_count"]),
                *(said[bound][:LONGEST] if bound in said else None for bound in ("min", "max")),
            ]
    return found


def of_files(kind: str, column: str, files: Iterable[Mapping[str, Any]]) -> ColumnValues | None:
    """Of a batch's files, as a manifest names them; None where one of them does not say it of the column."""
    rows, nulls, bounds, key = 0, 0, list[str](), _order(kind)
    for file in files:
        said = file.get("values", {}).get(column)
        if said is None:
            return None
        rows, nulls = rows + file["rows"], nulls + said[0]
        bounds += [bound for bound in said[1:] if bound is not None]
    least, most = (min(bounds, key=key), max(bounds, key=key)) if key and bounds else (None, None)
    return ColumnValues(rows, nulls, least, most) if rows else None


def alike(kind: str, gone: ColumnValues, come: ColumnValues) -> bool | None:
    """Whether a new column holds what a vanished one held; None where its values do not tell.

    A column that was only added is empty, or holds its default in every row. Other bounds alone prove nothing: the vanished
    column's are those of its last batch.
    """
    if gone.nulls == gone.rows or not come.rows:
        return None
    if come.nulls == come.rows or (come.constant and not gone.constant and come.rows >= _FEW):
        return False
    key = _order(kind)
    if key is None or gone.least is None or gone.most is None or come.least is None or come.most is None:
        return None
    return True if key(come.least) <= key(gone.most) and key(gone.least) <= key(come.most) else None


def _order(kind: str) -> Callable[[str], Any] | None:
    """How texts of values of a type are ordered; None for a type that has no order, or of which every system writes another."""
    if kind in _NUMBERS or decimal(kind):
        return float
    if kind in _DATES:
        return lambda text: text[:10]
    return str if kind == "string" else None
