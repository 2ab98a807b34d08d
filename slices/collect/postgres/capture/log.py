"""Looks at the log of a slot without moving it: the messages that concern one table, as the server decodes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from shared_metadata.errors import DefinitionError
from slices.collect.postgres.capture import slots
from slices.collect.postgres.capture.pgoutput import Decoder, lsn_text
from systems.sql_source.capture.changes import Change

if TYPE_CHECKING:
    from psycopg import Connection as Session

MESSAGES_AT_ONCE = 200  # of large rows too they are held in memory
# Other tables' messages stay on the server. A message's first byte is its kind, and but for B (begin) and T (truncate) the next four
# are the table's oid. https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
_PEEK = """SELECT data FROM pg_logical_slot_peek_binary_changes(%(slot)s, %(until)s::pg_lsn, NULL,
  'proto_version', '1', 'publication_names', %(publication)s)
WHERE get_byte(data, 0) IN (66, 84) OR get_byte(data, 0) IN (68, 73, 82, 85) AND substring(data FROM 2 FOR 4) = %(table)s"""


def changes(session: Session[Any], slot: str, publication: str, oid: int, since: int, until: int, place: str) -> Iterator[Change]:
    """The changes of a table by transactions whose commit begins in [since, until), in their order, in the memory of a few.

    Raises DefinitionError where the log is not there, RetryLater where another session reads it; and psycopg.Error.
    """
    import psycopg

    decoder = Decoder(oid, since, until)
    try:
        with session.transaction(), session.cursor("atoll_log", binary=True) as messages:
            messages.itersize = MESSAGES_AT_ONCE
            messages.execute(_PEEK, _parameters(slot, publication, oid, until))
            for (message,) in messages:
                yield from decoder.changes(message)
    except psycopg.errors.ObjectInUse:
        raise slots.in_use(slot, place) from None
    except psycopg.errors.UndefinedObject as error:
        cause = f"the log cannot be read: {error.diag.message_primary}"
        remedy = f"make it again, and SELECT pg_drop_replication_slot('{slot}'): then the next attempt copies the table anew"
        raise DefinitionError(cause, place=place, remedy=remedy) from None
    check(session, slot, since, place)


def check(session: Session[Any], slot: str, since: int, place: str) -> None:
    """Raises DefinitionError where the slot's log does not begin at `since`, or before."""
    found = slots.find(session, slot, place)
    if found is None or found.lost or found.confirmed > since:
        state = "is gone" if found is None else "is lost" if found.lost else f"was moved to {lsn_text(found.confirmed)} by another"
        remedy = "nothing: the next attempt copies the table anew; see who drops or reads Atoll's slots"
        raise DefinitionError(f"the replication slot {slot} {state} while its log was read", place=place, remedy=remedy)


def any_change(session: Session[Any], slot: str, publication: str, oid: int, since: int, until: int) -> bool:
    """Whether the log has a change of the table. Where that takes long, or cannot be told now, there may be one."""
    import psycopg

    decoder = Decoder(oid, since, until)
    try:
        with session.cursor(binary=True) as messages:
            messages.execute(_PEEK, _parameters(slot, publication, oid, until))
            return any(True for (message,) in messages for _ in decoder.changes(message))
    except psycopg.Error:
        return True


def _parameters(slot: str, publication: str, oid: int, until: int) -> dict[str, Any]:
    names = '"' + publication.replace('"', '""') + '"'
    return {"slot": slot, "until": lsn_text(until), "publication": names, "table": oid.to_bytes(4, "big")}
