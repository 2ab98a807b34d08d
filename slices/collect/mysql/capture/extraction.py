"""Extracts a share of the binary log, or the whole table where that share does not tell all that happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.program import from_plain
from slices.collect.mysql.capture.log import Untold
from slices.collect.mysql.capture.table_log import LogPart, MysqlLog
from systems.sql_source.capture.extraction import WHOLE, LogExtraction

if TYPE_CHECKING:
    from slices.collect.mysql.client import MysqlSource


def extract(
    source: MysqlSource, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline, aws: Any
) -> Extracted:
    """One call. What the table is now holds all that the share did to it: so it may stand for the log, and what it lacks is gone."""
    log = MysqlLog(source, from_plain(LogPart, request.part["log"]), str(request.flow.position))
    request = replace(request, part=request.part["part"])
    if resume is None:
        try:
            return LogExtraction(source, request, deadline, aws, log).run()
        except Untold:
            pass
    found = source.extract(request, resume, deadline)
    return replace(found, files=(*found.files, WHOLE)) if found.resume is None else found
