"""Extracts a share of the binary log, or the whole table where that share does not tell all that happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import RetryLater
from shared_metadata.program import from_plain
from slices.collect.mysql.capture.log import Untold
from slices.collect.mysql.capture.places import here, transactions_between
from slices.collect.mysql.capture.requirements import RETENTION
from slices.collect.mysql.capture.table_log import LogPart, MysqlLog
from systems.sql_source.capture.changes import TableLog
from systems.sql_source.capture.copying import Copying
from systems.sql_source.capture.extraction import LogExtraction

if TYPE_CHECKING:
    from slices.collect.mysql.client import MysqlSource


class CaptureExtraction:
    """Extracts a captured table's part. What the table is now holds all that the share did to it: so it may stand for the log."""

    def __init__(self, source: MysqlSource, request: ExtractRequest, deadline: Deadline, aws: Any) -> None:
        self._source, self._deadline, self._aws = source, deadline, aws
        self._place = str(request.flow.position)
        self._asked = from_plain(LogPart, request.part["log"])
        self._request = replace(request, part=request.part["part"])
        self._table = replace(request, part=request.part["table"])

    def run(self, resume: Mapping[str, Any] | None, *, copy: bool) -> Extracted:
        """One call. copy: the whole table is wanted."""
        if copy or (resume and "copy" in resume):
            return self._copied(resume)
        before = resume["log"] if resume else None
        log = MysqlLog(self._source, self._asked, self._place)
        try:
            found = LogExtraction(self._source, self._request, self._deadline, self._aws, log).run(before)
        except Untold as error:
            if before and before["second"]:  # whose rows are staged in part
                remedy = f"nothing, the next attempt copies the table; keep the log for longer (on RDS and Aurora {RETENTION})"
                raise RetryLater(f"while it was read a second time, {error}", place=self._place, remedy=remedy) from None
            return self._copied(None)
        return replace(found, resume={"log": found.resume}) if found.resume else found

    def _copied(self, resume: Mapping[str, Any] | None) -> Extracted:
        def copy(behind: Mapping[str, Any] | None) -> Extracted:
            return self._source.read_table(self._table, behind, self._deadline)

        in_one = not self._table.part["end_page"]
        copying = Copying(self._source, self._request, self._deadline, self._aws, copy, self._behind, one_state=in_one)
        try:
            found = copying.run(resume["copy"] if resume else None)
        except Untold as error:
            cause = f"while the table was copied, {error}: its rows are not those of one table"
            raise RetryLater(cause, place=self._place, remedy="nothing, the batch is tried again") from None
        return replace(found, resume={"copy": found.resume}) if found.resume else found

    def _behind(self, until: str) -> tuple[TableLog, str]:
        """The log since the place that the batch ends with, which was seen before the copy began."""
        session, since = self._source.session, self._asked.until
        until = until or here(session, self._place).gtids
        between = "" if self._asked.mariadb else transactions_between(session, since, until)
        return MysqlLog(self._source, replace(self._asked, since=since, until=until, transactions=between), self._place), until
