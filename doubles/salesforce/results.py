"""A Bulk job's result on disk: a CSV file, and an index of where each of its lines ends, for pages by byte offset."""

import csv
import os
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Cursor
from typing import BinaryIO

DELIMITERS = {"COMMA": ",", "TAB": "\t", "PIPE": "|", "SEMICOLON": ";", "CARET": "^", "BACKQUOTE": "`"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
_FETCH_ROWS = 2000


@dataclass(frozen=True)
class ResultPage:
    """One page of a job's result: its header line, then `size` bytes of the file from `start`."""

    path: Path
    header: bytes
    start: int
    size: int
    records: int
    locator: str


class _OffsetWriter:
    """What csv writes to: UTF-8 lines into a file, and each line's end into an index beside it."""

    def __init__(self, lines: BinaryIO, index: BinaryIO) -> None:
        self._lines = lines
        self._index = index
        self._pending: list[bytes] = []
        self._ends = array("Q")
        self._end = 0

    def write(self, line: str) -> None:
        data = line.encode()
        self._end += len(data)
        self._pending.append(data)
        self._ends.append(self._end)

    def flush(self) -> None:
        """Hand on what is pending."""
        self._lines.write(b"".join(self._pending))
        self._ends.tofile(self._index)
        self._pending.clear()
        del self._ends[:]


def write_result(path: Path, columns: Sequence[str], rows: Cursor, delimiter: str, line_ending: str) -> int:
    """Write a result and, beside it, its index; the number of records.

    Every value is quoted, and null is an empty pair of quotes: guide, "Get Results for a Query Job".
    """
    records = 0
    with path.open("wb") as lines, path.with_suffix(".index").open("wb") as index:
        sink = _OffsetWriter(lines, index)
        writer = csv.writer(sink, delimiter=DELIMITERS[delimiter], lineterminator=LINE_ENDINGS[line_ending], quoting=csv.QUOTE_ALL)
        writer.writerow(columns)
        while batch := rows.fetchmany(_FETCH_ROWS):
            writer.writerows(batch)
            sink.flush()
            records += len(batch)
        sink.flush()
    return records


def index_result(path: Path, index_path: Path) -> int:
    """Write the index of a CSV file that is there already; its number of records, the header not counted."""
    ends = array("Q")
    end = quotes = 0
    with path.open("rb") as lines, index_path.open("wb") as index:
        for line in lines:
            end += len(line)
            quotes += line.count(b'"')
            if quotes % 2 == 0:
                ends.append(end)
        ends.tofile(index)
    return len(ends) - 1


def read_page(path: Path, first: int, last: int, locator: str) -> ResultPage:
    """The page of a result that holds its records from `first` up to but not including `last`."""
    header_end, start, end = _line_ends(path.with_suffix(".index"), (0, first, last))
    with path.open("rb") as lines:
        header = lines.read(header_end)
    return ResultPage(path, header, start, end - start, last - first, locator)


def _line_ends(path: Path, lines: tuple[int, ...]) -> list[int]:
    """The byte offsets at which these lines of a result end; line 0 is the header."""
    ends = []
    with path.open("rb") as index:
        for line in lines:
            index.seek(line * 8, os.SEEK_SET)
            ends.append(int.from_bytes(index.read(8), "little"))
    return ends
