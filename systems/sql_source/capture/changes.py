"""What a log tells of one table: its rows' changes, and what a slice has to say of the log that it reads; no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

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
    """

    table: str
    since: str
    chunk_bytes: int

    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def key(self) -> Sequence[str]: ...

    def changes(self, seconds: float) -> Iterator[Change]:
        """Tells them in the log's order, in the memory of a few, within so many seconds. Raises TooLong, and what the log says."""
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


class TooLong(Exception):
    """The log could not be read in the time that there is."""
