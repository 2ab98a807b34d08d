"""Extracts a share of the write-ahead log."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.program import from_plain
from slices.collect.postgres.capture.planning import LogPart
from slices.collect.postgres.capture.table_log import PostgresLog
from systems.sql_source.capture.extraction import LogExtraction

if TYPE_CHECKING:
    from slices.collect.postgres.client import PostgresSource


def extract(source: PostgresSource, request: ExtractRequest, deadline: Deadline, aws: Any) -> Extracted:
    """One call, which reads all of its share."""
    log = PostgresLog(source, from_plain(LogPart, request.part["log"]), str(request.flow.position))
    return LogExtraction(source, replace(request, part=request.part["part"]), deadline, aws, log).run()
