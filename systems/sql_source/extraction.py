"""Runs one part's chunks side by side, as many as fit into a call, and tells what is left of it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.parquet.duckdb_session import function_memory_mb
from shared_metadata.contract.runtime.deadline import MARGIN_SECONDS, Deadline
from shared_metadata.contract.tasks.outgrown import Outgrown
from shared_metadata.errors import RetryLater
from systems.sql_source import parts
from systems.sql_source.dialect import Dialect
from systems.sql_source.memory import Memory
from systems.sql_source.parts import LINES, Part
from systems.sql_source.reading import Files, OpenScan, Reading
from systems.sql_source.silence import ANSWER_SECONDS, silent

if TYPE_CHECKING:
    import duckdb

MOST_WORKERS = 4
WIDE_COLUMNS = 200  # more are read by one worker: DuckDB sets aside up to 1 MB for each column of each
MORE_MEMORY = "give the slice more memory when it is deployed: -c memoryOf="
LEAST_SECONDS = 60.0  # a source that is silent is waited for so long at least


class Extraction:
    """One call of extract. All its chunks see the same snapshot of the database: that of the session that stays open meanwhile.

    The reading is done by threads that the call does not wait for when its time is up: a source that neither answers nor closes
    the connection would hold it beyond its deadline, and what was read before would be lost.
    """

    def __init__(self, request: ExtractRequest, deadline: Deadline, dialect: Dialect, aws: Any, open_scan: OpenScan) -> None:
        """aws: the boto3 session that Parquet is written with."""
        self._request, self._deadline, self._part = request, deadline, Part.from_plain(request.part)
        self._dialect, self._aws, self._open_scan = dialect, aws, open_scan
        self._place = str(request.flow.position)
        several = self._part.end_page and len(self._part.columns) <= WIDE_COLUMNS
        self._workers = min(MOST_WORKERS, os.cpu_count() or 1) if several else 1
        self._memory = Memory.of_function(function_memory_mb())
        self._state: Mapping[str, str] | None = None
        self._lock = threading.Lock()
        self._ranges: list[list[int]] = []
        self._at_work: dict[tuple[int, int], duckdb.DuckDBPyConnection] = {}
        self._files: Files = []
        self._errors: list[Exception] = []
        self._given_up = False
        self._started, self._bytes_per_second, self._most = 0, 0.0, sys.maxsize

    def run(self, resume: Mapping[str, Any] | None) -> Extracted:
        """Works until the part is done, the deadline is near or a chunk fails; what was done before a failure counts if it passes."""
        self._ranges = [list(r) for r in resume["ranges"]] if resume else [self._whole()]
        self._state = resume.get("state") if resume else None
        reading = threading.Thread(target=self._read, daemon=True)
        reading.start()
        reading.join(max(self._deadline.seconds_left - ANSWER_SECONDS, LEAST_SECONDS))
        with self._lock:
            if reading.is_alive():
                self._give_up()
            lasting = [error for error in self._errors if not isinstance(error, RetryLater)]
            if lasting or (self._errors and not self._files):
                raise (lasting or self._errors)[0]
            return Extracted(tuple(self._files), {"ranges": sorted(self._ranges), "state": self._state} if self._ranges else None)

    def _give_up(self) -> None:
        """Leaves the threads to themselves; they end when the source answers or the connection breaks."""
        import duckdb

        self._given_up = True
        self._ranges += [list(chunk) for chunk in self._at_work]
        for cursor in self._at_work.values():
            with contextlib.suppress(duckdb.ConnectionException):  # its chunk has just ended
                cursor.interrupt()
        self._errors.append(silent(self._place))

    def _read(self) -> None:
        try:
            reading = Reading(
                self._request, self._workers, self._dialect, self._aws, partial(self._open_scan, self._part, self._state)
            )
            self._state = reading.state
            try:
                workers = [threading.Thread(target=self._work, args=(reading,), daemon=True) for _ in range(self._workers)]
                for worker in workers:
                    worker.start()
                for worker in workers:
                    worker.join()
                self._check(reading)
            finally:
                reading.close()
        except Exception as error:
            self._failed(error)

    def _check(self, reading: Reading) -> None:
        """What was read counts only if it is known to be of one state."""
        try:
            reading.check()
        except Exception as error:
            with self._lock:
                if not self._given_up:
                    self._files = []
                    self._errors.append(error)

    def _whole(self) -> list[int]:
        return [self._part.first_page * LINES, self._part.end_page * LINES]

    # -- the workers

    def _work(self, reading: Reading) -> None:
        while (chunk := self._take(reading)) is not None:
            started = time.monotonic()
            try:
                self._finished(chunk, reading.copy(self._at_work[chunk], *chunk))
            except MemoryError:
                self._halve(chunk)
            except Exception as error:
                self._failed(error, chunk)
            else:
                seconds, pages = max(time.monotonic() - started, 0.001), (chunk[1] - chunk[0]) / LINES
                self._bytes_per_second, self._most = pages * self._part.page_bytes / seconds, min(self._most * 2, sys.maxsize)

    def _take(self, reading: Reading) -> tuple[int, int] | None:
        """The next positions to read; None when there are none, no time is left, or a chunk has failed. The first is always given."""
        with self._lock:
            if not self._ranges or self._errors or (self._started and self._deadline.near):
                return None
            self._started += 1
            cursor = reading.cursor()
            first, end = self._ranges.pop(0)
            if self._part.end_page:
                seconds_left = self._deadline.seconds_left - MARGIN_SECONDS
                pace = self._bytes_per_second or None
                length = parts.chunk_positions(end - first, self._workers, self._part, pace, seconds_left, self._memory)
                stop = first + min(length, self._most)
                if stop < end:
                    self._ranges.insert(0, [stop, end])
                    end = stop
            self._at_work[first, end] = cursor
            return first, end

    def _finished(self, chunk: tuple[int, int], files: Files) -> None:
        with self._lock:
            if not self._given_up:
                del self._at_work[chunk]
                self._files += files

    def _failed(self, error: Exception, chunk: tuple[int, int] | None = None) -> None:
        with self._lock:
            if self._given_up:
                return
            self._errors.append(error)
            if chunk:
                del self._at_work[chunk]
                self._ranges.append(list(chunk))

    def _halve(self, chunk: tuple[int, int]) -> None:
        """The chunk's rows are larger than the table's others and did not fit in memory: reads fewer of them at once."""
        first, end = chunk
        if end - first < 2:
            remedy = f"collect fewer of the columns, shorten the values in the query, or {MORE_MEMORY}{self._request.flow.slice_id}=…"
            self._failed(Outgrown("the rows are too large to be held in memory", place=self._place, remedy=remedy), chunk)
            return
        with self._lock:
            if not self._given_up:
                del self._at_work[chunk]
                self._most = min(self._most, (end - first) // 2)
                self._ranges.insert(0, [first, end])
