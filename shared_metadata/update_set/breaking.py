"""Finds changes that break what the compiler cannot see: readers outside the program, and a table's own history.

Readers inside are checked by the compiler: a program that breaks one does not compile. What is left is what dbt calls breaking for
models under contract, a removed column and a changed type (https://docs.getdbt.com/reference/resource-configs/contract), for every
table, because each can be read by others; and what SQLMesh calls breaking, other rows or values that the history does not have
(https://sqlmesh.readthedocs.io/en/stable/concepts/plans/#change-categories), where no batch makes the whole table anew. Added columns
break nothing for either, nor for Atoll.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from shared_metadata.program import Flow, Kind, Mask, Mode
from shared_metadata.program.masks import paths
from shared_metadata.program.type_names import spelled
from shared_metadata.update_set.reach import Reached
from shared_metadata.update_set.records import Breaking, ColumnChange, ColumnKind, Reason, StatementChange
from shared_metadata.update_set.statements import Statement

_INTO_ANOTHER = "collect it into a table of another name"
_TYPES = {ColumnKind.NARROWED: Reason.TYPE_NARROWED, ColumnKind.RETYPED: Reason.TYPE_CHANGED}


def breaking(
    old: Mapping[str, Statement],
    new: Mapping[str, Statement],
    changed: Sequence[StatementChange],
    reached: Reached,
    restated: bool,
) -> tuple[Breaking, ...]:
    """The breaks, published tables first. `restated`: the history is reprocessed as far as the user asked for."""
    makers = {dataset: statement for statement in new.values() for dataset in statement.datasets}
    found: list[tuple[bool, Breaking]] = []
    for statement in old.values():
        for dataset in statement.datasets:
            if dataset not in makers:
                found.append((False, _removed(statement, dataset)))
    for dataset, changes in reached.columns.items():
        found += ((False, item) for change in changes for item in _column(makers[dataset], change))
    for change in changed:
        found += ((False, item) for item in _statement(old[change.statement], new[change.statement], change))
    found += ((True, item) for item in _histories(old, new, reached, {c.statement: c for c in changed}, restated))
    published = {s.id for s in (*old.values(), *new.values()) if s.last.kind == Kind.PUBLISH}
    ordered = sorted(found, key=lambda item: (item[1].dataset not in published, item[0]))
    return tuple(dict.fromkeys(item for _, item in ordered))


def _removed(statement: Statement, dataset: str) -> Breaking:
    why = "no batch fills it from now on; the table and its rows stay"
    remedy = "tell its readers, or keep the statement"
    return Breaking(dataset, "", Reason.DATASET_REMOVED, why, remedy, statement.last.position)


def _column(statement: Statement, change: ColumnChange) -> Iterator[Breaking]:
    published = statement.last.kind == Kind.PUBLISH

    def item(reason: Reason, why: str, remedy: str) -> Breaking:
        return Breaking(change.dataset, change.column, reason, why, remedy, change.position)

    stays = "it stays in the target and is not filled any more" if published else "it stays in the table, with nulls from then on"
    if change.kind == ColumnKind.DROPPED:
        yield item(Reason.COLUMN_DROPPED, stays, f"keep {change.column} until its readers outside Atoll have gone")
    elif change.kind == ColumnKind.RENAMED:
        sure = "renamed" if change.certain else "probably renamed"
        why = f"{sure} {change.after}: {stays}"
        yield item(Reason.COLUMN_RENAMED, why, f"select it under both names until readers outside Atoll use {change.after}")
    elif change.kind in _TYPES:
        remedy = f"CAST it to {change.before}, or give it another name"
        masked = change.column in statement.masks(change.dataset)
        yield item(_TYPES[change.kind], _type_why(change, published), _INTO_ANOTHER if masked else remedy)
    elif change.kind == ColumnKind.NULLABLE and ((matched := change.column in statement.made(change.dataset).key) or published):
        why = "it may be null now" + (", and rows are matched by it" if matched else "")
        yield item(Reason.NULLS, why, f"write coalesce({change.column}, …), or see that its readers take nulls")


def _type_why(change: ColumnChange, published: bool) -> str:
    types = f"{change.before} becomes {change.after}"
    if change.kind == ColumnKind.NARROWED:
        return f"{types}: values that fitted may not any more"
    if published:
        return f"{types}: the target's column has been made for {change.before}"
    return f"{types}: a table cannot change it in place, so batches would fail"


def _statement(old: Statement, new: Statement, change: StatementChange) -> Iterator[Breaking]:
    """Breaks by changes of key and mode: the table's content was written under the former ones."""
    moved = next((part for part in change.parts if part.part.startswith("system of")), None)
    for dataset in set(old.datasets) & set(new.datasets):
        before, after = old.made(dataset), new.made(dataset)
        if moved is not None and after.kind in (Kind.LOAD, Kind.VIEW):
            why = f"{moved.before} keeps what is there, and none of it goes to {moved.after}"
            remedy = "give the new warehouse another name, and remove this one when it has no readers left"
            yield Breaking(dataset, "", Reason.ANOTHER_WAREHOUSE, why, remedy, change.position)
        elif before.mode != after.mode and not _keeps_history(before, after):
            why = f"{before.mode} becomes {after.mode}: {_mode_why(before.mode, after.mode)}"
            remedy = "give the table another name, and remove this one when it has no readers left"
            yield Breaking(dataset, "", Reason.MODE_CHANGED, why, remedy, change.position)
        elif before.key != after.key and Mode.MERGE in (before.mode, after.mode):
            keys = f"({', '.join(before.key)}) becomes ({', '.join(after.key)})"
            why = f"{keys}: rows written under the former key are not found by the new one"
            remedy = "give the table another name, or write its rows anew"
            yield Breaking(dataset, "", Reason.KEY_CHANGED, why, remedy, change.position)
        if "MASK" in change.words:
            yield from _masks(old, new, dataset, change)


