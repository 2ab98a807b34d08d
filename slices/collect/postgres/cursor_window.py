"""Which rows of a table a batch takes: the pinned bounds of its cursor column, as SQL that a retry repeats word for word."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared_metadata.contract.collect import Window
from shared_metadata.intervals import from_text, to_text

TIME_TYPES = ("timestamptz", "timestamp", "date")


@dataclass(frozen=True)
class CursorColumn:
    """expression: over the source's columns.  iceberg, source_type: its types."""

    name: str
    expression: str
    iceberg: str
    source_type: str

    @property
    def is_time(self) -> bool:
        return self.iceberg in TIME_TYPES


@dataclass(frozen=True)
class Bounds:
    """where: the condition, '' for all rows.  cursor: what the commit stores.  whole: the window has no lower bound."""

    where: str
    cursor: str
    whole: bool


def stored(window: Window, column: CursorColumn) -> str | None:
    """The last batch's upper bound; None when there was none, or the cursor column has changed since: then all rows are due."""
    values = json.loads(window.cursor) if window.cursor else {}
    return values.get("upto") if values.get("column") == column.name else None


def snapshot_bounds(window: Window) -> Bounds:
    return Bounds("", json.dumps({"column": "", "upto": to_text(window.interval.end)}), True)


def time_bounds(window: Window, column: CursorColumn, lag: timedelta) -> Bounds:
    """[last upper bound less lag, the batch's end); of the whole table at first, then with the rows that have no cursor value.

    A date counts when its day is over: rows of the day are still being added before. Times without zone are UTC.
    """
    upper, last = window.interval.end, stored(window, column)
    if window.rerun:
        lower: datetime | None = window.interval.start
    else:
        lower = from_text(last) - lag if last else None
    below = f"{column.expression} < {_moment(upper, column.iceberg)}"
    where = (
        f"{column.expression} >= {_moment(lower, column.iceberg)} AND {below}"
        if lower
        else f"({below} OR {column.expression} IS NULL)"
    )
    return Bounds(where, json.dumps({"column": column.name, "upto": to_text(upper)}), lower is None)


def value_bounds(column: CursorColumn, last: str | None, newest: str | None, *, first: bool) -> Bounds:
    """(last, newest] of a column that only grows; values are PostgreSQL's texts. The first batch takes rows without a value too."""
    parts = [f"{column.expression} <= {value(newest, column)}"] if newest is not None else []
    if last is not None:
        parts.append(f"{column.expression} > {value(last, column)}")
    where = " AND ".join(parts)
    if first:
        where = f"({where} OR {column.expression} IS NULL)" if where else f"{column.expression} IS NULL"
    return Bounds(where, json.dumps({"column": column.name, "upto": newest if newest is not None else last}), last is None)


def value(text: str, column: CursorColumn) -> str:
    escaped = text.replace("'", "''")
    return f"CAST('{escaped}' AS {column.source_type})"


def _moment(moment: datetime, iceberg: str) -> str:
    utc = moment.astimezone(UTC)
    if iceberg == "date":
        return f"DATE '{utc:%Y-%m-%d}'"
    text = utc.strftime("%Y-%m-%d %H:%M:%S.%f")
    return f"TIMESTAMPTZ '{text}+00'" if iceberg == "timestamptz" else f"TIMESTAMP '{text}'"


def was_read(window: Window, column: CursorColumn) -> bool:
    """Whether a batch over this cursor column was committed before."""
    return bool(window.cursor) and json.loads(window.cursor).get("column") == column.name
