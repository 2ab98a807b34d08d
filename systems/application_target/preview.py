"""Shows what the next batch would send to an application: the journal says what it has, so the application is not asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any

from shared_metadata.contract.preview import DELETES, UPSERTS, Asked, Parcel, Preview, compared, of_kind
from shared_metadata.contract.results.results import Results
from shared_metadata.contract.work import Work
from shared_metadata.program.intervals import to_text
from systems.application_target.application import Application, Group
from systems.application_target.target import ApplicationTarget

Shows = Callable[[Group, int], Parcel]  # a group's first rows as they would be sent, and how many it has in all


def preview(asked: Asked, rows_a_group: int, shows: Shows, *, takes_back: bool = True) -> Preview:
    """takes_back: as `ApplicationTarget` has it."""
    target = ApplicationTarget(_unopened, asked.services, takes_back=takes_back)
    with closing(target), closing(asked.results()) as results:
        changes = target.diff(asked.work, asked.result, asked.staging, asked.deadline)
        first = ([shows(*one) for one in _groups(asked, results, changes, kind, rows_a_group)] for kind in (UPSERTS, DELETES))
        return compared(asked, changes, *first)


def _groups(asked: Asked, results: Results, changes: Mapping[str, Any], kind: str, size: int) -> Iterator[tuple[Group, int]]:
    """The first groups with as many rows of each as are still to be shown, and how many rows each has in all."""
    types = {column["name"]: column["type"] for column in changes["columns"]}
    dataset, batch, left = asked.work.table.dataset, to_text(asked.work.claim.interval.start), asked.most
    for file in of_kind(changes, kind):
        rows, first = results.documents(file["key"], 0), 0
        while some := list(islice(rows, min(size, left))):
            upserts, deletes = (some, []) if kind == UPSERTS else ([], some)
            yield Group("", dataset, batch, upserts, deletes, types=types), min(size, file["rows"] - first)
            first, left = first + len(some), left - len(some)


def _unopened(work: Work, changes: Mapping[str, Any]) -> Application:
    raise AssertionError("nothing is sent")
