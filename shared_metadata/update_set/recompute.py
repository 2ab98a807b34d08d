"""What an update set makes anew, over which intervals, and roughly what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from statistics import fmean
from typing import Any

from shared_metadata.intervals import floor, split
from shared_metadata.update_set.breaking import incremental
from shared_metadata.update_set.reach import Reached
from shared_metadata.update_set.records import Recompute, StatementChange
from shared_metadata.update_set.statements import Statement

Statistics = Mapping[str, Sequence[Mapping[str, Any]]]

# List prices of us-east-1, 2026-11: https://aws.amazon.com/lambda/pricing/ and https://aws.amazon.com/step-functions/pricing/
GB_SECOND_DOLLARS = 0.0000133334
TRANSITION_DOLLARS = 0.000025
FUNCTION_GB = 2  # what a function that works with data has
TRANSITIONS = 8  # of an execution
_NOT_RUN = ("EVERY", "FRESH WITHIN", "options of")  # parts that change no batch's result


def recompute(
    old: Mapping[str, Statement],
    new: Mapping[str, Statement],
    changed: Sequence[StatementChange],
    reached: Reached,
    restate_from: datetime | None,
    now: datetime | None,
    statistics: Statistics,
) -> tuple[Recompute, ...]:
    """Of each statement that is new or runs otherwise, or whose inputs' changes reach it, in the order of the program's text.

    statistics: flow ▸ what `MetadataReader.statistics` has of it.
    """
    found, rebuilt = [], {c.statement for c in changed if not all(part.part.startswith(_NOT_RUN) for part in c.parts)}
    for statement in sorted(new.values(), key=lambda s: (s.last.position.file, s.last.position.line, s.last.position.column)):
        is_new = any(dataset not in _datasets(old) for dataset in statement.datasets)
        if is_new or statement.id in rebuilt or any(dataset in reached.data for dataset in statement.datasets):
            batches, start, end = _batches(statement, is_new, restate_from, now)
            found.append(Recompute(statement.id, batches, start, end, *_estimate(statement, batches, statistics)))
    return tuple(found)


def _datasets(statements: Mapping[str, Statement]) -> set[str]:
    return {dataset for statement in statements.values() for dataset in statement.datasets}


def _batches(
    statement: Statement, is_new: bool, restate_from: datetime | None, now: datetime | None
) -> tuple[int, datetime | None, datetime | None]:
    """How many, and of which time. A restatement takes a batch for each interval; else a whole table takes one."""
    if restate_from is not None and now is not None:
        length = statement.last.interval_seconds
        start, end = floor(restate_from, length), floor(now, length)
        return len(split(start, end, length)), start, end
    return (1 if is_new or not incremental(statement) else 0), None, None


def _estimate(statement: Statement, batches: int, statistics: Statistics) -> tuple[int | None, float | None, float | None]:
    """Rows, seconds and dollars, as the mean of the latest batches; a statement's flows run one after the other."""
    means = [mean for flow in statement.flows if (mean := _mean(statistics.get(flow.id, ())))]
    if not means:
        return None, None, None
    rows, seconds = round(batches * means[-1][0]), batches * sum(seconds for _, seconds in means)
    dollars = seconds * FUNCTION_GB * GB_SECOND_DOLLARS + batches * len(statement.flows) * TRANSITIONS * TRANSITION_DOLLARS
    return rows, round(seconds, 1), round(dollars, 4)


def _mean(records: Sequence[Mapping[str, Any]]) -> tuple[float, float] | None:
    """Rows and seconds of one batch: of all its tables together."""
    batches = list(_by_batch(records))
    return (fmean(rows for rows, _ in batches), fmean(seconds for _, seconds in batches)) if batches else None


def _by_batch(records: Sequence[Mapping[str, Any]]) -> Iterator[tuple[float, float]]:
    starts = {str(record["sk"]).split("#")[0] for record in records}
    for start in starts:
        of_batch = [record for record in records if str(record["sk"]).startswith(f"{start}#")]
        yield sum(float(r["rows"]) for r in of_batch), sum(float(r["seconds"]) for r in of_batch)
