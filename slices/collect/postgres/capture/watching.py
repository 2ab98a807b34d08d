"""Looks after all slots of an installation in a database, also those whose own batches do not run, or whose statement went."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.runtime.figures import tell
from shared_metadata.errors import RetryLater
from slices.collect.postgres.capture import slots
from slices.collect.postgres.slice import RETAINED_LOG

if TYPE_CHECKING:
    from psycopg import Connection as Session

log = logging.getLogger(__name__)
_OF_INSTALLATION = """SELECT slot_name, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint
FROM pg_replication_slots WHERE plugin = %s AND database = current_database() AND NOT pg_is_in_recovery() AND slot_name ~ %s"""


def watch(session: Session[Any], owner: str, own: Collection[str], most_bytes: int, place: str) -> None:
    """Tells how much log the server keeps for the slot that holds it back most, and drops those for which it keeps too much.

    own: slots of the batch at work, which looks after them itself, and fails where one is given up. What keeps this from looking
    fails no batch: the age of the server, or rights that were taken away.
    """
    import psycopg

    try:
        kept = dict(session.execute(_OF_INSTALLATION, (slots.PLUGIN, slots.names_of(owner))).fetchall())
    except psycopg.Error as error:
        log.warning("replication slots cannot be looked at: %s", error.sqlstate)
        return
    if kept:
        tell(RETAINED_LOG, max(kept.values()), "Bytes")
    for name in sorted(name for name, size in kept.items() if too_much(size, most_bytes) and name not in own):
        try:
            slots.drop(session, name, place)
        except RetryLater:  # it is read, so its batch looks after it
            continue
        except psycopg.Error as error:
            log.warning("the replication slot %s cannot be dropped: %s", name, error.sqlstate)
            continue
        told = "%.1f GB of log were kept for the replication slot %s, more than max_log_gb: it is dropped, and its table copied anew"
        log.warning(told, kept[name] / 2**30, name)


def too_much(kept_bytes: int, most_bytes: int) -> bool:
    return kept_bytes > most_bytes
