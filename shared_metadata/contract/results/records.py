"""The records of a CSV file, by their numbers."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

BLOCK_BYTES = 1 << 20
FIELD_BYTES = 2**31 - 1  # csv refuses what is longer, by itself from 128 KB on


class Records:
    """The records of a CSV file in which every text is quoted; each begins with the part's number and the row's."""

    def __init__(self, path: Path) -> None:
        self._path, self._ends = path, array("q", [0])
        at, within = 0, False
        with path.open("rb") as lines:
            for line in lines:
                at, within = at + len(line), within ^ bool(line.count(b'"') % 2)
                if not within:
                    self._ends.append(at)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def blocks(self, first: int, end: int) -> Iterator[bytes]:
        """The bytes of the records [first, end)."""
        with self._path.open("rb") as file:
            file.seek(self._ends[first])
            left = self._ends[end] - self._ends[first]
            while left and (block := file.read(min(left, BLOCK_BYTES))):
                left -= len(block)
                yield block

    def fields(self, record: int) -> list[str]:
        return next(fields_of(self.blocks(record, record + 1)))


def fields_of(blocks: Iterable[bytes]) -> Iterator[list[str]]:
    """The fields of each record of a CSV, which comes in blocks of any size."""
    csv.field_size_limit(FIELD_BYTES)
    return csv.reader(line.decode() for line in _lines(blocks))


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        *whole, last = block.split(b"\n")
        if whole:
            yield rest + whole[0] + b"\n"
            yield from (line + b"\n" for line in whole[1:])
            rest = b""
        rest += last
    if rest:
        yield rest
