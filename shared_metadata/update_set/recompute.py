"""Lists the batches that an update set reprocesses, over which intervals, and their estimated cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from statistics import fmean
from typing import Any

from shared_metadata.program import Program
from shared_metadata.program.intervals import count, floor
from shared_metadata.update_set.breaking import incremental
from shared_metadata.update_set.reach import Reached
from shared_metadata.update_set.records import Recompute, StatementChange, UpdateSet
from shared_metadata.update_set.statements import Statement, statements

Statistics = Mapping[str, Sequence[Mapping[str, Any]]]

_FIGURES = ("rows", "seconds", "cost_dollars")
_NOT_RUN = ("EVERY", "FRESH WITHIN", "TOLERATE … BAD ROWS", "options of")  # parts that change no batch's result


def recompute(
    old: Mapping[str, Statement],
    new: Mapping[str, Statement],
    changed: Sequence[StatementChange],
    reached: Reached,
    restate_from: datetime | None,
    now: datetime | None,
) -> tuple[Recompute, ...]:
    """The recomputation of each statement that is new or runs differently, or whose inputs' changes reach it, in the text's order."""
    known = {dataset for statement in old.values() for dataset in statement.datasets}
    found, rebuilt = [], {c.statement for c in changed if not all(part.part.startswith(_NOT_RUN) for part in c.parts)}
    for statement in sorted(new.values(), key=lambda s: (s.last.position.file, s.last.position.line, s.last.position.column)):
        is_new = not known.issuperset(statement.datasets)
        if is_new or statement.id in rebuilt or any(dataset in reached.data for dataset in statement.datasets):
            found.append(Recompute(statement.id, *_batches(statement, is_new, restate_from, now)))
    return tuple(found)


def estimated(update: UpdateSet, program: Program, statistics: Statistics) -> UpdateSet:
    """The update set with the estimated cost of each statement's batches.

    statistics: flow ▸ `MetadataReader.statistics`, or its last batch's figures in the same form.
    """
    found, known = [], statements(program)
    for item in update.recompute:
        rows, seconds, dollars = _estimate(known[item.statement], item.batches, statistics)
        found.append(replace(item, rows=rows, seconds=seconds, dollars=dollars))
    return replace(update, recompute=tuple(found))


def _batches(
    statement: Statement, is_new: bool, restate_from: datetime | None, now: datetime | None
) -> tuple[int, datetime | None, datetime | None]:
    """The number of batches, and their time. A restatement takes a batch for each interval; otherwise a whole table takes one."""
    if restate_from is not None and now is not None:
        length = statement.last.interval_seconds
        start, end = floor(restate_from, length), floor(now, length)
        return count(start, end, length), start, end
    whole = not all(incremental(statement.made(dataset)) for dataset in statement.datasets)
    return (1 if is_new or whole else 0), None, None


def _estimate(statement: Statement, batches: int, statistics: Statistics) -> tuple[int | None, float | None, float | None]:
    """The estimated rows, seconds and dollars, from the mean of the latest batches; a statement's flows run one after the other."""
    means = [mean for flow in statement.flows if (mean := _mean(statistics.get(flow.id, ())))]
    if not means:
        return None, None, None
    _, seconds, dollars = (sum(figures) for figures in zip(*means, strict=True))
    return round(batches * means[-1][0]), round(batches * seconds, 1), round(batches * dollars, 6)


def _mean(records: Sequence[Mapping[str, Any]]) -> tuple[float, float, float] | None:
    """The mean rows, seconds and dollars of one batch, over all its tables together."""
    batches: dict[str, Counter[str]] = {}
    for record in records:
        figures = {name: float(record.get(name, 0)) for name in _FIGURES}
        batches.setdefault(str(record["sk"]).split("#")[0], Counter()).update(figures)
    return tuple(fmean(b[name] for b in batches.values()) for name in _FIGURES) if batches else None  # type: ignore[return-value]
