"""What capture by the rooms' code needs of MySQL: a table's share of its log, and its values as SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from slices.collect.mysql.capture.kinds import null_of
from slices.collect.mysql.capture.log import Log, Untold
from slices.collect.mysql.capture.positions import MariadbShare, MysqlShare, Share
from systems.mysql.catalog import TableName, identifier
from systems.sql_source.capture.changes import Change

if TYPE_CHECKING:
    from slices.collect.mysql.client import MysqlSource


@dataclass(frozen=True)
class LogPart:
    """What of the log an extract reads: of the transactions that are before `until` and not before `since`, what happened to a table.

    transactions: of MySQL, those between; '' of MariaDB, where the two places tell.  columns: names of the source, and the kinds of
    literals of their values.  key: names of the source, each with its character set and collation, '' of what is no text.
    """

    mariadb: bool
    since: str
    until: str
    transactions: str
    schema: str
    table: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[tuple[str, str, str], ...]

    @property
    def share(self) -> Share:
        return MariadbShare(self.since, self.until) if self.mariadb else MysqlShare(self.since, self.transactions)

    @property
    def name(self) -> TableName:
        return TableName(self.schema, self.table)

    def log(self, source: MysqlSource, seconds: float, place: str) -> Log:
        kinds = {name.lower(): (name, kind) for name, kind in self.columns}
        return Log(partial(source.connect, seconds), self.mariadb, self.name, kinds, place)


class MysqlLog:
    """The TableLog of systems/sql_source/capture."""

    chunk_bytes = 2**20  # of literals; a server takes statements of 4 MB, or more

    def __init__(self, source: MysqlSource, asked: LogPart, place: str) -> None:
        self._source, self._asked, self._place = source, asked, place
        self.table, self.since = asked.name.quoted, asked.since
        self.columns, self.key = [name for name, _ in asked.columns], [name for name, _, _ in asked.key]
        self._texts = {name: (charset, collation) for name, charset, collation in asked.key if charset}
        self._read: tuple[Log, Share] | None = None

    @property
    def mark(self) -> Mapping[str, Any] | None:
        """The place behind the transactions that were read whole, those that are left of MySQL's, and how many changes of the next
        were told."""
        if self._read is None:
            return None
        log, share = self._read
        return {"since": share.place, "transactions": share.left, "told": log.told}

    def changes(self, seconds: float, mark: Mapping[str, Any] | None = None) -> Iterator[Change]:
        asked = replace(self._asked, since=mark["since"], transactions=mark["transactions"]) if mark else self._asked
        self._read = log, share = asked.log(self._source, seconds, self._place), asked.share
        yield from log.changes(asked.since, share, seconds, mark["told"] if mark else 0)

    def told(self, rows: Sequence[Sequence[str | None]]) -> str:
        """The first row has the types, and is no row; so there may be none."""
        kinds = [kind for _, kind in self._asked.columns]
        word = "" if self._asked.mariadb else "ROW"
        values = [[null_of(kind) for kind in kinds], *([v if v is not None else "NULL" for v in row] for row in rows)]
        listed = ", ".join(f"{word}({number}, {', '.join(row)})" for number, row in enumerate(values))
        names = ", ".join(identifier(name) for name in self.columns)
        return f"(WITH told (`number of row`, {names}) AS (VALUES {listed}) SELECT {names} FROM told WHERE `number of row` > 0)"

    def quoted(self, name: str) -> str:
        return identifier(name)

    def same(self, name: str) -> str:
        """The first condition has an index; by it texts may be the same that are not, such as `a` and `A`."""
        here, there = f"t.{identifier(name)}", f"k.{identifier(name)}"
        if name not in self._texts:
            return f"{here} = {there}"
        charset, collation = self._texts[name]
        value = f"CONVERT({there} USING {charset})"
        return f"{here} = {value} COLLATE {collation} AND CAST({here} AS BINARY) = CAST({value} AS BINARY)"

    def unkeyed(self, column: str) -> Untold:
        return Untold(f"the binary log does not tell {column}, of the key")
