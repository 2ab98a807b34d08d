"""Writes files of a table anew, a group at a time, and goes on where an earlier call of the same commit stopped.

A MERGE whose keys are spread writes all of a large table anew, which takes longer than a function runs. What is written is noted
below the batch's staging prefix, under its token, and holds as long as the table has the rows that it was written from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.errors import DefinitionError, Unfinished
from systems.iceberg.engine import Engine
from systems.iceberg.snapshots import same_rows
from systems.iceberg.versions import Written

GROUP_BYTES = 512 << 20  # of files: less than a minute of a function's 15
LEAST_SECONDS = 60.0  # to write another group, or to commit
NOTES = "rewritten.json"

Write = Callable[[Sequence[DataFile]], Sequence[Written]]


class Rewriting:
    """Rewrites files for one commit upon one state of a table; seconds_left: until the call must have returned."""

    def __init__(self, staging: Staging, dataset: str, table: Table, seconds_left: Callable[[], float]) -> None:
        self._staging, self._dataset, self._seconds_left = staging, dataset, seconds_left
        self._snapshot_id = table.metadata.current_snapshot_id
        notes = staging.read(dataset, NOTES) or {}
        self._groups: list[dict[str, Any]] = notes["groups"] if notes and same_rows(table, notes["snapshot"]) else []

    def of(self, removed: Sequence[DataFile], write: Write, engine: Engine) -> list[Written]:
        """What `write` makes of these files. Raises Unfinished when the time is up, and some of them are written anew."""
        wanted = {file.file_path for file in removed}
        self._groups = [group for group in self._groups if wanted.issuperset(group["of"])]
        known = {path for group in self._groups for path in group["of"]}
        left = list(_groups([file for file in removed if file.file_path not in known]))
        needed, done = LEAST_SECONDS, False
        while left:
            began = time.monotonic()
            try:
                written = write(left[0])
            except DefinitionError:
                if not (done and engine.cut):
                    raise
                raise self._unfinished(len(left)) from None
            self._groups.append({"of": [file.file_path for file in left.pop(0)], "written": [dict(file) for file in written]})
            needed, done = max(needed, 2 * (time.monotonic() - began)), True
            short = self._seconds_left() < needed
            if left or short:  # most merges are one group, of which nothing has to be noted
                self._staging.write({"snapshot": self._snapshot_id, "groups": self._groups}, self._dataset, NOTES)
            if short:
                raise self._unfinished(len(left))
        return [file for group in self._groups for file in group["written"]]

    def _unfinished(self, left: int) -> Unfinished:
        return Unfinished(f"{len(self._groups)} of {len(self._groups) + left} groups of files are written anew", place=self._dataset)


def _groups(files: Sequence[DataFile]) -> Iterator[list[DataFile]]:
    """Groups of about GROUP_BYTES each, in the order of the files' names: the same in each call."""
    group: list[DataFile] = []
    for file in sorted(files, key=lambda one: one.file_path):
        if group and sum(one.file_size_in_bytes for one in group) + file.file_size_in_bytes > GROUP_BYTES:
            yield group
            group = []
        group.append(file)
    if group:
        yield group
