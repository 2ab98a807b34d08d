"""Extracts a share of the log: each key's last state, as values that the source itself reads from the log's texts.

So a value is the same whether it was copied with the table or came with the log: one expression makes both, and PostgreSQL runs it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.tasks.outgrown import Outgrown
from shared_metadata.errors import DefinitionError
from shared_metadata.program import from_plain
from slices.collect.postgres.capture import log
from slices.collect.postgres.capture.pgoutput import lsn_of
from slices.collect.postgres.capture.planning import LogPart
from slices.collect.postgres.capture.spool import Spool, Unkeyed
from systems.sql_source.dialect import Scan
from systems.sql_source.parts import Part
from systems.sql_source.reading import Files, Reading

if TYPE_CHECKING:
    from slices.collect.postgres.client import PostgresSource

CHUNK_BYTES = 2**22  # of values, which stand in one statement
SPARE_SECONDS = 20.0
Values = Sequence[str | None]


class LogExtraction:
    """One call of extract, which reads all of its share: half of it is no state of the table."""

    def __init__(self, source: PostgresSource, request: ExtractRequest, deadline: Deadline, aws: Any) -> None:
        self._source, self._deadline, self._aws = source, deadline, aws
        self._log = from_plain(LogPart, request.part["log"])
        self._part = Part.from_plain(request.part["part"])
        self._request, self._place = replace(request, part=self._part.to_plain()), str(request.flow.position)

    def run(self) -> Extracted:
        columns, files = [name for name, _ in self._log.columns], list[dict[str, Any]]()
        with tempfile.TemporaryDirectory(prefix="atoll-log-") as folder, self._source.translated(self._place):
            spool = Spool(Path(folder), columns, self._log.key)
            try:
                self._read(spool)
                files = self._written(spool)
            finally:
                spool.close()
        if spool.truncated:
            files.append({"key": "", "rows": 0, "bytes": 0, "values": {}, "whole": True})
        return Extracted(tuple(files))

    def _read(self, spool: Spool) -> None:
        import psycopg

        asked, session = self._log, self._source.connect()
        since, until = lsn_of(asked.since), lsn_of(asked.until)
        session.execute("SELECT set_config('statement_timeout', %s, false)", (f"{self._seconds_left:.0f}s",))
        try:
            for change in log.changes(session, asked.slot, asked.publication, asked.oid, since, until, self._place):
                self._check_time()
                spool.add(change)
        except psycopg.errors.QueryCanceled:
            raise self._too_long() from None
        except Unkeyed as error:
            cause = f"the log does not tell {error.column}, of the key, of a row of {asked.table} that went"
            remedy = "its replica identity was another then: SELECT pg_drop_replication_slot has the next attempt copy the table anew"
            raise DefinitionError(cause, place=self._place, remedy=remedy) from None
        finally:
            session.close()

    def _written(self, spool: Spool) -> Files:
        """The files of all that changed; the source is asked for nothing where nothing has."""
        chunks, found, number = _chunks(spool), Files(), 0
        reading: _LogReading | None = None
        try:
            for rows, gone, asked in chunks:
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
        if rows or gone:
            yield replace(self._part, reads=self._told(rows), left_reads=self._told(gone) if gone else "")
        if asked:
            named = ", ".join(f"t.{identifier(name)}" for name, _ in self._log.columns)
            same = " AND ".join(f"t.{identifier(name)} = k.{identifier(name)}" for name in self._log.key)
            keys = f"{self._told(asked)} AS k"
            there = f"(SELECT {named} FROM {self._log.table} AS t JOIN {keys} ON {same})"
            missing = f"(SELECT k.* FROM {keys} WHERE NOT EXISTS (SELECT FROM {self._log.table} AS t WHERE {same}))"
            yield replace(self._part, reads=f"{there} AS q", left_reads=f"{missing} AS q")

    def _told(self, rows: Sequence[Values]) -> str:
        """The relation of values as the log tells them, as PostgreSQL reads each type's text."""
        values = [
            f"(r.v ->> {number}){'' if kind == 'text' else f'::{kind}'} AS {identifier(name)}"
            for number, (name, kind) in enumerate(self._log.columns)
        ]
        texts = literal(json.dumps(rows, ensure_ascii=False))
        return f"(SELECT {', '.join(values)} FROM jsonb_array_elements({texts}::jsonb) AS r (v))"

    def _check_time(self) -> None:
        if self._deadline.seconds_left < SPARE_SECONDS:
            raise self._too_long()

    @property
    def _seconds_left(self) -> float:
        return max(self._deadline.seconds_left - SPARE_SECONDS, 1.0)

    def _too_long(self) -> Outgrown:
        cause = f"the changes of {self._log.table} since {self._log.since} take longer to read than one call of extract"
        return Outgrown(cause, place=self._place, remedy="give the slice more memory, or have batches run more often")


class _LogReading(Reading):
    """Reads parts that are not known when it is opened, over one session of each."""

    def copy_part(self, part: Part, number: int) -> Files:
        """number: of its files, each once."""
        self._part = part
        return self.copy(self.cursor(), number, number + 1)


def _chunks(spool: Spool) -> Iterator[tuple[list[Values], list[Values], list[Values]]]:
    """Rows, keys that are gone, and keys to ask for, as many as fit into one statement."""
    found: tuple[list[Values], list[Values], list[Values]] = ([], [], [])
    held = 0
    for gone, asked, values in spool.last():
        found[1 if gone else 2 if asked else 0].append(values)
        held += sum(len(value or "") for value in values) + 4 * len(values)
        if held > CHUNK_BYTES:
            yield found
            found, held = ([], [], []), 0
    if any(found):
        yield found
