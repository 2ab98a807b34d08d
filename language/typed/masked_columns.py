"""What a MASK makes of the columns that are collected, and what is said of a column or field that it drops."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from language.forms.resolved import Collect, CollectTable, MaskedPath, ResolvedProgram
from language.sql.typing import TypedQuery
from language.text.diagnostics import Problem, Span, did_you_mean
from shared_metadata.program import Mask, Masks
from shared_metadata.program.lineage import ColumnLineage, ColumnRef, Use
from shared_metadata.program.masks import by_name, masked_type, only
from shared_metadata.program.type_names import spelled

Last = tuple[str, str]  # 'column' or 'field', and its name
Drops = Mapping[str, Mapping[Last, MaskedPath]]  # by dataset
Used = tuple[ColumnRef, Use, Span]
_UNKNOWN = re.compile(r"no (column|field) `([^`]+)`")


def check_masked(table: CollectTable, columns: Sequence[str]) -> None:
    """Raises Problem for a masked column that is not collected, and where nothing is left."""
    for masked in table.masks:
        if masked.column not in columns:
            remedy = did_you_mean(masked.column, columns) + f"mask one of {', '.join(columns[:12])}"
            cause = f"the masked column `{masked.column}` is not among those of `{table.dataset}`"
            raise Problem(masked.name.span, cause, remedy + (" …" if len(columns) > 12 else ""))
    if table.masks and all(_masks(table).get(name) == Mask.DROP for name in columns):
        raise Problem(table.masks[0].name.span, f"MASK drops every column of `{table.dataset}`", "leave one, or do not collect it")


def masked_columns(table: CollectTable, columns: list[ColumnLineage], uses: list[Used]) -> tuple[list[ColumnLineage], list[Used]]:
    """The columns as the warehouse gets them, and the uses of the source's without those that are not selected there."""
    if not table.masks:
        return columns, uses
    how = _masks(table)
    left = [_as_masked(column, how) for column in columns if how.get(column.name) != Mask.DROP]
    if table.source:  # a query over several tables reads them all at the source, and only its result is without the column
        made = {ref for column in left for ref in column.inputs}
        uses = [used for used in uses if used[1] is not Use.VALUE or used[0] in made]
    return left, uses


def _masks(table: CollectTable) -> Masks:
    return by_name({masked.path: masked.how for masked in table.masks})


def _as_masked(column: ColumnLineage, how: Masks) -> ColumnLineage:
    if column.name not in how or not column.type:
        return column
    hashed = only(Mask.HASH, how).get(column.name, "")
    return dataclasses.replace(column, type=masked_type(column.type, how[column.name]), masked=hashed)


def places_of_drops(program: ResolvedProgram) -> Drops:
    """Each collected dataset ▸ what it drops, with where it says so."""
    tables = [table for statement in program.statements if isinstance(statement, Collect) for table in statement.tables]
    return {table.dataset: {_last(m): m for m in table.masks if m.how is Mask.DROP} for table in tables if table.masks}


def _last(masked: MaskedPath) -> Last:
    return ("field" if masked.is_field else "column"), masked.path[-1].lower()


def explain_dropped(typed: TypedQuery, inputs: Iterable[str], drops: Drops) -> TypedQuery:
    """The typed query; of an unknown column or field that an input's MASK drops it says that."""
    dropped = {name: (dataset, masked) for dataset in inputs for name, masked in drops.get(dataset, {}).items()}
    problems = []
    for problem in typed.problems if dropped else ():
        unknown = _UNKNOWN.search(problem.cause)
        if unknown is not None and (unknown[1], unknown[2].lower()) in dropped:
            dataset, masked = dropped[unknown[1], unknown[2].lower()]
            place = masked.name.span.position
            cause = f"`{spelled(masked.path)}` of `{dataset}` is dropped by MASK in line {place.line} of {place.file}"
            problem = dataclasses.replace(problem, cause=cause, remedy="do without it, or HASH it there instead")
        problems.append(problem)
    return dataclasses.replace(typed, problems=tuple(problems)) if dropped else typed
