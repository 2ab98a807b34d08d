"""Writes the events of a part's ranges as Parquet, until done or the deadline is near.

A resume token says how far it is: which range, the next offset of it, and the latest time of its events so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.parquet.duckdb_session import open_duckdb
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.taken import LEFT_AS_IT_IS
from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import SchemaColumn
from slices.collect.kafka.connecting import Cluster
from slices.collect.kafka.logic import told
from slices.collect.kafka.positions import Range
from slices.collect.kafka.reading import PLANNED_AGAIN, Reader, Trimmed
from slices.collect.kafka.records import Gathering
from slices.collect.kafka.topics import Topics
from systems.events.files import EventFiles
from systems.events.lines import Lines


class Extraction:
    """One call. aws: the boto3 session that Parquet is written with."""

    def __init__(self, request: ExtractRequest, cluster: Cluster, topics: Topics, aws: Any) -> None:
        self._request, self._cluster, self._topics, self._aws = request, cluster, topics, aws
        self._name, self._ranges = request.table.source, [Range(*plain) for plain in request.part["ranges"]]
        self._place, self._id = str(request.flow.position), str(request.part["topic"])
        self._told = told(cluster.config.key)
        self._beside = tuple(SchemaColumn(**column) for column in request.part["beside"])

    def run(self, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        """Raises Trimmed for events that are there no more; DefinitionError where nothing else will do."""
        try:
            self._check_same()
            found = self._run_ranges(resume or {"range": 0, "offset": -1, "newest": 0}, deadline)
            self._check_same()
        except Trimmed as gone:
            if self._request.window.took is None:
                raise
            raise DefinitionError(f"{gone.what}, and its rows would be lost", place=self._place, remedy=LEFT_AS_IT_IS) from None
        return found

    def _run_ranges(self, begins: Mapping[str, Any], deadline: Deadline) -> Extracted:
        first, offset, newest = int(begins["range"]), int(begins["offset"]), int(begins["newest"])
        with Lines(self._told) as lines, open_duckdb(self._aws) as connection, Reader(self._cluster, self._name) as reader:
            files = EventFiles(connection, self._request, self._told, self._name, self._beside)
            for number in range(first, len(self._ranges)):
                one, gathering = self._ranges[number], Gathering(lines, self._cluster.config, newest)
                for page in reader.pages(one._replace(begins=offset) if offset >= 0 else one):
                    gathering.add(page.messages)
                    files.write_many(lines)
                    if deadline.near and not (page.done and number + 1 == len(self._ranges)):
                        files.write(lines)
                        on = {"range": number, "offset": page.position, "newest": gathering.newest_ms}
                        return Extracted(tuple(files.written), {"range": number + 1, "offset": -1, "newest": 0} if page.done else on)
                offset, newest = -1, 0
            files.write(lines)
            return Extracted(tuple(files.written))

    def _check_same(self) -> None:
        """Offsets of a topic that was made again are those of other events. Raises Trimmed."""
        if self._topics.id(self._name) != self._id:
            raise Trimmed(f"the topic {self._name} is another one than it was", place=self._place, remedy=PLANNED_AGAIN)
