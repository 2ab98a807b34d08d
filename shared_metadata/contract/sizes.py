"""How large what a flow works with is, and what its slice's functions, as they are deployed, cannot do with so much of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from shared_metadata.program import Flow, Table

SPARE_SECONDS = 60  # of a function's time limit, for what comes before and after the rows
MOST_CALLS = 100  # of one step that says Unfinished each time: a day


@dataclass(frozen=True)
class Size:
    """A table's size, as its source or its warehouse estimates it; None where it does not tell."""

    rows: int | None = None
    bytes: int | None = None


UNKNOWN = Size()


@dataclass(frozen=True)
class Given:
    """What a deployed function may use. seconds: how long a call may take."""

    memory_mb: int
    tmp_mb: int
    seconds: int


@dataclass(frozen=True)
class Asked:
    """One table of a flow.

    brings: what its first batch takes of the source, where that is a whole table.  stands: what the flow's own table holds already.
    rewrote: what of that its last batch has written anew, beside its own rows.  looked: the rows among which it looked for its keys.
    sent: rows that its last batch has sent, where it publishes.
    types: column ▸ its type, as far as they are known.  options: of the flow's connection or warehouse.
    """

    flow: Flow
    table: Table
    brings: Size = UNKNOWN
    stands: Size = UNKNOWN
    types: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    rewrote: Size = UNKNOWN
    looked: int | None = None
    sent: int | None = None


@dataclass(frozen=True)
class TooMuch:
    """refused: it cannot end well; else it ends, and the user should know how."""

    what: str
    remedy: str
    refused: bool = True


# `Slice.sizes`: functions that are deployed ▸ what they were given.
Judge = Callable[[Asked, Mapping[str, Given]], Sequence[TooMuch]]


@runtime_checkable
class Measures(Protocol):
    """A Catalog that tells cheaply how large tables are."""

    def sizes(self, tables: Sequence[str]) -> dict[str, Size]:
        """The sizes of those tables that it can tell of, without reading their rows."""
        ...
