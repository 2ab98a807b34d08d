"""What a run without faults had made if its batches had covered the intervals that those of a broken run cover (docs/adr/0040).

Exact because in the sources nothing changes on the days that a batch covers beside its first: see `World.run_batch`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared_metadata.intervals import Interval

Rows = Counter[tuple[str, ...]]
BATCH = "_batch"
RECORDED = ": recorded"
COUNTS = {"batches": 1, "receipts": 2, "events": 0}  # of each table of lines (flow, interval, words …, counts …) how many those are


def as_of(dataset: str, end: datetime, since: datetime) -> str:
    """The name of a version, by the days from `since` to its end."""
    return f"{dataset} as of {(end - since).days:02}"


@dataclass(frozen=True)
class Cover:
    """Several intervals, each of the length `each`, that were one batch.

    adds: a batch's counts are of what is new, else of the whole.  alone: a version too is what is new, not what has come together.
    may: whether the flow's missed batches may be made as one.
    """

    flow: str
    datasets: tuple[str, ...]
    interval: Interval
    each: timedelta
    since: datetime
    adds: bool
    alone: bool
    may: bool

    def __str__(self) -> str:
        return f"{self.flow} {self.interval}"

    @property
    def parts(self) -> list[Interval]:
        starts = [self.interval.start]
        while starts[-1] + self.each < self.interval.end:
            starts.append(starts[-1] + self.each)
        return [Interval(start, start + self.each) for start in starts]


def as_covered(tables: Mapping[str, Rows], covers: Iterable[Cover]) -> dict[str, Rows]:
    """The tables of a run without faults, with the intervals of each cover taken together."""
    made = dict(tables)
    for cover in covers:
        for dataset in cover.datasets:
            _take_versions_together(made, cover, dataset)
        for name, counts in COUNTS.items():
            made[name] = _lines_together(made[name], cover, counts)
    return made


def _take_versions_together(made: dict[str, Rows], cover: Cover, dataset: str) -> None:
    """The last version is left, as the one batch makes it; `_batch`, of every later version too, is the start of that."""
    *former, last = (as_of(dataset, part.end, cover.since) for part in cover.parts)
    if last not in made:
        return
    recorded = [line for name in (*former, last) for line in made.get(name + RECORDED, ())]
    rows = str(sum(int(line[1]) for line in recorded)) if cover.alone else recorded[-1][1]
    made[last + RECORDED] = Counter([(str(cover.interval), rows, *recorded[-1][2:])])
    for name in former:
        if cover.alone:
            made[last] = made[last] + made.get(name, Rows())
        made.pop(name, None)
        made.pop(name + RECORDED, None)
    starts = {str(part.start): str(cover.interval.start) for part in cover.parts}
    for name in [name for name in made if name.startswith(f"{dataset} as of ") and not name.endswith(RECORDED)]:
        made[name] = _renamed(made[name], starts)


def _renamed(rows: Rows, batches: Mapping[str, str]) -> Rows:
    made = Rows()
    for row, count in rows.items():
        made[batches.get(row[0], row[0]), *row[1:]] += count
    return made


def _lines_together(lines: Rows, cover: Cover, counts: int) -> Rows:
    made, parts = Rows(), [str(part) for part in cover.parts]
    together: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
    for line in lines:
        if line[0] == cover.flow and line[1] in parts:
            together[line[2 : len(line) - counts]].append(line)
        else:
            made[line] = lines[line]
    for words, found in together.items():
        counted = [line[len(line) - counts :] for line in sorted(found, key=lambda line: parts.index(line[1]))]
        total = [str(sum(map(int, column))) for column in zip(*counted, strict=True)] if cover.adds else counted[-1]
        made[cover.flow, str(cover.interval), *words, *total] = 1
    return made
