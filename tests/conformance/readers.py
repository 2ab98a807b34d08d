"""Readers who loop over a table while batches are committed to it: each look sees one state of it, whole."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa
import pytest

from shared_metadata.program import Mode
from tests.conformance.organize import FLIGHTS, Lake, Row, Typed

ROWS, BATCHES, READERS = 300, 4, 2
WAIT_SECONDS = 20  # for each reader's last look
COLUMNS: list[Typed] = [("id", "int", pa.int32()), ("made_by", "int", pa.int32())]
WIDER: list[Typed] = [("id", "int", pa.int32()), ("made_by", "long", pa.int64()), ("told", "string", pa.string())]
Read = Callable[[], Sequence[Row]]
Reading = tuple[Lake, Read]


@dataclass
class Seen:
    """What looks have seen: by number of the batch that made the rows.  wrong: those that saw no whole state, and why."""

    states: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def look(self, read: Read) -> None:
        try:
            rows = read()
        except Exception as error:  # whatever a reader is told is no table
            self.wrong.append(f"{type(error).__name__}: {error}")
            return
        made_by = {row["made_by"] for row in rows}
        if len(rows) != ROWS or len(made_by) != 1 or len({row["id"] for row in rows}) != ROWS:
            self.wrong.append(f"{len(rows)} rows of batches {sorted(made_by)}")
        self.states += sorted(made_by)[:1]


@contextmanager
def looping(look: Callable[[], object]) -> Iterator[list[object]]:
    """Looks again and again, in several threads, until the block has ended; gives what the looks gave, or raised."""
    looks, ended = list[object](), threading.Event()

    def work() -> None:
        while not ended.is_set():
            try:
                looks.append(look())
            except Exception as error:
                looks.append(error)

    readers = [threading.Thread(target=work, daemon=True) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    try:
        yield looks
    finally:
        ended.set()
        for reader in readers:
            reader.join(60)


class ReadersConformance:
    """Inherit it and give a fixture `reading`: an empty lake, and what reads the table FLIGHTS there.

    may_be_empty: a table without rows may be seen before its first batch, where what makes one is in no transaction.
    """

    may_be_empty = False

    @pytest.mark.parametrize("mode", [Mode.REPLACE, Mode.MERGE])
    def test_a_reader_never_sees_the_table_missing_or_half(self, reading: Reading, mode: Mode) -> None:
        """While batches are committed, of which each writes all rows anew, and at last wider ones."""
        lake, read = reading
        lake.collected(mode, **({"key": ("id",)} if mode is Mode.MERGE else {}))
        lake.load(_rows(1), COLUMNS)
        seen = Seen()
        with looping(lambda: seen.look(read)):
            for number in range(2, BATCHES + 1):
                lake.load(_rows(number), COLUMNS)
            lake.load([{**row, "told": "x"} for row in _rows(BATCHES + 1)], WIDER)
            seen.look(read)
        assert seen.wrong == []
        assert seen.states[-1] == BATCHES + 1 and len(seen.states) > BATCHES and {*seen.states} >= {BATCHES, BATCHES + 1}
        version = lake.cloud.reader.latest_schema(FLIGHTS)
        assert version is not None and {column.name: column.type for column in version.schema.columns}["made_by"] == "long"

    @pytest.mark.parametrize("mode", [Mode.APPEND, Mode.MERGE])
    def test_a_reader_sees_no_table_and_then_the_whole_first_batch(self, reading: Reading, mode: Mode) -> None:
        lake, read = reading
        seen = defaultdict[int, list[int]](list)  # reader ▸ how many rows it saw at each look; -1 for no table

        def look() -> None:
            try:
                found = len(read())
            except Exception:  # in each engine's own words
                found = -1
            seen[threading.get_ident()].append(found)

        lake.collected(mode, **({"key": ("id",)} if mode is Mode.MERGE else {}))
        with looping(look):
            lake.load(_rows(1), COLUMNS)
            until = time.monotonic() + WAIT_SECONDS
            while not all(looks[-1] == ROWS for looks in [*seen.values()]) and time.monotonic() < until:
                time.sleep(0.01)
        assert len(seen) == READERS
        for looks in seen.values():
            assert looks[0] == -1 and looks[-1] == ROWS and looks == sorted(looks), looks
            assert {*looks} <= {-1, ROWS, *([0] if self.may_be_empty else [])}, looks


def _rows(number: int) -> list[Row]:
    return [{"id": id, "made_by": number} for id in range(ROWS)]
