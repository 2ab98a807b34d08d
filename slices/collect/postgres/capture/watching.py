"""Looks after all slots of an installation in a database, also those whose own batches do not run, or whose statement went."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.runtime.figures import tell
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program import Flow
from shared_metadata.state.timeline import Programs
from slices.collect.postgres.capture import slots
from slices.collect.postgres.config import read_config
from slices.collect.postgres.slice import RETAINED_LOG, RETAINED_SHARE, SLICE

if TYPE_CHECKING:
    from psycopg import Connection as Session

Bounds = Callable[[], Mapping[str, int]]
log = logging.getLogger(__name__)
_OF_INSTALLATION = """SELECT slot_name, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint
FROM pg_replication_slots WHERE plugin = %s AND database = current_database() AND NOT pg_is_in_recovery() AND slot_name ~ %s
ORDER BY slot_name"""


def bounds_of(programs: Programs, now: datetime, owner: str) -> dict[str, int]:
    """Slot ▸ the bytes of log that its connection allows for it, of each table that the present program captures, or one to come.

    Of several the last says. A former program says nothing, however long its last batches take: its statement went.
    """
    found, first = dict[str, int](), programs.entries.index(programs.active(now))
    for _, program in programs.entries[first:]:
        for flow in program.flows.values():
            if flow.slice_id == SLICE.id and flow.capture:
                with suppress(DefinitionError):  # its own batches say what is wrong
                    found |= dict.fromkeys(_own(flow, owner), read_config(program.connections[flow.connection]).most_log_bytes)
    return found


class Slots:
    """All slots of an installation in a database.

    owner: names the installation.  most_bytes: of log for a slot of the connection's own, and for one that no statement has any more.
    bounds: as `bounds_of`, for others.
    """

    def __init__(self, owner: str, most_bytes: int, bounds: Bounds) -> None:
        self._owner, self._most_bytes, self._bounds = owner, most_bytes, bounds
        self._watched = False

    def watch(self, session: Session[Any], flow: Flow) -> None:
        """Tells, once, how much log the server keeps for the slot that holds it back most, and how much that is of what is allowed;
        drops those for which it keeps more, but for the flow's own: its batch does that, and fails.

        What keeps this from looking fails no batch: the age of the server, or rights that were taken away.
        """
        import psycopg

        if self._watched:
            return
        self._watched = True
        try:
            kept = dict(session.execute(_OF_INSTALLATION, (slots.PLUGIN, slots.names_of(self._owner))).fetchall())
        except psycopg.Error as error:
            log.warning("replication slots cannot be looked at: %s", error.sqlstate)
            return
        others = kept.keys() - _own(flow, self._owner)
        bounds = self._bounds() if others else {}
        allowed = {name: bounds.get(name, self._most_bytes) if name in others else self._most_bytes for name in kept}
        if kept:
            tell(RETAINED_LOG, max(kept.values()), "Bytes")
            tell(RETAINED_SHARE, max(100 * size / allowed[name] for name, size in kept.items()), "Percent")
        for name in sorted(others):
            if too_much(kept[name], allowed[name]):
                _give_up(session, name, kept[name], str(flow.position))


def too_much(kept_bytes: int, most_bytes: int) -> bool:
    return kept_bytes > most_bytes


def _own(flow: Flow, owner: str) -> set[str]:
    return {slots.slot_name(owner, table.dataset) for table in flow.tables} if flow.capture else set()


def _give_up(session: Session[Any], name: str, kept_bytes: int, place: str) -> None:
    import psycopg

    try:
        slots.drop(session, name, place)
    except RetryLater:  # it is read, so its batch looks after it
        return
    except psycopg.Error as error:
        log.warning("the replication slot %s cannot be dropped: %s", name, error.sqlstate)
        return
    told = "%.1f GB of log were kept for the replication slot %s, more than max_log_gb: it is dropped, and its table copied anew"
    log.warning(told, kept_bytes / 2**30, name)
