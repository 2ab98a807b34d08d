"""Fetches the result of a Bulk 2.0 query job ahead of its reader: pages of CSV as local files that hold whole records."""

from __future__ import annotations

import contextlib
import csv
import queue
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from shared_metadata.errors import DefinitionError, RetryLater
from systems.salesforce.session import Session

CHUNK_BYTES = 8 << 20  # a file is parsed by one thread as one buffer, so no thread has to guess where a record starts
PIECE_BYTES = 1 << 20
CHUNKS_AHEAD = 16
MAX_REPEATS = 3
LAST_PAGE = "null"


@dataclass(frozen=True)
class Chunk:
    """A file of whole records without a header; whoever takes it deletes it."""

    path: Path
    size: int


@dataclass(frozen=True)
class PageEnd:
    """All chunks of a page are there. locator: of the next page, LAST_PAGE after the last.  first_id: the page's first record."""

    locator: str
    first_id: str
    records: int


class Download:
    """The pages of a finished job from `locator` on, in a thread of its own, at most CHUNKS_AHEAD chunks ahead.

    first_id: of the page before `locator`: a page that begins with the same record is that page once more, and is left out.
    Iterating raises what went wrong on the way, RetryLater for a broken connection.
    """

    def __init__(self, session: Session, job: str, fields: Sequence[str], page_rows: int, locator: str, first_id: str) -> None:
        self._session, self._path = session, f"jobs/query/{job}/results"
        self._fields, self._page_rows = [name.lower() for name in fields], page_rows
        self._locator, self._first_id = locator, first_id
        self._folder = tempfile.TemporaryDirectory(prefix="bulk-")
        self._items: queue.Queue[Chunk | PageEnd | BaseException] = queue.Queue(CHUNKS_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bulk-download", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join()
        self._folder.cleanup()

    def __iter__(self) -> Iterator[Chunk | PageEnd]:
        while True:
            item = self._items.get()
            if isinstance(item, BaseException):
                raise item
            yield item
            if isinstance(item, PageEnd) and item.locator == LAST_PAGE:
                return

    def _run(self) -> None:
        locator, repeats = self._locator, 0
        try:
            while locator != LAST_PAGE and not self._stopped.is_set():
                end = self._page(locator)
                repeats = repeats + 1 if end is None else 0
                if repeats > MAX_REPEATS:
                    raise RetryLater("Salesforce repeats the same page of a result")
                locator = end.locator if end else self._locator
                self._locator = locator
        except _Stopped:
            pass
        except BaseException as error:
            self._put_last(error)

    def _put_last(self, error: BaseException) -> None:
        with contextlib.suppress(_Stopped):
            self._put(error)

    def _put(self, item: Chunk | PageEnd | BaseException) -> None:
        while not self._stopped.is_set():
            try:
                return self._items.put(item, timeout=0.1)
            except queue.Full:
                continue
        raise _Stopped

    def _page(self, locator: str) -> PageEnd | None:
        """Fetches one page; None when it was the former page once more (then self._locator is where to go on)."""
        query = {"maxRecords": str(self._page_rows), **({"locator": locator} if locator else {})}
        with self._session.open("GET", self._path, query, headers={"Accept": "text/csv"}) as response:
            following = response.headers.get("Sforce-Locator", LAST_PAGE)
            pieces = response.stream(PIECE_BYTES, decode_content=True)
            first_id, rest = self._head(pieces)
            if first_id and first_id == self._first_id:
                self._locator = following
                return self._end(following) if following == LAST_PAGE else None
            files = RecordFiles(Path(self._folder.name))
            for piece in _chain(rest, pieces):
                for chunk in files.add(piece):
                    self._put(chunk)
            for chunk in files.end():
                self._put(chunk)
            self._first_id = first_id or self._first_id
            return self._end(following, int(response.headers.get("Sforce-NumberOfRecords", 0)))

    def _end(self, locator: str, records: int = 0) -> PageEnd:
        end = PageEnd(locator, self._first_id, records)
        self._put(end)
        return end

    def _head(self, pieces: Iterator[bytes]) -> tuple[str, bytes]:
        """The first record's Id, and what was read after the header line. Raises DefinitionError for other columns."""
        read = b""
        for piece in pieces:
            read += piece
            header, newline, rest = read.partition(b"\n")
            if newline and (b"," in rest or b"\n" in rest):
                break
        header, _, rest = read.partition(b"\n")
        names = next(csv.reader([header.decode().rstrip("\r")]), [])
        if header and [name.lower() for name in names] != self._fields:
            raise DefinitionError("a Bulk result has other columns than were asked for", place=self._path)
        if rest and not rest.startswith(b'"'):
            raise DefinitionError("a Bulk result is not quoted", place=self._path)
        return rest[:64].split(b"\n")[0].split(b",")[0].strip(b'"\r').decode(), rest


class _Stopped(Exception):
    """The reader wants no more."""


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


class RecordFiles:
    """Cuts a stream of CSV into files of about CHUNK_BYTES, always between two records.

    Salesforce quotes every value, doubles quotes within values, and each record begins with its Id. So a quote between a newline
    and a letter or digit can only open a record: within a value it would be doubled, at a value's end a comma or newline followed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open()

    def add(self, piece: bytes) -> Iterator[Chunk]:
        """Takes the next bytes; gives a chunk where one is full."""
        if self._size + len(piece) >= CHUNK_BYTES and (cut := _record_start(piece)):
            self._write(piece[:cut])
            yield self._close()
            self._open()
            piece = piece[cut:]
        self._write(piece)

    def end(self) -> Iterator[Chunk]:
        """The last chunk, if there is anything in it."""
        chunk = self._close()
        if chunk.size:
            yield chunk

    def _write(self, piece: bytes) -> None:
        self._file.write(piece)
        self._size += len(piece)

    def _open(self) -> None:
        self._size = 0
        self._path = Path(tempfile.mkstemp(suffix=".csv", dir=self._folder)[1])
        self._file = self._path.open("wb", buffering=0)

    def _close(self) -> Chunk:
        self._file.close()
        return Chunk(self._path, self._size)


def _record_start(piece: bytes) -> int:
    """The offset of the last record that surely begins within `piece`; 0 when none does."""
    at = len(piece)
    while (newline := piece.rfind(b'\n"', 0, at)) >= 0:
        if piece[newline + 2 : newline + 3].isalnum():
            return newline + 1
        at = newline + 1
    return 0
