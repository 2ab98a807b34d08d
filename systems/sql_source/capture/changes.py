"""What a log tells of one table: its rows' changes, and what a slice has to say of the log that it reads; no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# Names of the source's columns ▸ texts from which the source makes the values again, None for null.
Values = dict[str, str | None]


@dataclass(frozen=True)
class Change:
    """One row's change, or that all rows went.

    before: what the log tells of the row as it was: its replica identity, or all of it; None where it tells nothing, as of a new row
    and of one that kept its identity.  after: the columns of a row that is there now, without those whose values the log does not
    tell; None of one that went.  Both are None of a TRUNCATE.
    """

    before: Values | None
    after: Values | None


class TableLog(Protocol):
    """One table's share of a log.

    table: as SQL takes it.  columns, key: names of the source.  since: for messages.  chunk_bytes: of a statement's texts.
    mark: JSON-able, where what was told last stands, for another call to go on behind it; None before anything is known.
    """

    table: str
    since: str
    chunk_bytes: int

    @property
    def mark(self) -> Mapping[str, Any] | None: ...

    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def key(self) -> Sequence[str]: ...

    def changes(self, seconds: float, mark: Mapping[str, Any] | None = None) -> Iterator[Change]:
        """Tells those behind a mark in the log's order, in the memory of a few, within so many seconds.

        Raises TooLong, after which it may be gone on behind `mark`; and what the log says.
        """
        ...

    def told(self, rows: Sequence[Sequence[str | None]]) -> str:
        """What stands in FROM for rows as the log tells them, with the columns' names: the source reads the texts."""
        ...

    def quoted(self, name: str) -> str:
        """A column's name as SQL takes it."""
        ...

    def same(self, name: str) -> str:
        """The condition that `t` and `k` have the same value in a column of the key, byte by byte."""
        ...

    def unkeyed(self, column: str) -> Exception:
        """What to raise where the log does not tell a column of the key."""
        ...


@dataclass(frozen=True)
class Entry:
    """What a change says of one key: its row has gone, or is there with these values."""

    key: list[str | None]
    values: Values
    gone: bool


class Unkeyed(Exception):
    """The log does not tell the key of a row that went. column: the one that is missing."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


def entries(change: Change, key: Sequence[str]) -> Iterator[Entry]:
    """What a change of a row says: one whose key changes has two entries, and TRUNCATE none. Raises Unkeyed."""
    before, after = change.before, change.after
    now = _key_of(after, key) if after is not None else None
    if before is not None and (former := _key_of(before, key)) != now:
        yield Entry(former, dict(zip(key, former, strict=True)), gone=True)
    if after is not None and now is not None:
        yield Entry(now, after, gone=False)


def _key_of(values: Values, key: Sequence[str]) -> list[str | None]:
    missing = next((name for name in key if name not in values), None)
    if missing is not None:
        raise Unkeyed(missing)
    return [values[name] for name in key]


class TooLong(Exception):
    """The log could not be read in the time that there is."""
