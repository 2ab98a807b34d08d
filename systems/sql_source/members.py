"""The tables that a relation's rows are in. One that has come since the last batch may hold rows that no window meets.

A partition is attached with the rows that it has, a table takes another's name, and a table that is truncated and filled anew holds
rows with the cursor values of before: none of it changes a cursor. Nor does a name that values have in the catalog, as an enum's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any


@dataclass(frozen=True)
class Member:
    """One table, or something by which the values of its rows change with none of them written.

    number: which it is, for as long as it is there.  file: where its rows are kept, or what the values are; another one when all of
    them were written anew.  rows: the condition of its rows over what is read, '' where rows do not tell.  empty: it has none.
    """

    number: int
    file: int
    name: str
    rows: str = ""
    empty: bool = False


@dataclass(frozen=True)
class Members:
    """Those of one batch. files: number ▸ file."""

    files: Mapping[int, int]

    @staticmethod
    def of(members: Iterable[Member]) -> Members:
        return Members({member.number: member.file for member in members})

    @staticmethod
    def from_plain(values: Mapping[str, Any] | None) -> Members | None:
        """None for what a batch before these were kept has left."""
        if values is None:
            return None
        others = values.get("files", {})
        return Members({number: others.get(str(number), number) for number in accumulate(values["ids"])})

    def to_plain(self) -> dict[str, Any]:
        """Numbers as their distances, for a table may have thousands of partitions; files where they have another number."""
        numbers = sorted(self.files)
        others = {str(number): file for number, file in sorted(self.files.items()) if file != number}
        return {"ids": [*numbers[:1], *(after - before for before, after in pairwise(numbers))], "files": others}

    def and_also(self, before: Members | None) -> Members:
        return Members({**before.files, **self.files}) if before else self

    def come(self, members: Sequence[Member]) -> list[Member]:
        """Those of `members` that hold rows and are not among these; none where nothing of them was kept yet."""
        return [] if not self.files else [member for member in members if member.number not in self.files and not member.empty]

    def rewritten(self, members: Sequence[Member]) -> list[Member]:
        """Those whose rows have all been written anew since."""
        return [member for member in members if self.files.get(member.number, member.file) != member.file]