def _masks(old: Statement, new: Statement, dataset: str, change: StatementChange) -> Iterator[Breaking]:
    """Breaks by masks: values that the table still holds in the clear, and rows that its hashed key does not find."""
    before, after = dict(paths(old.masks(dataset))), dict(paths(new.masks(dataset)))
    if clear := sorted(spelled(path) for path in after if not any(path[: len(whole)] == whole for whole in before)):
        replaced = new.made(dataset).mode == Mode.REPLACE
        where = "in its former snapshots and staged files" if replaced else "in the table, its snapshots and files"
        why = f"{', '.join(clear)}: what was collected before stays readable, {where}"
        remedy = f"{_INTO_ANOTHER} and drop this one; docs/operators.md (Mask a column later) says what else to delete"
        yield Breaking(dataset, "", Reason.CLEAR_VALUES, why, remedy, change.position)
    other_key = old.first.mask_key != new.first.mask_key
    hashed = {path[0] for path in (*before, *after) if before.get(path) != after.get(path) or other_key}
    made = new.made(dataset)
    if made.mode == Mode.MERGE and (keys := sorted(hashed & set(made.key) & set(old.made(dataset).key))):
        why = f"{', '.join(keys)} has other values by the changed MASK: rows written before are not found by them"
        yield Breaking(dataset, "", Reason.KEY_CHANGED, why, _INTO_ANOTHER, change.position)


def _keeps_history(old: Flow, new: Flow) -> bool:
    """Whether a collected table keeps its history: one that was taken whole is a good start for one that is merged."""
    return old.kind == new.kind == Kind.LOAD and (old.mode, new.mode) == (Mode.REPLACE, Mode.MERGE)


def _mode_why(before: Mode, after: Mode) -> str:
    if after == Mode.REPLACE:
        return "the first batch takes away all rows that are not in its result"
    if before == Mode.REPLACE:
        return "the rows that are there stay, beside or below what batches bring"
    return "rows that are there were written by the former rule"


def _histories(
    old: Mapping[str, Statement],
    new: Mapping[str, Statement],
    reached: Reached,
    changed: Mapping[str, StatementChange],
    restated: bool,
) -> Iterator[Breaking]:
    """Tables whose former rows keep their former meaning, because no batch makes the whole table anew.

    Collected rows stay so in any case: most sources cannot be read as of the past.
    """
    for statement in new.values():
        for dataset in statement.datasets:
            data = reached.data.get(dataset)
            collected = statement.last.kind == Kind.LOAD
            if data is None or statement.id not in old or not incremental(statement.made(dataset)) or (restated and not collected):
                continue
            parts = [part.part for part in changed[statement.id].parts] if statement.id in changed else []
            if {"mode", "key"} & {*parts} or any(part.startswith("system of") for part in parts):
                continue  # reported already
            what = "rows" if data.rows or not data.columns else f"values of {', '.join(sorted(data.columns))}"
            why = f"{what} from before the boundary stay as the former program made them"
            hashed = [spelled(path) for path, how in paths(statement.masks(dataset)) if how == Mask.HASH and path[0] in data.columns]
            why += f"; a join by {', '.join(sorted(hashed))} finds no partner across it" if hashed else ""
            again = _INTO_ANOTHER if collected else "make it anew with --restate-from"
            remedy = f"{again}, or accept a mixed history"
            yield Breaking(dataset, "", Reason.MIXED_HISTORY, why, remedy, statement.last.position)


def incremental(flow: Flow) -> bool:
    """Whether a batch makes only a part of the table."""
    if flow.kind == Kind.LOAD:
        return flow.mode != Mode.REPLACE
    return flow.mode == Mode.APPEND or (flow.mode == Mode.MERGE and not flow.whole)
