"""Says of an unknown column what became of it: the active program's columns beside those that the new program has now."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from language.text.diagnostics import Diagnostic, ProgramErrors
from shared_metadata.program.lineage import ColumnRef, DatasetLineage, Lineage
from shared_metadata.update_set import probable_renames

_UNKNOWN = re.compile(r"no column `([^`]+)`")
READERS_SHOWN = 5


def explain_renames(errors: ProgramErrors, former: Lineage) -> ProgramErrors:
    """The errors of a program that replaces one with the lineage `former`; those for columns that it took away or renamed say so.

    Needs `errors.lineage`, what could be typed of the program; without it the errors are returned as they are.
    """
    present = errors.lineage
    if present is None:
        return errors
    return ProgramErrors([_explained(d, former, present) for d in errors.diagnostics], present)


def _explained(problem: Diagnostic, former: Lineage, present: Lineage) -> Diagnostic:
    unknown = _UNKNOWN.search(problem.cause)
    gone = _gone(unknown[1].lower(), problem, former, present) if unknown else None
    if gone is None:
        return problem
    before, now = former.datasets[gone.dataset], present.datasets[gone.dataset]
    name = probable_renames(before.columns, now.columns).get(gone.column)
    cause = f"{problem.cause}: {_sentence(gone, before, now, name)}; {_readers(gone, former)}"
    keep = f"keep `{gone.column}` in `{gone.dataset}`"
    remedy = f"write `{name}` here, or {keep} too" if name else f"change this statement too, or {keep}"
    return dataclasses.replace(problem, cause=cause, remedy=remedy)


def _sentence(gone: ColumnRef, before: DatasetLineage, now: DatasetLineage, name: str | None) -> str:
    if name is None:
        return f"column `{gone.column}` of `{gone.dataset}` was dropped at {now.position}"
    old = next(c for c in before.columns if c.name == gone.column)
    new = next(c for c in now.columns if c.name == name)
    sure = "was renamed" if old.inputs and old.inputs == new.inputs else "was probably renamed"
    return f"column `{gone.column}` of `{gone.dataset}` {sure} to `{name}` at {new.position}"


def _readers(gone: ColumnRef, former: Lineage) -> str:
    names = sorted(reader.dataset for reader in former.readers(gone))
    more = f" and {len(names) - READERS_SHOWN} more" if len(names) > READERS_SHOWN else ""
    return f"{len(names)} reader{'' if len(names) == 1 else 's'}: {', '.join(names[:READERS_SHOWN])}{more}"


def _gone(column: str, problem: Diagnostic, former: Lineage, present: Lineage) -> ColumnRef | None:
    """The column that the statement at this place used, or else any reader, and that is no more; None where that is open."""
    lost = [
        ColumnRef(name, column)
        for name, dataset in former.datasets.items()
        if name in present.datasets and _has(dataset, column) and not _has(present.datasets[name], column)
    ]
    statement = _statement(problem, present.datasets.values())
    used = {use.column.whole for use in former.datasets[statement].uses} if statement in former.datasets else set()
    candidates = [ref for ref in lost if ref in used] or [ref for ref in lost if former.readers(ref)]
    return candidates[0] if len(candidates) == 1 else None


def _statement(problem: Diagnostic, datasets: Iterable[DatasetLineage]) -> str:
    """The dataset whose statement holds the place of a mistake: the last that begins before it in its file."""
    before = [d for d in datasets if d.position.file == problem.file and _place(d) <= (problem.line, problem.column)]
    return max(before, key=_place).dataset if before else ""


def _place(dataset: DatasetLineage) -> tuple[int, int]:
    return dataset.position.line, dataset.position.column


def _has(dataset: DatasetLineage, column: str) -> bool:
    return any(c.name == column for c in dataset.columns)
