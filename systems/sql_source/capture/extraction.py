"""Extracts a share of the log: each key's last state, as values that the source itself reads from the log's texts.

So a value is the same whether it was copied with the table or came with the log: one expression makes both, and the source runs it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.tasks.outgrown import Outgrown
from systems.sql_source.capture.changes import TableLog, TooLong
from systems.sql_source.capture.spool import Spool, Unkeyed
from systems.sql_source.dialect import Scan
from systems.sql_source.parts import Part
from systems.sql_source.reading import Files, Reading
from systems.sql_source.source import SqlSource

SPARE_SECONDS = 20.0
# A file of no rows: the source has none but those of the others.
WHOLE = {"key": "", "rows": 0, "bytes": 0, "values": {}, "whole": True}
Values = Sequence[str | None]


class LogExtraction:
    """One call of extract, which reads all of its share: half of it is no state of the table.

    request: with the part by which the whole table would be read.
    """

    def __init__(self, source: SqlSource, request: ExtractRequest, deadline: Deadline, aws: Any, log: TableLog) -> None:
        self._source, self._request, self._deadline, self._aws, self._log = source, request, deadline, aws, log
        self._part, self._place = Part.from_plain(request.part), str(request.flow.position)

    def run(self) -> Extracted:
        """Nothing is staged before the log has been read."""
        files = Files()
        with tempfile.TemporaryDirectory(prefix="atoll-log-") as folder, self._source.translated(self._place):
            spool = Spool(Path(folder), self._log.columns, self._log.key)
            try:
                self._read(spool)
                files = self._written(spool)
            finally:
                spool.close()
        return Extracted((*files, WHOLE) if spool.truncated else tuple(files))

    def _read(self, spool: Spool) -> None:
        try:
            for change in self._log.changes(max(self._deadline.seconds_left - SPARE_SECONDS, 1.0)):
                self._check_time()
                spool.add(change)
        except TooLong:
            raise self._too_long() from None
        except Unkeyed as error:
            raise self._log.unkeyed(error.column) from None

    def _written(self, spool: Spool) -> Files:
        """The files of all that changed; the source is asked for nothing where nothing has."""
        found, number = Files(), 0
        reading: _LogReading | None = None
        try:
            for rows, gone, asked in _chunks(spool, self._log.chunk_bytes):
                self._check_time()
                reading = reading or self._open()
                for part in self._parts(rows, gone, asked):
                    found += reading.copy_part(part, number)
                    number += 1
        finally:
            if reading is not None:
                reading.close()
        return found

    def _open(self) -> _LogReading:
        def open_scan(part: Part) -> Scan:
            return self._source.open_scan(self._request, self._deadline, part, None)

        return _LogReading(self._request, 1, self._source.dialect, self._aws, partial(open_scan, self._part))

    def _parts(self, rows: Sequence[Values], gone: Sequence[Values], asked: Sequence[Values]) -> Iterator[Part]:
        """What the source is asked: to read rows, and keys that are gone, from the log's texts; and rows it tells in part."""
        log = self._log
        if rows or gone:
            yield replace(self._part, reads=f"{log.told(rows)} AS q", left_reads=f"{log.told(gone)} AS q" if gone else "")
        if asked:
            named = ", ".join(f"t.{log.quoted(name)}" for name in log.columns)
            same = " AND ".join(log.same(name) for name in log.key)
            keys = f"{log.told(asked)} AS k"
            there = f"(SELECT {named} FROM {log.table} AS t JOIN {keys} ON {same})"
            missing = f"(SELECT k.* FROM {keys} WHERE NOT EXISTS (SELECT 1 FROM {log.table} AS t WHERE {same}))"
            yield replace(self._part, reads=f"{there} AS q", left_reads=f"{missing} AS q")

    def _check_time(self) -> None:
        if self._deadline.seconds_left < SPARE_SECONDS:
            raise self._too_long()

    def _too_long(self) -> Outgrown:
        cause = f"the changes of {self._log.table} since {self._log.since} take longer to read than one call of extract"
        return Outgrown(cause, place=self._place, remedy="give the slice more memory, or have batches run more often")


class _LogReading(Reading):
    """Reads parts that are not known when it is opened, over one session of each."""

    def copy_part(self, part: Part, number: int) -> Files:
        """number: of its files, each once."""
        self._part = part
        return self.copy(self.cursor(), number, number + 1)


def _chunks(spool: Spool, most_bytes: int) -> Iterator[tuple[list[Values], list[Values], list[Values]]]:
    """Rows, keys that are gone, and keys to ask for, as many as fit into one statement."""
    found: tuple[list[Values], list[Values], list[Values]] = ([], [], [])
    held = 0
    for gone, asked, values in spool.last():
        found[1 if gone else 2 if asked else 0].append(values)
        held += sum(len(value or "") for value in values) + 4 * len(values)
        if held > most_bytes:
            yield found
            found, held = ([], [], []), 0
    if any(found):
        yield found
