"""Which rows of a relation a batch takes: what the cursor's window needs to be told by the source, and the window."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from shared_metadata.contract.collect import Window
from shared_metadata.contract.taken import LEFT_AS_IT_IS
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Mode
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.spelling import did_you_mean
from systems.sql_source import cursor_window
from systems.sql_source.cursor_window import Bounds, CursorColumn, Past
from systems.sql_source.dialect import Asking, Dialect, TookTooLong
from systems.sql_source.horizon import Looking
from systems.sql_source.members import Member, Members
from systems.sql_source.relation import Relation

# Of a column, its SQL over what is read, and whether the program says that its values rise.
CursorOf = Callable[[SchemaColumn, str, bool], CursorColumn]


class DueRows:
    """Finds which rows of a plan's tables a batch reads, over one session for all of them.

    lag: the connection's.  written_since: see `cursor_window.merge_bounds`; of tables that tell.
    """

    def __init__(
        self,
        session: Asking,
        dialect: Dialect,
        looking: Looking,
        lag: timedelta,
        cursor_of: CursorOf,
        written_since: Callable[[int], str] | None,
    ) -> None:
        self._session, self._dialect, self._looking, self._lag = session, dialect, looking, lag
        self._cursor_of, self._written_since = cursor_of, written_since

    def bounds(self, flow: Flow, relation: Relation, window: Window) -> Bounds | None:
        """The batch's rows; None when there are none."""
        if not flow.cursor:
            return cursor_window.snapshot_bounds(window)
        column = self._cursor(flow, relation)
        if window.took is not None:
            return self._repeated(flow, window, column)
        if window.rerun:
            return self._of_interval(flow, window, column)
        bounds = self._next(flow, relation, window, column)
        news = relation.due(bounds.news or bounds.where, tell_left=flow.reports_left)
        due = window.first or bounds.tip != Past.of(window, column).tip or self._any(news)
        return bounds if due else None

    def _repeated(self, flow: Flow, window: Window, column: CursorColumn) -> Bounds:
        bounds = cursor_window.repeated_bounds(window, column)
        if bounds is None:
            raise DefinitionError(
                f"batch {window.interval} of {flow.id} cannot be run again: it was made with another cursor than {column.name}",
                place=str(flow.position),
                remedy=LEFT_AS_IT_IS,
            )
        return bounds

    def _of_interval(self, flow: Flow, window: Window, column: CursorColumn) -> Bounds:
        if not column.is_time:
            raise DefinitionError(
                f"batches of {flow.id} cannot be run again: its cursor {column.name} is no time",
                place=str(flow.position),
                remedy="use a CURSOR of type timestamptz, timestamp or date, or collect the table without one",
            )
        return cursor_window.rerun_bounds(window, column, self._looking.seen(), unmet=flow.mode == Mode.MERGE)

    def _cursor(self, flow: Flow, relation: Relation) -> CursorColumn:
        found = relation.column(flow.cursor)
        if found is None:
            names = [c.name for c in relation.schema.columns]
            raise DefinitionError(
                f"the cursor column {flow.cursor} is not there",
                place=str(flow.position),
                remedy=did_you_mean(flow.cursor, names) + "name another CURSOR",
            )
        return self._cursor_of(*found, flow.rising)

    def _next(self, flow: Flow, relation: Relation, window: Window, column: CursorColumn) -> Bounds:
        """The bounds from where the last batch ended to the batch's end, or to the greatest value that there is."""
        past = Past.of(window, column)
        anew = _anew(relation, past)
        if flow.mode == Mode.MERGE and not all(member.rows for member in anew):
            past, anew = Past(), []  # which rows are in them is not told: all are read
        if column.is_time:
            upper: str | None = to_text(window.interval.end)
        else:
            with self._within_time(flow, column):
                upper = self._newest(relation, column, past.upto, tell_left=flow.reports_left) or past.upto
        seen = self._looking.seen()
        past, members = past.known_to(seen), Members.of(relation.members)
        if flow.mode != Mode.APPEND:
            told = self._written_since if relation.size.told else None
            beside = self._beside(flow, relation, past, column, anew)
            tip = self._tip(flow, relation, column, upper) if told is None and not column.is_time else ""
            past, remade = replace(past, members=members), relation.remade
            return cursor_window.merge_bounds(column, past, upper, seen, self._lag, told, beside=beside, remade=remade, tip=tip)
        with self._within_time(flow, column):
            self._check_append(flow, relation, column)
        self._check_come(flow, relation, past, column, anew)
        return cursor_window.append_bounds(column, replace(past, members=members.and_also(past.members)), upper, seen)

    def _beside(self, flow: Flow, relation: Relation, past: Past, column: CursorColumn, anew: Sequence[Member]) -> list[str]:
        """The conditions of those tables' rows that no window will meet, of each in which there are such."""
        found = []
        known = past.members.files if past.members is not None else {}
        for member in anew:
            conditions = [member.rows, cursor_window.unmet_before(column, past)]
            if member.number in known and past.ended is not None and self._written_since and relation.size.told:
                conditions.append(self._written_since(past.ended))
            condition = " AND ".join(f"({each})" for each in conditions if each)
            if self._any(relation.due(condition, tell_left=flow.reports_left)):
                found.append(condition)
        return found

    def _check_come(self, flow: Flow, relation: Relation, past: Past, column: CursorColumn, anew: Sequence[Member]) -> None:
        """Raises DefinitionError where a table has come whose rows APPEND would never take: that they were there before is not known.

        What is another table by the same name goes on where the former one ended.
        """
        known = past.members.files if past.members is not None else {}
        come = [member for member in anew if member.number not in known and member.rows]
        if come and relation.members[0].number not in known:
            return
        for member in come if self._beside(flow, relation, past, column, come) else ():
            raise DefinitionError(
                f"{member.name} has come with rows whose {column.name} is before what was read: APPEND would never take them",
                place=str(flow.position),
                remedy=f"use MERGE ON (…), which takes them, or write their {column.name} anew; of rows that were collected before, "
                "leave them out by the WHERE",
            )

    def _check_append(self, flow: Flow, relation: Relation, column: CursorColumn) -> None:
        """Raises DefinitionError for what would come twice, or never."""
        if relation.remade:
            raise DefinitionError(
                "rows come into a materialized view when it is refreshed, whatever their cursor says: APPEND would never take some",
                place=str(flow.position),
                remedy="use MERGE ON (…), which takes them, or REPLACE; or collect the tables below it",
            )
        if self._lag:
            raise DefinitionError(
                "a lag reads rows twice, which APPEND would keep twice",
                place=str(flow.position),
                remedy="use MERGE ON (…), or a connection without lag",
            )
        if self._there(relation.due(column.unmet, tell_left=False)):
            raise DefinitionError(
                f"the cursor {column.name} is null, NaN or infinite in some rows: no batch would ever take them",
                place=str(flow.position),
                remedy=f"use MERGE ON (…), which takes them, or leave them out: WHERE {column.name} IS NOT NULL …",
            )

    def _any(self, due: Sequence[str]) -> bool:
        """Whether a row is due; where finding out takes long, it is taken for granted."""
        try:
            return self._there(due)
        except TookTooLong:
            return True

    def _there(self, due: Sequence[str]) -> bool:
        """Whether there is a row."""
        met = " OR ".join(f"EXISTS (SELECT 1 {rows}\n)" for rows in due)
        found = self._session.first(f"SELECT CASE WHEN {met} THEN 1 ELSE 0 END{self._dialect.of_nothing}")
        return bool(found and found[0])

    def _newest(self, relation: Relation, column: CursorColumn, last: str | None, *, tell_left: bool) -> str | None:
        """The greatest value of the cursor column above `last`, as text; infinity and NaN are none: nothing would be above them."""
        above = f"{column.expression} > {column.literal(last)}" if last is not None else f"{column.expression} IS NOT NULL"
        ordinary = " AND ".join(condition for condition in (above, column.lowest, column.highest) if condition)
        tops = [
            f"(SELECT {column.expression} AS top {rows}\nORDER BY 1 DESC {self._dialect.first_row})"
            for rows in relation.due(ordinary, tell_left=tell_left)
        ]
        # A name alone would be the column that is put out, the text, by which 9 is more than 10.
        text, first_row = self._dialect.as_text("t.top"), self._dialect.first_row
        newest = f"SELECT {text} FROM ({' UNION ALL '.join(tops)}) t ORDER BY t.top DESC {first_row}"
        found = self._session.first(newest)
        return str(found[0]) if found else None

    def _tip(self, flow: Flow, relation: Relation, column: CursorColumn, upper: str | None) -> str:
        """A digest of the keys of rows with the value up to which the batch reads; one that no other is, where it is not known."""
        if upper is None:
            return ""
        keys = [found[1] for name in flow.key if (found := relation.column(name))]
        rows = relation.due(f"{column.expression} = {column.literal(upper)}", tell_left=flow.reports_left)
        digests = [f"(SELECT {self._dialect.digest(keys)} {each}\n)" for each in rows]
        try:
            answer = self._session.first(f"SELECT {self._dialect.joined(digests)}{self._dialect.of_nothing}")
        except TookTooLong:
            return secrets.token_hex(4)
        return str(answer[0]) if answer else ""

    @contextlib.contextmanager
    def _within_time(self, flow: Flow, column: CursorColumn) -> Iterator[None]:
        """What a plan has to find out of a cursor an index tells at once; without one it may take too long every time."""
        try:
            yield
        except TookTooLong:
            what = f"the values of the cursor {column.name} could not be looked through within the time of a plan"
            remedy = "give the column an index at the source (CREATE INDEX …); nothing if it has one and the server was busy"
            raise DefinitionError(what, place=str(flow.position), remedy=remedy) from None


def _anew(relation: Relation, past: Past) -> list[Member]:
    """The tables that have come since the last batch, and those whose rows were all written anew."""
    return [*past.members.come(relation.members), *past.members.rewritten(relation.members)] if past.members is not None else []
