"""Which rows of a relation a batch takes: what the cursor's window needs to be told by the source, and the window."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import Window
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.intervals import to_text
from shared_metadata.program import Flow, Mode
from shared_metadata.spelling import did_you_mean
from slices.collect.postgres import cursor_window
from slices.collect.postgres.cursor_window import Bounds, CursorColumn, Past
from slices.collect.postgres.horizon import Looking
from slices.collect.postgres.logic import Relation

if TYPE_CHECKING:
    from psycopg import Connection as Session


class DueRows:
    """Over the session of a plan, for all of its tables. lag: the connection's."""

    def __init__(self, session: Session[Any], lag: timedelta) -> None:
        self._session, self._lag, self._looking = session, lag, Looking(session)

    def bounds(self, flow: Flow, relation: Relation, window: Window) -> Bounds | None:
        """The batch's rows; None when there are none."""
        if not flow.cursor:
            return cursor_window.snapshot_bounds(window)
        column = self._cursor(flow, relation)
        if window.rerun:
            if not column.is_time:
                raise DefinitionError(
                    f"batches of {flow.id} cannot be run again: its cursor {column.name} is no time",
                    place=str(flow.position),
                    remedy="use a CURSOR of type timestamptz, timestamp or date, or collect the table without one",
                )
            return cursor_window.rerun_bounds(window, column, unmet=flow.mode == Mode.MERGE)
        bounds = self._next(flow, relation, window, column)
        due = window.first or self._any(relation.due(bounds.where, tell_left=flow.reports_left))
        return bounds if due else None

    def _cursor(self, flow: Flow, relation: Relation) -> CursorColumn:
        column = relation.column(flow.cursor)
        if column is None:
            names = [c.name for c in relation.schema.columns]
            raise DefinitionError(
                f"the cursor column {flow.cursor} is not there",
                place=str(flow.position),
                remedy=did_you_mean(flow.cursor, names) + "name another CURSOR",
            )
        return replace(column, version=self._session.info.server_version)

    def _next(self, flow: Flow, relation: Relation, window: Window, column: CursorColumn) -> Bounds:
        """From where the last batch ended to the batch's end, or to the greatest value that there is."""
        past = Past.of(window, column)
        if column.is_time:
            upper: str | None = to_text(window.interval.end)
        else:
            with self._within_time(flow, column):
                upper = self._newest(relation, column, past.upto, tell_left=flow.reports_left) or past.upto
        seen = self._looking.seen()
        if flow.mode != Mode.APPEND:
            return cursor_window.merge_bounds(column, past, upper, seen, self._lag, told=relation.size.told)
        with self._within_time(flow, column):
            self._check_append(flow, relation, column)
        bounds = cursor_window.append_bounds(column, past, upper, seen)
        if bounds is None:
            raise RetryLater(
                "a transaction that is open may still bring rows of the first batch, which APPEND could not take later",
                place=str(flow.position),
                remedy="nothing if it ends; else see pg_stat_activity and pg_prepared_xacts, or use MERGE ON (…)",
            )
        return bounds

    def _check_append(self, flow: Flow, relation: Relation, column: CursorColumn) -> None:
        """Raises DefinitionError for what would come twice, or never."""
        if self._lag:
            raise DefinitionError(
                "a lag reads rows twice, which APPEND would keep twice",
                place=str(flow.position),
                remedy="use MERGE ON (…), or a connection without lag",
            )
        met = " OR ".join(f"EXISTS (SELECT 1 {rows}\n)" for rows in relation.due(column.unmet, tell_left=False))
        found = self._session.execute(f"SELECT {met}").fetchone()
        if found and found[0]:
            raise DefinitionError(
                f"the cursor {column.name} is null, NaN or infinite in some rows: no batch would ever take them",
                place=str(flow.position),
                remedy=f"use MERGE ON (…), which takes them, or leave them out: WHERE {column.name} IS NOT NULL …",
            )

    def _any(self, due: Sequence[str]) -> bool:
        """Whether a row is due; where finding out takes long, it is taken for granted."""
        import psycopg

        try:
            found = self._session.execute("SELECT " + " OR ".join(f"EXISTS (SELECT 1 {rows}\n)" for rows in due)).fetchone()
        except psycopg.errors.QueryCanceled:
            return True
        return bool(found and found[0])

    def _newest(self, relation: Relation, column: CursorColumn, last: str | None, *, tell_left: bool) -> str | None:
        """The greatest value of the cursor column above `last`, as text; infinity and NaN are none: nothing would be above them."""
        above = f"{column.expression} > {column.literal(last)}" if last is not None else f"{column.expression} IS NOT NULL"
        ordinary = " AND ".join(condition for condition in (above, column.lowest, column.highest) if condition)
        tops = [
            f"(SELECT {column.expression} {rows}\nORDER BY 1 DESC LIMIT 1)" for rows in relation.due(ordinary, tell_left=tell_left)
        ]
        # A name alone would be the column that is put out, the text, by which 9 is more than 10.
        newest = f"SELECT t.top::text FROM ({' UNION ALL '.join(tops)}) AS t (top) ORDER BY t.top DESC LIMIT 1"
        found = self._session.execute(newest).fetchone()
        return str(found[0]) if found else None

    @contextlib.contextmanager
    def _within_time(self, flow: Flow, column: CursorColumn) -> Iterator[None]:
        """What a plan has to find out of a cursor an index tells at once; without one it may take too long every time."""
        import psycopg

        try:
            yield
        except psycopg.errors.QueryCanceled:
            what = f"the values of the cursor {column.name} could not be looked through within the time of a plan"
            remedy = "give the column an index at the source (CREATE INDEX …); nothing if it has one and the server was busy"
            raise DefinitionError(what, place=str(flow.position), remedy=remedy) from None
