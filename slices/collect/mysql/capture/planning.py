"""Plans a batch of a captured table: its share of the binary log, or a new copy of the table where there is no log to go on from.

The server keeps nothing for a reader, and is told nothing: what was read is read again until a batch has committed its place.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from shared_metadata.contract.collect import TablePlan, Window
from shared_metadata.errors import RetryLater
from shared_metadata.program import Flow, Table
from slices.collect.mysql.capture import requirements
from slices.collect.mysql.capture.log import Untold
from slices.collect.mysql.capture.places import Place, here, transactions_between
from slices.collect.mysql.capture.positions import is_behind
from slices.collect.mysql.capture.requirements import Captured
from slices.collect.mysql.capture.table_log import LogPart
from slices.collect.mysql.planning import first
from systems.mysql.catalog import TableName
from systems.sql_source import parts
from systems.sql_source.capture.changes import TooLong
from systems.sql_source.cursor_window import Bounds
from systems.sql_source.parts import table_plan
from systems.sql_source.relation import Relation

if TYPE_CHECKING:
    from slices.collect.mysql.client import MysqlSource

LOOKED_THROUGH_BYTES = 2**24  # of log, within which a batch without changes is found out by looking and recorded by plan alone
LOOK_SECONDS = 5.0


@dataclass(frozen=True)
class State:
    """What a batch left: up to which transactions the log was read.

    upto: their ids.  file, offset: where that was in the log of the server that was asked, by which the log's length is reckoned.
    """

    upto: str
    file: str
    offset: int
    mariadb: bool

    @staticmethod
    def of(cursor: str) -> State | None:
        """None at first, and of a cursor that a statement without CAPTURE has left."""
        with suppress(ValueError, KeyError, TypeError):
            values = json.loads(cursor)
            return State(values["gtids"], values["file"], values["offset"], values["mariadb"])
        return None

    @staticmethod
    def at(place: Place) -> State:
        return State(place.gtids, place.file, place.offset, place.mariadb)

    def to_text(self) -> str:
        return json.dumps({"gtids": self.upto, "file": self.file, "offset": self.offset, "mariadb": self.mariadb})


class CapturePlan:
    """Plans captured tables over a source's session."""

    def __init__(self, source: MysqlSource, max_parts: int, part_mb: int) -> None:
        self._source, self._session = source, source.session
        self._max_parts, self._part_mb = max_parts, part_mb

    def of(self, flow: Flow, table: Table, relation: Relation, name: TableName, window: Window) -> TablePlan | None:
        """None where nothing has changed. Raises DefinitionError for what is missing."""
        place = str(flow.position)
        sources = {column.name: column.source for column in relation.schema.columns if column.source}
        key = [sources.get(column, column) for column in flow.key]
        captured = requirements.check(self._session, name, list(sources.values()), key, place)
        now = here(self._session, place)
        state = State.of(window.cursor)
        if window.rerun:  # the log of its time may be gone
            return self._copy(flow, relation, window, captured, name, now, window.cursor or "{}")
        if state is None or self._gone(state, now):
            self._part(name, captured, now, now.gtids).log(self._source, self._source.seconds_left, place).check(now.gtids)
            return self._copy(flow, relation, window, captured, name, now, State.at(now).to_text())
        if state.upto == now.gtids:
            return None
        part = self._part(name, captured, now, state.upto)
        try:
            if self._quiet(state, now, part, place):
                return None
        except Untold:
            return self._copy(flow, relation, window, captured, name, now, State.at(now).to_text())
        return self._whole(flow, relation, window, part, State.at(now).to_text(), copy=False)

    def _part(self, name: TableName, captured: Captured, now: Place, since: str) -> LogPart:
        between = "" if now.mariadb else transactions_between(self._session, since, now.gtids)
        return LogPart(now.mariadb, since, now.gtids, between, name.schema, name.name, captured.columns, captured.key)

    def _copy(
        self, flow: Flow, relation: Relation, window: Window, captured: Captured, name: TableName, now: Place, cursor: str
    ) -> TablePlan:
        """The whole table. What changes while it is read comes again with the log, which begins before it is read.

        One that is not the first tells which rows are no more, for which it reads the log behind it as well.
        """
        if window.first:
            return table_plan(flow, relation, window, Bounds("", cursor, True), self._max_parts, self._part_mb)
        return self._whole(flow, relation, window, self._part(name, captured, now, now.gtids), cursor, copy=True)

    def _whole(self, flow: Flow, relation: Relation, window: Window, log: LogPart, cursor: str, *, copy: bool) -> TablePlan:
        """One part: of the log, and of the table. A small one is read by one statement, in one state, and needs no log behind it."""
        relation = _in_one(relation) if relation.size.bytes < parts.SMALL_CHUNK_BYTES else relation
        plain = replace(table_plan(flow, relation, window, Bounds("", cursor, copy), 1, self._part_mb), cursor=cursor)
        (table,) = plain.parts
        texts = {**table, "first_page": 0, "end_page": 0, "pages": 0, "keys": None}
        return replace(plain, parts=({"log": asdict(log), "part": texts, "table": table, "copy": copy},))

    def _gone(self, state: State, now: Place) -> bool:
        """Whether the log after the last batch is not there: the server was restored, or is of another kind."""
        if state.mariadb != now.mariadb or not state.upto:
            return True
        if now.mariadb:
            return is_behind(now.gtids, state.upto)
        found = first(
            self._session, "SELECT GTID_SUBSET(%s, %s), GTID_SUBSET(@@global.gtid_purged, %s)", (state.upto, now.gtids, state.upto)
        )
        return not (found and found[0] and found[1])

    def _quiet(self, state: State, now: Place, part: LogPart, place: str) -> bool:
        """Whether a short piece of log holds nothing of the table. Raises Untold where it is known that it does not tell."""
        import pymysql

        log = part.log(self._source, self._source.seconds_left, place)
        if state.file != now.file or not 0 <= now.offset - state.offset <= LOOKED_THROUGH_BYTES:
            log.check(state.upto)
            return False
        try:
            return not any(True for _ in log.changes(state.upto, part.share, LOOK_SECONDS))
        except (RetryLater, TooLong, pymysql.err.Error):
            return False


def _in_one(relation: Relation) -> Relation:
    """The table read by one statement, in one state."""
    return replace(relation, size=replace(relation.size, pages=0, keys=None))
