"""Extracts a share of the write-ahead log, or a new copy of the table with the log behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.program import from_plain
from slices.collect.postgres.capture import slots
from slices.collect.postgres.capture.pgoutput import lsn_text
from slices.collect.postgres.capture.places import here
from slices.collect.postgres.capture.planning import LogPart
from slices.collect.postgres.capture.table_log import PostgresLog
from systems.sql_source.capture.changes import TableLog
from systems.sql_source.capture.copying import Copying
from systems.sql_source.capture.extraction import LogExtraction

if TYPE_CHECKING:
    from slices.collect.postgres.client import PostgresSource


def extract(
    source: PostgresSource, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline, aws: Any
) -> Extracted:
    """One call."""
    asked, place = from_plain(LogPart, request.part["log"]), str(request.flow.position)
    texts, table = (replace(request, part=request.part[name]) for name in ("part", "table"))

    def copy(behind: Mapping[str, Any] | None) -> Extracted:
        return source.read_table(table, behind, deadline)

    def log_behind(until: str) -> tuple[TableLog, str] | None:
        """None where the slot is gone, and so the log since the copy began."""
        with source.connect() as session:
            if slots.find(session, asked.slot, place) is None:
                return None
            until = until or lsn_text(here(session)[0])
        return PostgresLog(source, replace(asked, until=until), place), until

    if request.part["copy"]:
        return Copying(source, texts, deadline, aws, copy, log_behind, one_state=True).run(resume)
    return LogExtraction(source, texts, deadline, aws, PostgresLog(source, asked, place)).run(resume)
