"""Copies a captured table anew, over as many calls as it takes, and tells which rows are no more.

Each call sees a state of its own, so a row that changes its place between two of them may be met by none. The log knows all rows that
have changed since the copy began: they are there, whatever the copy has met, and what has become of them comes with the next batch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.tasks.outgrown import Outgrown
from systems.sql_source.capture.changes import TableLog, TooLong
from systems.sql_source.capture.extraction import SPARE_SECONDS, WHOLE
from systems.sql_source.capture.spool import Spool
from systems.sql_source.capture.writing import Writing
from systems.sql_source.source import SqlSource

# The log from where the copy began to a place that is told, or else to where it is now, and that place; None where it has none.
Behind = Callable[[str], tuple[TableLog, str] | None]


class Copying:
    """One call of extract.

    copy: one call of extract by which a table without a log is read.  one_state: what such a call reads is of one state.
    request: with a part of no pages, by which texts are read.
    """

    def __init__(
        self,
        source: SqlSource[Any],
        request: ExtractRequest,
        deadline: Deadline,
        aws: Any,
        copy: Callable[[Mapping[str, Any] | None], Extracted],
        behind: Behind,
        *,
        one_state: bool,
    ) -> None:
        self._source, self._request, self._deadline, self._aws = source, request, deadline, aws
        self._copy, self._behind, self._one_state = copy, behind, one_state
        self._place = str(request.flow.position)

    def run(self, resume: Mapping[str, Any] | None) -> Extracted:
        if resume is not None and "until" in resume:
            return self._there(resume)
        found = self._copy(resume["table"] if resume else None)
        if found.resume is not None:
            return replace(found, resume={"table": found.resume})
        if resume is None and self._one_state:
            return replace(found, files=(*found.files, WHOLE))
        return replace(found, resume={"until": "", "mark": None})

    def _there(self, resume: Mapping[str, Any]) -> Extracted:
        """The keys of rows that changed meanwhile, and are there. Without a log the next batch, a copy, tells what is gone."""
        with self._source.translated(self._place), tempfile.TemporaryDirectory(prefix="atoll-log-") as folder:
            opened = self._behind(resume["until"])
            if opened is None:
                return Extracted(())
            log, until = opened
            spool = Spool(Path(folder), log.key, log.key)
            writing = Writing(self._source, self._request, self._deadline, self._aws, log)
            try:
                ended = self._read(log, spool, resume["mark"])
                for gone, _, key in spool.last():
                    if not gone:
                        told = dict(zip(log.key, key, strict=True))
                        writing.add([told.get(name) for name in log.columns], gone=True, asked=False)
                writing.flush()
            finally:
                writing.close()
                spool.close()
            files = tuple({**file, "left": None, "there": file["left"]} for file in writing.files)
            if ended:
                return Extracted((*files, WHOLE))
            if log.mark in (None, resume["mark"]):
                cause = f"the changes of {log.table} since {log.since} take longer to read than one call of extract"
                raise Outgrown(cause, place=self._place, remedy="give the slice more memory, or have batches run more often")
            return Extracted(files, {"until": until, "mark": log.mark})

    def _read(self, log: TableLog, spool: Spool, mark: Mapping[str, Any] | None) -> bool:
        try:
            for change in log.changes(max((self._deadline.seconds_left - SPARE_SECONDS) / 2, 1.0), mark):
                spool.add(change)
                if spool.full:
                    return False
        except TooLong:
            return False
        return True
