"""Which rows of a table a batch takes: the pinned bounds of its cursor column, as SQL that a retry repeats word for word.

A window is [lower, upper), and beside it every row that no window meets: without a cursor value, with NaN or an infinite one, or with
one so far ahead that it may stand for `never`. And those that lie before it, but were committed only after it had been read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from shared_metadata.contract.collect import Window
from shared_metadata.program.intervals import from_text, to_text
from systems.sql_source.horizon import FIRST_WRITE, Point, Seen, settled
from systems.sql_source.members import Members

FAR = timedelta(days=8)  # longer than any batch; the warehouse goes by the same length
NONE = "1 = 0"  # of no row


class CursorColumn(Protocol):
    """A cursor column of one kind of database; its properties are SQL.

    expression: over the source's columns.  lowest, highest: the conditions of values above minus infinity, below infinity and NaN;
    '' for types that do not know these.  unmet: of values that no window meets.
    """

    @property
    def name(self) -> str: ...

    @property
    def expression(self) -> str: ...

    @property
    def is_time(self) -> bool: ...

    @property
    def lowest(self) -> str: ...

    @property
    def highest(self) -> str: ...

    @property
    def unmet(self) -> str: ...

    def literal(self, value: str) -> str:
        """A value as SQL. value: of a time a moment in UTC, of anything else the source's text."""
        ...


@dataclass(frozen=True)
class Past:
    """What the last batch left.

    upto: how far it read, None for nowhere.  since: before it all is settled, None for nothing.  ended: the transactions before that
    one had ended; None for not known.  points: those from which the next batch can learn more.  members: the tables that rows were
    in; None for not known.  tip: of the rows at upto, which may become more.
    """

    upto: str | None = None
    since: str | None = None
    ended: int | None = None
    points: tuple[Point, ...] = field(default=())
    members: Members | None = None
    tip: str = ""

    @staticmethod
    def of(window: Window, column: CursorColumn) -> Past:
        """Nothing when there was none, or the cursor column has changed since: then all rows are due."""
        values = json.loads(window.cursor) if window.cursor else {}
        if values.get("column") != column.name:
            return Past()
        upto = values.get("upto")
        points = tuple(Point(*point) for point in values.get("points", ()))
        members = Members.from_plain(values.get("members"))
        return Past(upto, values.get("since", upto), values.get("ended"), points, members, values.get("tip", ""))

    def known_to(self, seen: Seen) -> Past:
        """Itself, but for a server that has begun to count its transactions anew, since it was restored: nothing is settled there."""
        anew = self.ended is not None and self.ended > seen.begun
        return Past(self.upto, members=self.members, tip=self.tip) if anew else self


@dataclass(frozen=True)
class Bounds:
    """where: the condition, '' for all rows.  cursor: what the commit stores.  whole: the window has no lower bound.

    news: the condition of rows for which a batch is made; others that `where` takes too came before, but for what `tip` says.
    tip: a digest of the keys of rows at the upper bound, where others may come to have its value; '' where that is not so.
    took: the window itself, for a batch that is run again and may take no other; None where it may.
    """

    where: str
    cursor: str
    whole: bool
    took: Mapping[str, Any] | None = None
    news: str = ""
    tip: str = ""


def snapshot_bounds(window: Window) -> Bounds:
    return Bounds("", json.dumps({"column": "", "upto": to_text(window.interval.end)}), True)


def rerun_bounds(window: Window, column: CursorColumn, seen: Seen, *, unmet: bool) -> Bounds:
    """The rows of the interval; unmet: with those that no window meets."""
    lower, upper = to_text(window.interval.start), to_text(window.interval.end)
    inside = f"{column.expression} >= {column.literal(lower)} AND {column.expression} < {column.literal(upper)}"
    where = _any((inside, _unmet(column, upper))) if unmet else inside
    past = Past(lower, lower, members=Past.of(window, column).members)
    return Bounds(where, _stored(column, past, upper, seen, _points(column, past, upper, seen)), False)


def repeated_bounds(window: Window, column: CursorColumn) -> Bounds | None:
    """The rows that the batch took when it was made, as its Bounds.took says; None where that was over another column."""
    took = window.took or {}
    if took.get("column") != column.name:
        return None
    return Bounds(_appended(column, took["after"], took["upto"]), window.cursor, took["after"] is None, took)


def merge_bounds(
    column: CursorColumn,
    past: Past,
    upper: str | None,
    seen: Seen,
    lag: timedelta,
    written_since: Callable[[int], str] | None,
    *,
    beside: Sequence[str] = (),
    remade: bool = False,
    tip: str = "",
) -> Bounds:
    """The bounds from where the last batch ended up to `upper`; rows may come again.

    written_since: the condition of rows that were written by a transaction or a later one; None where rows do not tell: then those
    with the value at which the last batch ended come again, since others may have it by now.  tip: see `Bounds`.
    beside: conditions of rows that come whatever their cursor says.  remade: rows with any value may have been written since.
    """
    past = past.known_to(seen)
    if written_since or column.is_time:
        return _merged(column, past, upper, seen, lag, written_since, _above, beside, remade=remade)
    bounds = _merged(column, past, upper, seen, lag, None, _from, beside, remade=remade, tip=tip)
    news = _merged(column, past, upper, seen, lag, None, _above, beside, remade=remade).where
    return replace(bounds, news=news, tip=tip)


