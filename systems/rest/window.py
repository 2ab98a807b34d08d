"""What of a stream a batch takes: what the API is asked for, which is more, and what SQL cuts of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared_metadata.contract.collect import Window
from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.program import Mode
from shared_metadata.program.intervals import from_text, to_text
from shared_metadata.program.json_types import DAY, EPOCH
from shared_metadata.program.schema import SchemaColumn
from systems.rest import moments
from systems.rest.columns import cursor_field, of_changes, units_in_second
from systems.rest.manifest import RETENTION, Node
from systems.rest.portions import BEYOND, Span

MOST_SECONDS = 9.2e12  # before and after 1970, of a moment in DuckDB: https://duckdb.org/docs/stable/sql/data_types/timestamp
FAR = timedelta(days=8)  # longer than any batch; the warehouse goes by the same length


@dataclass(frozen=True)
class Cut:
    """The half-open range of a cursor: `lower` None for no lower end.  field: at the source; '' for all rows.

    kind: one of columns.CURSOR_TYPES.  units: of an epoch, in a second.
    far: from which moment on a value may stand for `never`: each batch takes its row, for none would come to it; '' for none.
    """

    field: str = ""
    kind: str = ""
    units: int = 1
    lower: str | None = None
    upper: str = ""
    far: str = ""

    def condition(self, read: Callable[[str], str]) -> str:
        """SQL of the rows that the batch takes; one without a cursor is always taken, since no other batch would."""
        if not self.field:
            return ""
        value = read(self.field)
        if self.kind == EPOCH:
            seconds = f"({value} / {float(self.units)})"
            # One that is no moment is of none, and its row is taken; TRY has no place for what says why a value cannot be read.
            value = f"CASE WHEN abs({seconds}) <= {MOST_SECONDS} THEN to_timestamp{seconds} END"
        elif self.kind == DAY:
            value = f"CAST(CAST({value} AS DATE) AS TIMESTAMPTZ)"
        else:
            value = f"CAST({value} AS TIMESTAMPTZ)"
        lower = f"TIMESTAMPTZ {literal(self.lower)}" if self.lower else ""
        if lower and self.kind == DAY:  # a day goes on after the moment at which a batch has read it
            lower = f"date_trunc('day', {lower})"
        from_lower = f"{value} >= {lower} AND " if lower else ""
        far = f" OR {value} >= TIMESTAMPTZ {literal(self.far)}" if self.far else ""
        return f"({from_lower}{value} < TIMESTAMPTZ {literal(self.upper)}{far}) IS NOT FALSE"


@dataclass(frozen=True)
class Taken:
    """span: what the API is asked for.  changes: whether only what changed is taken."""

    span: Span
    cut: Cut
    changes: bool


def taken(mode: Mode, window: Window, stream: Mapping[str, Node], cursor: SchemaColumn | None, lag: int, now: datetime) -> Taken:
    """What a batch takes.  cursor: of the flow, with its name and type at the source; None where it names none.

    A REPLACE, and a stream whose filter is by another field than the flow's cursor, is asked for up to a moment that is still to
    come: a record that changes meanwhile would otherwise be in no answer.
    """
    end = window.interval.end
    beyond = max(now, end) + BEYOND
    if mode == Mode.REPLACE or cursor is None:
        return Taken(Span(None, beyond, beyond), Cut(), False)
    lower = _lower(window, lag)
    units, far = units_in_second(of_changes(stream)), to_text(max(now, end) + FAR)
    cut = Cut(cursor.source, cursor.source_type, units, to_text(lower) if lower else None, to_text(end), far)
    asked = cursor_field(stream) == cursor.source
    span = Span(lower, end, beyond) if asked else Span(None, beyond, beyond)
    return Taken(span, cut, lower is not None)


def reads_changes(stream: Mapping[str, Node], window: Window, lag: int, now: datetime) -> bool:
    """Whether a batch reads by the stream of changes, where there is one: not the first, nor one of before what that still tells."""
    lower = _lower(window, lag)
    told = stream[RETENTION]
    return lower is not None and not (told and lower < now - moments.duration(told))


def cursor_text(window: Window) -> str:
    """What the next batch finds in its window."""
    return json.dumps({"until": to_text(window.interval.end)})


def _lower(window: Window, lag: int) -> datetime | None:
    """The moment from which a batch takes what changed; None for the first, which takes all."""
    if window.rerun:
        return window.interval.start
    return _until(window.cursor) - timedelta(seconds=lag) if window.cursor else None


def _until(cursor: str) -> datetime:
    return from_text(json.loads(cursor)["until"])
