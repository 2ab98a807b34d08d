"""The replication slot of a table: the place in the log from which PostgreSQL keeps it, made, moved and given up by plan alone."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared_metadata.errors import DefinitionError, RetryLater
from slices.collect.postgres.capture.pgoutput import lsn_of, lsn_text

if TYPE_CHECKING:
    from psycopg import Connection as Session

PLUGIN = "pgoutput"
LONGEST_WORD = 30  # of 63 bytes that a name may have, which is lower case, digits and _
DIGITS = 8  # of what tells installations apart, and of what tells their datasets apart
_FIND = """SELECT plugin, database, active, wal_status, confirmed_flush_lsn::text, restart_lsn::text,
  coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint
FROM pg_replication_slots WHERE slot_name = %s"""
_OLDEST = """SELECT extract(epoch FROM now() - min(xact_start))::bigint FROM pg_stat_activity
WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()"""


@dataclass(frozen=True)
class Slot:
    """A slot as the server has it.

    confirmed: from where its log is given.  retained_bytes: of log that the server keeps for it.  lost: it keeps none any more.
    """

    name: str
    confirmed: int
    retained_bytes: int
    lost: bool
    active: bool


def slot_name(owner: str, dataset: str) -> str:
    """The name of a table's slot, the same in every batch. owner: names the installation, so that two never share a slot."""
    word = re.sub(r"[^a-z0-9]+", "_", dataset.removesuffix(":staged").lower())[-LONGEST_WORD:].strip("_")
    return f"atoll_{word}_{_digest(owner)}{_digest(dataset)}"


def names_of(owner: str) -> str:
    """A regular expression that the names of an installation's slots meet, and no others."""
    return f"^atoll_[a-z0-9_]*_{_digest(owner)}[0-9a-f]{{{DIGITS}}}$"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def find(session: Session[Any], name: str, place: str) -> Slot | None:
    """Raises DefinitionError for a slot of that name that is none of ours."""
    found = session.execute(_FIND, (name,)).fetchone()
    if found is None:
        return None
    plugin, database, active, status, confirmed, restart, retained = found
    if plugin != PLUGIN or database != session.info.dbname:
        cause = f"the replication slot {name} is another's: of the plugin {plugin}, in the database {database}"
        raise DefinitionError(cause, place=place, remedy=f"SELECT pg_drop_replication_slot('{name}') if nobody needs it")
    lost = status == "lost" or restart is None or confirmed is None
    return Slot(name, 0 if lost else lsn_of(confirmed), int(retained), lost, bool(active))


def make(session: Session[Any], name: str, place: str) -> Slot:
    """Makes the slot anew. All that was committed before the place from which it gives the log any later snapshot sees.

    Raises RetryLater while transactions that have written are open: the slot begins where none of them is.
    """
    import psycopg

    drop(session, name, place)
    try:
        session.execute("SELECT pg_create_logical_replication_slot(%s, %s)", (name, PLUGIN))
    except psycopg.errors.QueryCanceled:
        row = session.execute(_OLDEST).fetchone()
        oldest = row[0] if row and row[0] is not None else 0
        cause = f"the replication slot {name} could not be made: a transaction that has written is open since {oldest} s"
        raise RetryLater(cause, place=place, remedy="nothing if it ends; else end it (pg_stat_activity tells which)") from None
    except psycopg.errors.ConfigurationLimitExceeded:
        cause = f"the replication slot {name} could not be made: all that the server may have (max_replication_slots) are in use"
        remedy = "raise max_replication_slots and restart the server, or drop slots that nobody needs (pg_replication_slots)"
        raise DefinitionError(cause, place=place, remedy=remedy) from None
    found = find(session, name, place)
    assert found is not None
    return found


def drop(session: Session[Any], name: str, place: str) -> None:
    """Drops the slot, if it is there."""
    import psycopg

    try:
        session.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", (name,))
    except psycopg.errors.ObjectInUse:
        raise in_use(name, place) from None


def advance(session: Session[Any], slot: Slot, to: int, place: str) -> None:
    """Lets the server forget the log before a place up to which all is committed in Atoll."""
    import psycopg

    if slot.confirmed >= to:
        return
    try:
        session.execute("SELECT pg_replication_slot_advance(%s, %s::pg_lsn)", (slot.name, lsn_text(to)))
    except psycopg.errors.ObjectInUse:
        raise in_use(slot.name, place) from None


def in_use(name: str, place: str) -> RetryLater:
    remedy = "nothing if it passes: a former attempt may still read it; else see who does (pg_replication_slots.active_pid)"
    return RetryLater(f"the replication slot {name} is read by another session", place=place, remedy=remedy)
