"""Has the source read the texts of a log as rows, and writes what it makes of them, some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from shared_metadata.contract.collect import ExtractRequest
from shared_metadata.contract.runtime.deadline import Deadline
from systems.sql_source.capture.changes import TableLog
from systems.sql_source.dialect import Scan
from systems.sql_source.parts import Part
from systems.sql_source.reading import Files, Reading
from systems.sql_source.source import SqlSource

Texts = Sequence[str | None]


class Writing:
    """Writes rows and keys, each once; `close` it. The source is asked for nothing where there are none.

    files: what has been written.
    """

    def __init__(self, source: SqlSource[Any], request: ExtractRequest, deadline: Deadline, aws: Any, log: TableLog) -> None:
        self._source, self._request, self._deadline, self._aws, self._log = source, request, deadline, aws, log
        self._part = Part.from_plain(request.part)
        self.files: Files = []
        self._reading: _LogReading | None = None
        self._number = 0
        self._empty()

    def close(self) -> None:
        if self._reading is not None:
            self._reading.close()

    def add(self, texts: Texts, *, gone: bool, asked: bool) -> bool:
        """A row, the key of one that is gone, or of one to ask the source for; whether a statement was full and was written."""
        (self._gone if gone else self._asked if asked else self._rows).append(texts)
        self._held += sum(len(value or "") for value in texts) + 4 * len(texts)
        if self._held <= self._log.chunk_bytes:
            return False
        self.flush()
        return True

    def flush(self) -> None:
        for part in self._parts() if self._held else ():
            self._reading = self._reading or self._open()
            self.files += self._reading.copy_part(part, self._number)
            self._number += 1
        self._empty()

    def _empty(self) -> None:
        self._rows: list[Texts] = []
        self._gone: list[Texts] = []
        self._asked: list[Texts] = []
        self._held = 0

    def _open(self) -> _LogReading:
        def open_scan(part: Part) -> Scan:
            return self._source.open_scan(self._request, self._deadline, part, None)

        return _LogReading(self._request, 1, self._source.dialect, self._aws, partial(open_scan, self._part))

    def _parts(self) -> Iterator[Part]:
        """What the source is asked: to read rows, and keys that are gone, from the log's texts; and rows it tells in part."""
        log, rows, gone = self._log, self._rows, self._gone
        if rows or gone:
            yield replace(self._part, reads=f"{log.told(rows)} AS q", left_reads=f"{log.told(gone)} AS q" if gone else "")
        if self._asked:
            named = ", ".join(f"t.{log.quoted(name)}" for name in log.columns)
            same = " AND ".join(log.same(name) for name in log.key)
            keys = f"{log.told(self._asked)} AS k"
            there = f"(SELECT {named} FROM {log.table} AS t JOIN {keys} ON {same})"
            missing = f"(SELECT k.* FROM {keys} WHERE NOT EXISTS (SELECT 1 FROM {log.table} AS t WHERE {same}))"
            yield replace(self._part, reads=f"{there} AS q", left_reads=f"{missing} AS q")


class _LogReading(Reading):
    """Reads parts that are not known when it is opened, over one session of each."""

    def copy_part(self, part: Part, number: int) -> Files:
        """number: of its files, each once."""
        self._part = part
        return self.copy(self.cursor(), number, number + 1)
