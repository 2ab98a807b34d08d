"""Reads a share of a binary log: what its transactions have done to one table, by a library that speaks the protocol.

The library's own values are not used, since it makes null of a zero date, and it is given one session, since it would connect again
for ever. It reads as number 0, as mysqlbinlog does, which no replica has: so no reader ever throws out another.

https://github.com/julien-duponchelle/python-mysql-replication
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from shared_metadata.errors import DefinitionError, RetryLater
from slices.collect.mysql.capture.positions import Share
from slices.collect.mysql.capture.rows import RowReader, Unreadable
from slices.collect.mysql.capture.statements import Means, meaning
from systems.mysql.catalog import TableName
from systems.mysql.failures import number_of
from systems.sql_source.capture.changes import Change, TooLong

if TYPE_CHECKING:
    from pymysql import Connection as Session

READER = 0
RIGHTS = {True: "REPLICATION SLAVE, BINLOG MONITOR", False: "REPLICATION SLAVE, REPLICATION CLIENT"}  # by whether it is MariaDB
DENIED = frozenset({1045, 1227})
GONE = frozenset({1236, 1373})  # the log does not begin there any more, or it is another server's
_DUMP = 18  # COM_BINLOG_DUMP
_PREPARED = 0x40  # a flag of MariaDB's transactions
# Events that no row is in: of a statement's own circumstances, of other servers, and such as may be passed over.
_HARMLESS = frozenset({3, 5, 13, 14, 27, 28, 29, 34, 35, 36, 37, 41, 160, 161, 163, 164})
_STRANGE = (ValueError, LookupError, TypeError, AttributeError, struct.error, NotImplementedError, AssertionError, Unreadable)


class Untold(Exception):
    """The log does not tell all that happened to the table: only the table does."""


class Log:
    """The log of a server, for one table.

    mariadb: whose server it is.  kinds: name of a column, folded, ▸ its name and the kind of literal of its values.
    """

    def __init__(
        self, connect: Callable[[], Session[Any]], mariadb: bool, table: TableName, kinds: Mapping[str, tuple[str, str]], place: str
    ) -> None:
        self._connect, self._mariadb, self._table, self._kinds, self._place = connect, mariadb, table, kinds, place
        self._prepared: dict[str, bool] = {}
        self.told = 0

    def check(self, since: str) -> None:
        """Raises Untold where the log does not begin at a place, or before."""
        with closing(self._reader(since)) as reader:
            self._next(reader)

    def changes(self, since: str, share: Share, seconds: float, skipped: int = 0) -> Iterator[Change]:
        """Those of a share, in their order, in the memory of one event. skipped: those of the first transaction, told before.

        `told` counts those of the transaction at work; the share knows which were read whole. Raises Untold, TooLong, and RetryLater
        where the log ends before the share.
        """
        giving_up = time.monotonic() + seconds
        number, self.told = 0, skipped
        with closing(self._reader(since)) as reader:
            within, begun, at = False, False, ""
            while (event := self._next(reader)) is not None:
                if time.monotonic() > giving_up:
                    raise TooLong
                if (transaction := getattr(event, "gtid", None)) is not None:
                    if begun and within:
                        share.finished(at)
                        number = skipped = self.told = 0
                    if begun and share.done:
                        return
                    begun, within, at = True, share.has(transaction), transaction
                    self._begin("" if getattr(event, "flags", 0) & _PREPARED else None)
                elif type(event).__name__ == "NotImplementedEvent":  # which may be where a transaction begins
                    if event.event_type not in _HARMLESS:
                        raise Untold(f"the binary log has an event that is not read here ({event.event_type})")
                elif type(event).__name__ == "FormatDescriptionEvent":  # of a server that may have begun to number its tables anew
                    reader.table_map.clear()
                elif within:
                    for change in self._of(event):
                        number += 1
                        if number > skipped:
                            self.told = number
                            yield change
            if not share.done:
                remedy = "nothing, the batch is tried again; a replica may be asked that is behind the one that was planned with"
                raise RetryLater("the binary log ends before the place that the plan has seen", place=self._place, remedy=remedy)

    def _reader(self, since: str) -> Any:
        from pymysqlreplication import BinLogStreamReader, event, row_event

        wanted = (
            *(event.RotateEvent, event.FormatDescriptionEvent, event.GtidEvent, event.MariadbGtidEvent, event.QueryEvent),
            *(event.XAPrepareEvent, event.NotImplementedEvent, row_event.WriteRowsEvent, row_event.UpdateRowsEvent),
            *(row_event.DeleteRowsEvent, row_event.PartialUpdateRowsEvent),
        )
        return BinLogStreamReader(
            connection_settings={},
            server_id=READER,
            blocking=False,
            only_events=wanted,
            filter_non_implemented_events=False,
            auto_position=since,
            is_mariadb=self._mariadb,
            only_tables=[self._table.name],
            only_schemas=[self._table.schema],
            pymysql_wrapper=_Once(self._connect),
            enable_logging=False,
        )

    def _next(self, reader: Any) -> Any:
        """The next event; None at the log's end."""
        import pymysql

        try:
            return reader.fetchone()
        except pymysql.err.Error as error:
            if number_of(error) in GONE:
                raise Untold("the binary log does not begin where the last batch ended") from None
            if number_of(error) in DENIED:
                cause, remedy = "the secret's user may not read the binary log", f"GRANT {RIGHTS[self._mariadb]} ON *.* to it"
                raise DefinitionError(cause, place=self._place, remedy=remedy) from None
            raise
        except _STRANGE as error:
            raise Untold(f"the binary log has what is not understood ({type(error).__name__})") from None

    # -- one transaction

    def _begin(self, prepared: str | None) -> None:
        """prepared: of a transaction that is not committed yet, its name, '' for not known yet."""
        self._name, self._rows = prepared, False

    def _of(self, event: Any) -> Iterator[Change]:
        name = type(event).__name__
        if name == "QueryEvent":
            yield from self._statement(event.query, event.schema.decode(errors="replace"))
        elif name == "XAPrepareEvent":
            if event.one_phase and self._rows:
                raise Untold("a distributed transaction")
        elif name.endswith("RowsEvent"):
            self._rows = True
            if self._name is None:
                yield from self._changes(event, name)
            else:
                self._prepared[self._name] = True

    def _statement(self, text: str, database: str) -> Iterator[Change]:
        words = text.split(None, 2)
        first, second = (*(word.upper() for word in words[:2]), "", "")[:2]
        if first == "XA":
            self._distributed(second, words[2] if len(words) > 2 else "")
        elif first == "ROLLBACK" and second != "TO" and self._rows:
            raise Untold("a transaction whose rows were taken back")
        means = meaning(text, database, self._table.schema, self._table.name)
        if means is Means.UNTOLD:
            raise Untold("a statement that changes the table without telling rows")
        if means is Means.EMPTIED:
            yield Change(None, None)

    def _distributed(self, word: str, name: str) -> None:
        """Rows of a transaction in two phases stand where it was prepared, perhaps in a former share; it is committed here."""
        if word in ("START", "BEGIN"):
            self._name = name
            self._prepared[name] = False
        elif word == "COMMIT" and self._prepared.pop(name, True):
            raise Untold("a distributed transaction")
        elif word == "ROLLBACK":
            self._prepared.pop(name, None)

    def _changes(self, event: Any, name: str) -> Iterator[Change]:
        if any(column.name is None for column in event.columns):
            raise Untold("the binary log does not name its columns (binlog_row_metadata)")
        try:
            data = event.packet.read(event.event_size - event.packet.read_bytes)
            reader = RowReader(event.columns, self._kinds)
            if name in ("UpdateRowsEvent", "PartialUpdateRowsEvent"):
                images = event.columns_present_bitmap, event.columns_present_bitmap2
                changed = reader.names(images[1])  # of a row whose log is short; the others are as they were
                for before, after in reader.rows(data, *images, partial=name.startswith("Partial")):
                    yield Change(before, {**{n: value for n, value in before.items() if n not in changed}, **after})
            else:
                for (row,) in reader.rows(data, event.columns_present_bitmap):
                    yield Change(row, None) if name == "DeleteRowsEvent" else Change(None, row)
        except _STRANGE as error:
            raise Untold(f"the binary log has rows that are not understood ({type(error).__name__})") from None


class _Once:
    """Gives the library its two sessions: of the stream and beside it. A second stream it is not given."""

    def __init__(self, connect: Callable[[], Session[Any]]) -> None:
        self._connect, self._streams = connect, 0

    def __call__(self, **settings: Any) -> Session[Any]:
        import pymysql

        beside = settings.get("cursorclass")
        self._streams += not beside
        if self._streams > 1:
            raise pymysql.err.InterfaceError(2013, "the connection was lost")
        session = self._connect()
        if beside:
            session.cursorclass = beside
        else:
            _tell_lengths(session)
        return session


def _tell_lengths(session: Any) -> None:
    """Corrects the length of the request for a log of MariaDB's, which the library says too small.

    The server leaves the rest of it unread, and a connection that is closed like that is reset: what was on its way is lost.
    """
    write = session._write_bytes

    def written(data: bytes) -> None:
        dumps = data[4:5] == bytes([_DUMP])
        write((len(data) - 4).to_bytes(3, "little") + data[3:] if dumps else data)

    session._write_bytes = written
