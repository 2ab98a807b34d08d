"""Plans a batch of a captured table: its share of the log, or a new copy of the table where there is no log to go on from.

The slot moves in plan only, to where the last committed batch ended: what a batch has read is still there until it is committed, so
that one that fails reads it again. Which transactions are new Atoll's own cursor decides; a slot may fall back when its server dies.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import TablePlan, Window
from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Table
from slices.collect.postgres.capture import requirements, slots
from slices.collect.postgres.capture.pgoutput import lsn_of, lsn_text
from slices.collect.postgres.capture.places import here
from slices.collect.postgres.capture.requirements import Captured
from slices.collect.postgres.capture.slots import Slot
from slices.collect.postgres.config import Config
from slices.collect.postgres.horizon import written_since
from systems.postgres import catalog
from systems.postgres.catalog import TableName
from systems.sql_source.cursor_window import Bounds
from systems.sql_source.members import Members
from systems.sql_source.parts import table_plan
from systems.sql_source.relation import Relation

if TYPE_CHECKING:
    from psycopg import Connection as Session

log = logging.getLogger(__name__)
# Of log, within which a batch without changes is found out by looking and recorded by plan alone: then its slot stays behind.
LOOKED_THROUGH_BYTES = 2**24
_ENDED = "SELECT txid_snapshot_xmin(txid_current_snapshot())"
_TEXTS = """SELECT name FROM unnest(%s::text[]) AS wanted (name) JOIN pg_type t ON t.oid = to_regtype(name)
WHERE t.typtype = 'e' OR t.typnamespace = 'pg_catalog'::regnamespace AND t.typname ~ '^reg'"""


@dataclass(frozen=True)
class State:
    """What a batch left: that all of this slot's log was read up to a place, of the server with this identifier, and of which table.

    upto: '16/B374D848'.  table: its oid.  members: `Members` of it, by which its values change that are in no log; None for not
    known.  ended: the transaction before which all had ended then.
    """

    slot: str
    upto: str
    system: str
    table: int
    members: Mapping[str, Any] | None = None
    ended: int = 0

    @staticmethod
    def of(cursor: str) -> State | None:
        """None at first, and of a cursor that a statement without CAPTURE has left."""
        with suppress(ValueError, KeyError, TypeError):
            values = json.loads(cursor)
            named = values["slot"], values["upto"], values["system"], values["table"]
            return State(*named, values.get("members"), values.get("ended", 0))
        return None

    def to_text(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class LogPart:
    """What of the log an extract reads: of transactions whose commit begins in [since, until), what happened to a table.

    columns: of the source, its names and types, in the order of the schema.  key: names of the source.
    """

    slot: str
    publication: str
    oid: int
    since: str
    until: str
    table: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]


class CapturePlan:
    """Plans captured tables over one session. owner: names the installation."""

    def __init__(self, session: Session[Any], config: Config, owner: str, max_parts: int, part_mb: int) -> None:
        self._session, self._config, self._owner = session, config, owner
        self._publication, self._most_bytes = config.publication, config.most_log_bytes
        self._max_parts, self._part_mb = max_parts, part_mb

    def of(self, flow: Flow, table: Table, relation: Relation, window: Window) -> TablePlan | None:
        """None where nothing has changed. Raises DefinitionError for what is missing, and for a slot that is given up."""
        session, place = self._session, str(flow.position)
        name = self._found(table, place)
        sources = {column.name: column.source for column in relation.schema.columns if column.source}
        key = tuple(sources.get(column, column) for column in flow.key)
        folded = [source.lower() for source in sources.values()]
        captured = requirements.check(session, name, self._publication, [k.lower() for k in key], folded, place)
        own = slots.slot_name(self._owner, table.dataset)
        slot = slots.find(session, own, place)
        now, system = here(session)
        state = State.of(window.cursor)
        part = LogPart(own, self._publication, captured.oid, lsn_text(now), lsn_text(now), name.quoted, self._columns(relation), key)
        if window.rerun:  # its changes are in the log no more; the slot, which later batches go on with, stays as it is
            return self._copy(flow, relation, window, part, window.cursor or "{}")
        if slot is not None:
            self._give_up(slot, place)
        members = Members.of(relation.members).to_plain()
        if state is None or slot is None or self._gone(state, slot, captured, now, system) or self._rewritten(state, name, relation):
            made = slots.make(session, own, place)
            if requirements.keeps_any_log(session):
                log.warning("%s: %s", place, requirements.ANY_LOG)
            state = State(own, lsn_text(made.confirmed), system, captured.oid, members, self._ended())
            return self._copy(flow, relation, window, replace(part, since=state.upto), state.to_text())
        slots.advance(session, slot, lsn_of(state.upto), place)
        if now <= lsn_of(state.upto) or self._quiet(state, captured, now):
            return None
        cursor = replace(state, upto=lsn_text(now), members=members, ended=self._ended()).to_text()
        return self._whole(flow, relation, window, replace(part, since=state.upto), cursor, copy=False)

    def _found(self, table: Table, place: str) -> TableName:
        found = catalog.find_table(self._session, table.source, self._config.default_schema)
        if found is None:
            raise catalog.missing_table(self._session, table.source, self._config.default_schema, place)
        return found

    def _columns(self, relation: Relation) -> tuple[tuple[str, str], ...]:
        """The source's columns, each with the type as which PostgreSQL reads its text.

        What is a text anyhow stays one where its words depend on what there is now: a label of an enum that was renamed, and the
        name of a table that was dropped, no type reads any more.
        """
        found = [(column.source, column.source_type) for column in relation.schema.columns if column.source]
        texts = {name for (name,) in self._session.execute(_TEXTS, ([kind for _, kind in found],))}
        return tuple((name, "text" if kind in texts else kind) for name, kind in found)

    def _copy(self, flow: Flow, relation: Relation, window: Window, log: LogPart, cursor: str) -> TablePlan:
        """The whole table. What changes while it is read comes again with the log, which begins before it is read.

        One that is not the first tells which rows are no more, for which it reads the log behind it as well.
        """
        if window.first:
            return table_plan(flow, relation, window, Bounds("", cursor, True), self._max_parts, self._part_mb)
        return self._whole(flow, relation, window, log, cursor, copy=True)

    def _whole(self, flow: Flow, relation: Relation, window: Window, log: LogPart, cursor: str, *, copy: bool) -> TablePlan:
        """One part: of the log, whose texts are read as columns of these names, or of the table."""
        named = replace(relation, columns=tuple(identifier(source) for source, _ in log.columns))
        table, texts = (table_plan(flow, each, window, Bounds("", cursor, copy), 1, self._part_mb) for each in (relation, named))
        part = {"log": asdict(log), "part": {**texts.parts[0], "first_page": 0, "end_page": 0}, "table": table.parts[0], "copy": copy}
        return replace(table, cursor=cursor, parts=(part,))

    def _gone(self, state: State, slot: Slot, captured: Captured, now: int, system: str) -> bool:
        """Whether the log after the last batch is not there: the server was restored, the table or the slot made anew or moved."""
        moved = slot.confirmed > lsn_of(state.upto)
        return moved or slot.name != state.slot or now < lsn_of(state.upto) or (system, captured.oid) != (state.system, state.table)

    def _rewritten(self, state: State, name: TableName, relation: Relation) -> bool:
        """Whether rows have other values that no log tells: by the catalog, or since ALTER TABLE has written all of them anew.

        TRUNCATE and VACUUM FULL make other files too; the latter's rows are as old as before. Where looking takes long, it is so.
        """
        import psycopg

        known = Members.from_plain(state.members)
        if known is None:
            return False
        table, *values = relation.members
        if known.come(values) or known.rewritten(values):
            return True
        if not known.rewritten([table]):
            return False
        since = f"SELECT FROM {name.quoted} WHERE {written_since(state.ended)}"
        try:
            found = self._session.execute(f"SELECT EXISTS ({since}) AND NOT EXISTS ({since} IS NOT TRUE)").fetchone()
        except psycopg.errors.QueryCanceled:
            return True
        return bool(found and found[0])

    def _ended(self) -> int:
        found = self._session.execute(_ENDED).fetchone()
        assert found is not None
        return int(found[0])

    def _give_up(self, slot: Slot, place: str) -> None:
        """Raises DefinitionError for a slot that is lost, or for which too much log is kept; it is dropped before."""
        if not slot.lost and slot.retained_bytes <= self._most_bytes:
            return
        slots.drop(self._session, slot.name, place)
        if slot.lost:
            cause = f"the server has given up the replication slot {slot.name}: it kept more log than max_slot_wal_keep_size allows"
        else:
            kept = f"{slot.retained_bytes / 2**30:,.1f} GB"
            cause = f"the server kept {kept} of log for the replication slot {slot.name}, which is dropped: max_log_gb allows less"
        remedy = (
            "nothing: the next attempt copies the table anew; see which batches did not run, and whether a transaction is left open"
        )
        raise DefinitionError(cause, place=place, remedy=remedy)

    def _quiet(self, state: State, captured: Captured, now: int) -> bool:
        """Whether a short piece of log holds nothing of the table."""
        from slices.collect.postgres.capture.log import any_change

        short = now - lsn_of(state.upto) <= LOOKED_THROUGH_BYTES
        return short and not any_change(self._session, state.slot, self._publication, captured.oid, lsn_of(state.upto), now)
