"""What a publication would send next, as `atoll publish --dry-run` asks a slice: nothing is written, neither in Atoll nor there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from shared_metadata.contract.harness import read_result, rows_wait
from shared_metadata.contract.results.results import File, Results
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.work import Work
from shared_metadata.program import Connection, Flow, Program
from shared_metadata.program.intervals import Interval, next_interval
from shared_metadata.state.records import Claim, Version
from shared_metadata.store.reader import MetadataReader

UPSERTS, DELETES = "upserts", "deletes"


@dataclass(frozen=True)
class Next:
    """What would be sent next, and as which batch.

    result: what is published.  again: it was published as that batch.  waiting: how many results wait to be published.
    """

    result: Version
    interval: Interval
    again: bool
    waiting: int


def next_of(reader: MetadataReader, flow: Flow) -> Next | None:
    """A publication's next batch, where its result is made; the last one where all is published; None where no result is made."""
    name, state = flow.tables[0].inputs[0], reader.flow_states([flow.id]).get(flow.id)
    latest, table = reader.latest_version(name), state.tables.get(flow.id) if state else None
    if latest is None:
        return None
    waiting = reader.versions_after(name, table.watermark) if table else [latest]
    if waiting:  # those that add up are published one by one
        result = waiting[-1] if flow.supersedes else waiting[0]
        return Next(result, result.interval, False, len(waiting))
    assert table is not None
    if rows_wait(reader, flow, table.watermark):
        return Next(latest, next_interval(table.watermark, flow.interval_seconds), False, 0)
    return Next(latest, reader.batch_before(flow.id, latest.interval.end) or latest.interval, True, 0)


@dataclass(frozen=True)
class Asked:
    """A batch that is not claimed, to be worked out and not to be published.

    result: as `Target` has it.  folder: of this machine, for files of what changed.  most: how many rows of each kind are shown.
    """

    connection: Connection
    services: Services
    work: Work
    result: Mapping[str, Any]
    folder: Path
    most: int
    deadline: Deadline

    @staticmethod
    def of(program: Program, flow: Flow, upcoming: Next, services: Services, folder: Path, most: int, seconds: float) -> Asked:
        """Raises DefinitionError where the result is gone.  seconds: within which all must be worked out."""
        (table,) = flow.tables
        work = Work(flow, table, Claim(flow.id, upcoming.interval, 0, (table.dataset,), program.version), program)
        result = read_result(services, work, upcoming.result.pointer["manifest"])
        deadline = Deadline(time.monotonic() + seconds)
        return Asked(program.connections[flow.connection], services, work, result, folder, most, deadline)

    @property
    def rows(self) -> int:
        """All of the result."""
        return sum(file["rows"] for file in self.result["files"])

    @property
    def staging(self) -> Staging:
        return _Here(self.folder)

    def results(self) -> Results:
        return Results(self.services, self.work.place, self.deadline)


@dataclass(frozen=True)
class Parcel:
    """Rows that are sent together.  rows: how many of them are shown, `of` how many.

    about: what goes with them, each by a word for it, and nothing of a secret.  sent: as it would be: a body as a text, or each row.
    """

    rows: int
    of: int
    about: Mapping[str, Any]
    sent: Sequence[Any]


@dataclass(frozen=True)
class Preview:
    """How many rows would be sent, and the first of them.

    deletes, unchanged: None where that is not known.  uncompared: why the result was compared with nothing; '' where it was.
    remark: a sentence on what else the numbers mean, or ''.
    """

    upserts: int
    deletes: int | None = None
    unchanged: int | None = None
    first_upserts: Sequence[Parcel] = ()
    first_deletes: Sequence[Parcel] = ()
    uncompared: str = ""
    remark: str = ""


Previews = Callable[[Asked], Preview]
"""Raises DefinitionError where the batch could not be published either."""


class _Here(Staging):
    """The place of a batch's files in a folder of this machine; a `diff` asks for nothing else of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def url(self, *parts: str) -> str:
        return str(self._folder)


def of_kind(changes: Mapping[str, Any], kind: str) -> list[File]:
    """The files of rows to be written, or to be deleted, of what `results.changes.compare` found."""
    return [file for file in changes["files"] if file["into"] == kind]


def compared(asked: Asked, changes: Mapping[str, Any], upserts: Sequence[Parcel], deletes: Sequence[Parcel]) -> Preview:
    """The preview by what `results.changes.compare` found; upserts, deletes: the first of them."""
    if changes["nothing"]:
        return Preview(0, 0, asked.rows)
    return Preview(changes["upserts"], changes["deletes"], asked.rows - changes["upserts"], upserts, deletes)


def uncompared(asked: Asked, why: str) -> Preview:
    """All rows of the result, as its query gives them."""
    types = {column["name"]: column["type"] for column in asked.result["schema"]["columns"]}
    shown = list[str]()
    with closing(asked.results()) as results:
        for file in asked.result["files"]:
            shown += islice(results.documents(file["key"], 0), asked.most - len(shown))
    parcels = [Parcel(len(shown), asked.rows, {"columns": types}, shown)] if shown else []
    return Preview(asked.rows, first_upserts=parcels, uncompared=why)
