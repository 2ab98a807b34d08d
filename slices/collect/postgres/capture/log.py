"""Looks at the log of a slot without moving it: the messages that concern one table, as the server decodes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


class Log:
    """The log of a slot, of one table.

    since, until: of transactions whose commit begins in [since, until).
    """

    def __init__(self, session: Session[Any], slot: str, publication: str, oid: int, since: int, until: int, place: str) -> None:
        self._session, self._slot, self._since, self._place = session, slot, since, place
        self._parameters = _parameters(slot, publication, oid, until)
        self._decoder = Decoder(oid, since, until)
        self.told = 0

    @property
    def at(self) -> int:
        """Where the commit of the transaction at work begins, of which `told` changes were told; all before it were."""
        return max(self._decoder.commit, self._since)

    def changes(self, skipped: int = 0) -> Iterator[Change]:
        """The changes in their order, in the memory of a few. skipped: those of the first transaction that were told before.

        Raises DefinitionError where the log is not there, RetryLater where another session reads it; and psycopg.Error.
        """
        import psycopg

        try:
            with self._session.transaction(), self._session.cursor("atoll_log", binary=True) as messages:
                messages.itersize = MESSAGES_AT_ONCE
                messages.execute(_PEEK, self._parameters)
                yield from self._behind(messages, skipped)
        except psycopg.errors.ObjectInUse:
            raise slots.in_use(self._slot, self._place) from None
        except psycopg.errors.UndefinedObject as error:
            cause = f"the log cannot be read: {error.diag.message_primary}"
            remedy = f"make it again, and SELECT pg_drop_replication_slot('{self._slot}'): then the next attempt copies the table"
            raise DefinitionError(cause, place=self._place, remedy=remedy) from None
        check(self._session, self._slot, self._since, self._place)

    def _behind(self, messages: Iterable[tuple[bytes]], skipped: int) -> Iterator[Change]:
        number, at, self.told = 0, self._since, skipped
        for (message,) in messages:
            for change in self._decoder.changes(message):
                number += 1
                if number > skipped:
                    self.told = number
                    yield change
            if self.at != at:  # a transaction has begun
                number = skipped = self.told = 0
                at = self.at


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
