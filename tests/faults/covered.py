"""What a run without faults had made if its batches had covered the intervals that those of a broken run cover (docs/adr/0040).

Exact because in the sources nothing changes on the days that a batch covers beside its first: see `World.run_batch`.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared_metadata.program import Kind
from shared_metadata.program.intervals import Interval, to_text

Rows = Counter[tuple[str, ...]]
BATCH = "_batch"
RECORDED = ": recorded"
# Of tables of lines (flow, interval, words …, counts …) how many counts there are; the first word, if any, is a dataset.
COUNTS = {"batches": 1, "published": 2, "receipts": 0, "events": 0}


def as_of(dataset: str, end: datetime, since: datetime) -> str:
    """The name of a version, by the days from `since` to its end."""
    return f"{dataset} as of {(end - since).days:02}"


@dataclass(frozen=True)
class Cover:
    """Several intervals, each of the length `each`, that were one batch of a table.

    adds: a batch counts what is new, else the whole.
    may: whether the flow's missed batches may be made as one.
    """

    flow: str
    dataset: str
    interval: Interval
    each: timedelta
    since: datetime
    kind: Kind
    adds: bool
    may: bool

    def __str__(self) -> str:
        return f"{self.flow} {self.interval}"

    @property
    def new_rows(self) -> bool:
        """Whether a version holds what is new only; that of a publication is the whole result."""
        return self.adds and self.kind == Kind.COLLECT

    @property
    def new_count(self) -> bool:
        """Whether a version counts what is new only; that of a load counts what has come together."""
        return self.adds and self.kind != Kind.LOAD

    @property
    def parts(self) -> list[Interval]:
        starts = [self.interval.start]
        while starts[-1] + self.each < self.interval.end:
            starts.append(starts[-1] + self.each)
        return [Interval(start, start + self.each) for start in starts]


def as_covered(tables: Mapping[str, Rows], covers: Sequence[Cover]) -> dict[str, Rows]:
    """The tables of a run without faults, with the intervals of each cover taken together."""
    made = dict(tables)
    for cover in covers:
        _take_versions_together(made, cover)
        for name, counts in COUNTS.items():
            made[name] = _lines_together(made[name], cover, counts)
    ends = {(cover.dataset, to_text(part.end)): to_text(cover.interval.end) for cover in covers for part in cover.parts}
    return {name: _reading(rows, ends) if name.endswith(RECORDED) else rows for name, rows in made.items()}


def _take_versions_together(made: dict[str, Rows], cover: Cover) -> None:
    """One version is left, as of the last end; `_batch`, of every later version too, is the start of the one batch.

    An interval in which nothing changed has made none.
    """
    names = [name for part in cover.parts if (name := as_of(cover.dataset, part.end, cover.since)) in made]
    if not names:
        return
    versions, recorded = ([made.pop(name + what) for name in names] for what in ("", RECORDED))
    last = as_of(cover.dataset, cover.interval.end, cover.since)
    made[last] = sum(versions, Rows()) if cover.new_rows else versions[-1]
    lines = [line for rows in recorded for line in rows]
    count = str(sum(int(line[1]) for line in lines)) if cover.new_count else lines[-1][1]
    made[last + RECORDED] = Counter([(str(cover.interval), count, *lines[-1][2:])])
    starts = {str(part.start): str(cover.interval.start) for part in cover.parts}
    for name in [name for name in made if name.startswith(f"{cover.dataset} as of ") and not name.endswith(RECORDED)]:
        made[name] = _renamed(made[name], starts)


def _reading(recorded: Rows, ends: Mapping[tuple[str, str], str]) -> Rows:
    """What is recorded of a version, which read others as of ends that are inside of a cover now."""
    ((*words, reads),) = recorded
    moved = {dataset: ends.get((dataset, end), end) for dataset, end in json.loads(reads).items()}
    return Counter([(*words, json.dumps(moved))])


def _renamed(rows: Rows, batches: Mapping[str, str]) -> Rows:
    made = Rows()
    for row, count in rows.items():
        made[batches.get(row[0], row[0]), *row[1:]] += count
    return made


def _lines_together(lines: Rows, cover: Cover, counts: int) -> Rows:
    made, parts = Rows(), [str(part) for part in cover.parts]
    together: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
    for line in lines:
        if line[0] == cover.flow and line[1] in parts and line[2 : len(line) - counts][:1] in ((), (cover.dataset,)):
            together[line[2 : len(line) - counts]].append(line)
        else:
            made[line] = lines[line]
    for words, found in together.items():
        counted = [line[len(line) - counts :] for line in sorted(found, key=lambda line: parts.index(line[1]))]
        total = [str(sum(map(int, column))) for column in zip(*counted, strict=True)] if cover.adds else _last_made(counted)
        made[cover.flow, str(cover.interval), *words, *total] = 1
    return made


def _last_made(counted: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Of wholes: a batch that found nothing changed counts no rows."""
    return next((counts for counts in reversed(counted) if any(map(int, counts))), counted[-1])