def _merged(
    column: CursorColumn,
    past: Past,
    upper: str | None,
    seen: Seen,
    lag: timedelta,
    written_since: Callable[[int], str] | None,
    beyond: Callable[[CursorColumn, str | None], str],
    beside: Sequence[str],
    *,
    remade: bool,
    tip: str = "",
) -> Bounds:
    since_then = [written_since(past.ended)] if written_since and past.ended is not None else []
    lower = _back(column, past.upto, lag)
    windows = [_all(beyond(column, lower), _below(column, upper) if upper is not None else NONE)]
    if past.upto is not None and (since_then or past.since != past.upto):
        reach = None if remade else _back(column, past.since, FIRST_WRITE) if since_then else past.since
        # Other rows may have the value at which a settled one was read: of those only what was written since comes again.
        above = _from(column, reach) if since_then else beyond(column, reach)
        windows.append(_all(above, _below(column, past.upto), *since_then))
    unmet = _all(f"({_unmet(column, upper)})", *(since_then if past.upto is not None else []))
    stored = _stored(column, past, upper, seen, _points(column, past, upper, seen), tip)
    return Bounds(_any((*windows, unmet, *beside)), stored, past.upto is None)


def append_bounds(column: CursorColumn, past: Past, upper: str | None, seen: Seen) -> Bounds:
    """The bounds up to where all is settled, so that no row comes again: at first that may be nowhere, for a later batch to take.

    It has no rows that no window meets.
    """
    past = past.known_to(seen)
    points = _points(column, past, upper, seen, FIRST_WRITE)
    upto = points[0].upto if points and points[0].begun <= seen.ended else None
    took = {"column": column.name, "after": past.upto, "upto": upto}
    stored = _stored(column, past, upto, seen, points)
    return Bounds(_appended(column, past.upto, upto), stored, past.upto is None, took)


def unmet_before(column: CursorColumn, past: Past) -> str:
    """The condition of values that no window will meet any more: below where the last batch ended, or such as none meets."""
    before = f"{_below(column, past.upto)} OR " if past.upto is not None else ""
    return f"{before}{_unmet(column, past.upto)}"


def _appended(column: CursorColumn, after: str | None, upto: str | None) -> str:
    return _all(_above(column, after), _below(column, upto) if upto is not None else NONE, column.highest)


def _stored(column: CursorColumn, past: Past, upto: str | None, seen: Seen, points: tuple[Point, ...], tip: str = "") -> str:
    since = points[0].upto if points and points[0].begun <= seen.ended else None
    kept = [(point.upto, point.begun) for point in points]
    stored = {"column": column.name, "upto": upto, "since": since, "ended": seen.ended, "points": kept}
    members = {"members": past.members.to_plain()} if past.members is not None else {}
    return json.dumps({**stored, **members, **({"tip": tip} if tip else {})})


def _points(column: CursorColumn, past: Past, upper: str | None, seen: Seen, behind: timedelta = timedelta(0)) -> tuple[Point, ...]:
    """Those of before, and how far this batch reads: on a replica that is as far as it has come; behind: less so much of it."""
    before = past.points or ((Point(past.since, 0),) if past.since is not None else ())
    if upper is not None and column.is_time and seen.as_of is not None and seen.as_of - behind < from_text(upper):
        upper = to_text(seen.as_of - behind)
        if before and from_text(before[-1].upto) >= from_text(upper):
            return settled(before, seen)
    return settled((*before, Point(upper, seen.begun)) if upper is not None else before, seen)


def _unmet(column: CursorColumn, upper: str | None) -> str:
    if not column.is_time or upper is None:
        return column.unmet
    far = to_text(max(from_text(upper), datetime.now(UTC)) + FAR)
    return f"{column.unmet} OR {column.expression} >= {column.literal(far)}"


def _back(column: CursorColumn, value: str | None, length: timedelta) -> str | None:
    return to_text(from_text(value) - length) if column.is_time and value is not None else value


def _above(column: CursorColumn, value: str | None) -> str:
    sign = ">=" if column.is_time else ">"
    return f"{column.expression} {sign} {column.literal(value)}" if value is not None else ""


def _from(column: CursorColumn, value: str | None) -> str:
    return f"{column.expression} >= {column.literal(value)}" if value is not None else ""


def _below(column: CursorColumn, value: str) -> str:
    """A date counts when its day is over: rows of the day are still being added before."""
    return f"{column.expression} {'<' if column.is_time else '<='} {column.literal(value)}"


def _all(*conditions: str) -> str:
    return " AND ".join(condition for condition in conditions if condition)


def _any(conditions: tuple[str, ...]) -> str:
    return " OR ".join(f"({condition})" for condition in conditions)
