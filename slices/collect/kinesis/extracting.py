"""Writes the events of a part's ranges as Parquet, until done or the deadline is near.

A resume token says how far it is: which range, and the last event of it that is written. Each call does one page at least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.parquet.duckdb_session import open_duckdb
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.taken import LEFT_AS_IT_IS
from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import SchemaColumn
from slices.collect.kinesis.config import Config
from slices.collect.kinesis.logic import TOLD
from slices.collect.kinesis.positions import Position, Range
from slices.collect.kinesis.records import gather
from slices.collect.kinesis.streams import PLANNED_AGAIN, OutOfTime, Stream, Trimmed
from systems.events.files import EventFiles
from systems.events.lines import Lines


class Extraction:
    """One call. aws: the boto3 session that Parquet is written with."""

    def __init__(self, request: ExtractRequest, stream: Stream, config: Config, aws: Any) -> None:
        self._request, self._stream, self._config, self._aws = request, stream, config, aws
        self._place, self._ranges = str(request.flow.position), [Range.of(plain) for plain in request.part["ranges"]]
        self._beside = tuple(SchemaColumn(**column) for column in request.part["beside"])

    def run(self, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        """Raises Trimmed for events that are there no more; DefinitionError where nothing else will do."""
        first, last = (int(resume["range"]), str(resume["after"])) if resume else (0, "")
        try:
            return self._run_ranges(first, last, deadline)
        except Trimmed as gone:
            if self._request.window.took is None:
                raise
            raise DefinitionError(f"{gone.what}, and its rows would be lost", place=self._place, remedy=LEFT_AS_IT_IS) from None

    def _run_ranges(self, first: int, last: str, deadline: Deadline) -> Extracted:
        with Lines(TOLD) as lines, open_duckdb(self._aws) as connection:
            files = EventFiles(connection, self._request, TOLD, self._stream.name, self._beside)
            number, written = first, last
            try:
                for number in range(first, len(self._ranges)):
                    one = self._ranges[number]
                    for page_end, done in self._pages(one, last, lines):
                        files.write_many(lines)
                        written = page_end
                        if deadline.near and not (done and number + 1 == len(self._ranges)):
                            files.write(lines)
                            resume = {"range": number + 1, "after": ""} if done else {"range": number, "after": page_end}
                            return Extracted(tuple(files.written), resume)
                    last = written = ""
            except OutOfTime:
                files.write(lines)
                return Extracted(tuple(files.written), {"range": number, "after": written})
            files.write(lines)
            return Extracted(tuple(files.written))

    def _pages(self, one: Range, last: str, lines: Lines) -> Any:
        """Yields after each page that is gathered the last event so far, and whether the range is done with it."""
        begins = Position("after", last) if last else one.begins
        for page in self._stream.pages(one.shard, begins):
            mine = _within(page.records, begins, one.ends)
            gather(lines, self._stream.shard(one.shard), mine, self._config.compression)
            last = mine[-1]["SequenceNumber"] if mine else last
            done = page.ended or _reaches(page.records, one.ends)
            if page.at_tip or (page.ended and one.ends.sequence and not _reaches(page.records, one.ends)):
                what = f"{self._stream.name}, {one.shard}: the stream's retention has deleted the batch's last event"
                raise Trimmed(what, place=self._place, remedy=PLANNED_AGAIN)
            yield last, done
            if done:
                return


def _within(records: list[dict[str, Any]], begins: Position, ends: Position) -> list[dict[str, Any]]:
    """Those between two positions, of a page in the order of the shard: in most pages all of them."""
    if not records or (ends.is_past(records[-1]["SequenceNumber"]) and not begins.is_past(records[0]["SequenceNumber"])):
        return records
    return [one for one in records if ends.is_past(one["SequenceNumber"]) and not begins.is_past(one["SequenceNumber"])]


def _reaches(records: Sequence[Mapping[str, Any]], ends: Position) -> bool:
    """Whether a range ends with, or before, the last of these events; that of a whole shard ends with the shard."""
    if not ends.sequence or not records:
        return False
    return int(records[-1]["SequenceNumber"]) >= int(ends.sequence)
