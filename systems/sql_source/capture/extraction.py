"""Extracts a share of the log: each key's last state, as values that the source itself reads from the log's texts.

So a value is the same whether it was copied with the table or came with the log: one expression makes both, and the source runs it.

A share that one call reads is read once. One that takes longer, or more disk than a function has, is read twice, over as many calls
as it takes: first for which entry of each key is the last, then for these. So its rows are those of one that is read at once.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.tasks.outgrown import Outgrown
from shared_metadata.errors import RetryLater
from systems.sql_source.capture.changes import TableLog, TooLong, Unkeyed, entries
from systems.sql_source.capture.last_changes import LastChanges, digest, settle
from systems.sql_source.capture.spool import Spool
from systems.sql_source.capture.writing import Writing
from systems.sql_source.source import SqlSource

SPARE_SECONDS = 20.0
READING_SHARE = 0.6  # of a call; the rest is for writing what was read
# A file of no rows: the source has none but those of the others.
WHOLE = {"key": "", "rows": 0, "bytes": 0, "values": {}, "whole": True}


@dataclass(frozen=True)
class Progress:
    """What a call leaves to the next.

    number: of the entries that were read so far, in this reading.  mark: of the log, behind them.  seen: URLs of what calls of the
    first reading have seen.  second: it is the second reading.  last: the URL of `settle`, '' where nothing was seen.
    total: entries of the share.  keyed: the salt is that of the table's mask key, where it has one, made of this one; a token of a
    former version knows nothing of it, and its share is read to its end with the salt as it is, which its digests have.
    """

    salt: str
    number: int = 0
    mark: Mapping[str, Any] | None = None
    seen: tuple[str, ...] = ()
    truncated: bool = False
    second: bool = False
    last: str = ""
    total: int = 0
    keyed: bool = False


class _NoTime(Exception):
    """What was read cannot be written in the time that is left."""


class LogExtraction:
    """One call of extract.

    request: with the part by which the whole table would be read.
    """

    def __init__(self, source: SqlSource[Any], request: ExtractRequest, deadline: Deadline, aws: Any, log: TableLog) -> None:
        self._source, self._request, self._deadline, self._aws, self._log = source, request, deadline, aws, log
        self._place = str(request.flow.position)

    def run(self, resume: Mapping[str, Any] | None) -> Extracted:
        """resume: of an earlier call's."""
        at = Progress(**resume) if resume else Progress(secrets.token_hex(16), keyed=True)
        with self._source.translated(self._place):
            try:
                return self._second(at) if at.second else self._first(at)
            except Unkeyed as error:
                raise self._log.unkeyed(error.column) from None

    # -- the first reading, which mostly is the only one

    def _first(self, at: Progress) -> Extracted:
        begins = at.mark is None
        with tempfile.TemporaryDirectory(prefix="atoll-log-") as folder:
            spool = Spool(Path(folder), self._log.columns if begins else (), self._log.key, at.number, self._aws)
            try:
                ended = self._read(spool, at.mark)
                if ended and begins:
                    try:
                        return self._extracted(self._written(spool), None, spool.truncated)
                    except _NoTime:
                        pass
                return self._extracted([], self._seen(spool, at, ended=ended), truncated=False)
            finally:
                spool.close()

    def _read(self, spool: Spool, mark: Mapping[str, Any] | None) -> bool:
        """Whether the share's end was reached."""
        seconds = max((self._deadline.seconds_left - SPARE_SECONDS) * READING_SHARE, 1.0)
        giving_up = time.monotonic() + seconds
        try:
            for change in self._log.changes(seconds, mark):
                spool.add(change)
                if spool.full or time.monotonic() > giving_up:
                    return False
        except TooLong:
            return False
        return True

    def _written(self, spool: Spool) -> Writing:
        """All that changed. Raises _NoTime."""
        writing = self._writing()
        try:
            for gone, asked, texts in spool.last():
                if writing.add(texts, gone=gone, asked=asked) and self._deadline.seconds_left < SPARE_SECONDS:
                    raise _NoTime
            writing.flush()
        finally:
            writing.close()
        return writing

    def _seen(self, spool: Spool, at: Progress, *, ended: bool) -> Progress:
        mark = self._log.mark
        if not ended and mark in (None, at.mark):
            raise self._too_long()
        url = self._request.out.url(f"seen-{spool.number:013d}.parquet")
        before = () if spool.truncated else at.seen
        seen = (*before, url) if spool.seen(url, self._salt(at)) else before
        found = replace(at, number=spool.number, mark=mark, seen=seen, truncated=at.truncated or spool.truncated)
        if not ended:
            return found
        last = self._request.out.url("last.parquet") if seen else ""
        if seen:
            settle(seen, last, self._aws)
        return replace(found, number=0, mark=None, seen=(), second=True, last=last, total=found.number)

    # -- the second

    def _second(self, at: Progress) -> Extracted:
        writing, last = self._writing(), LastChanges(at.last, at.number, self._aws)
        number, columns, salt = at.number, self._log.columns, self._salt(at)
        try:
            for change in self._log.changes(max(self._deadline.seconds_left - 2 * SPARE_SECONDS, 1.0), at.mark):
                for entry in entries(change, self._log.key):
                    number += 1
                    wanted = last.takes(number)
                    if wanted is None:
                        continue
                    if wanted != digest(entry.key, salt):
                        raise self._otherwise()
                    asked = not entry.gone and any(name not in entry.values for name in columns)
                    writing.add([entry.values.get(name) for name in columns], gone=entry.gone, asked=asked)
                if self._deadline.seconds_left < SPARE_SECONDS:
                    raise TooLong
            writing.flush()
        except TooLong:
            writing.flush()
            if self._log.mark in (None, at.mark):
                raise self._too_long() from None
            return self._extracted(writing, replace(at, number=number, mark=self._log.mark), truncated=False)
        finally:
            writing.close()
            last.close()
        if number != at.total or not last.done:
            raise self._otherwise()
        return self._extracted(writing, None, at.truncated)

    def _otherwise(self) -> RetryLater:
        cause = f"the log of {self._log.table} told its changes in another order than before: another server may have taken over"
        return RetryLater(cause, place=self._place, remedy="nothing, the batch is tried again")

    # -- both

    def _salt(self, at: Progress) -> str:
        return self._request.hashing.salt(at.salt) if at.keyed else at.salt

    def _writing(self) -> Writing:
        return Writing(self._source, self._request, self._deadline, self._aws, self._log)

    def _extracted(self, written: Writing | list[Any], resume: Progress | None, truncated: bool) -> Extracted:
        files = written.files if isinstance(written, Writing) else written
        whole = (WHOLE,) if truncated else ()
        return Extracted((*files, *whole), asdict(resume) if resume else None)

    def _too_long(self) -> Outgrown:
        cause = f"the changes of {self._log.table} since {self._log.since} take longer to read than one call of extract"
        return Outgrown(cause, place=self._place, remedy="give the slice more memory, or have batches run more often")
