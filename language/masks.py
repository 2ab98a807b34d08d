"""MASK: which columns of what is collected are hashed or dropped, what a MASK cannot ask for, and what becomes of the columns."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from language.diagnostics import Diagnostic, Problem, Span, did_you_mean
from language.queries import OWN_COLUMNS
from language.query_typing import TypedQuery
from language.resolved import Collect, CollectTable, ResolvedProgram, Settings
from language.syntax import Clauses, MaskedColumn, Name, TableList
from shared_metadata.contract.declaration import Slice
from shared_metadata.lineage import ColumnLineage, ColumnRef, Use
from shared_metadata.program import MASK_KEY, Mask

Drops = Mapping[str, Mapping[str, Span]]
Used = tuple[ColumnRef, Use, Span]
_UNKNOWN = re.compile(r"no column `([^`]+)`")


def query_masks(clauses: Clauses) -> tuple[MaskedColumn, ...]:
    """Of a collect query, whose columns have names of one part. Raises Problem."""
    for masked in clauses.masks:
        if len(masked.name.parts) > 1:
            raise Problem(masked.name.span, f"`{masked.name.dotted}` names no column of the query", f"write {masked.column.text}")
    _refuse_twins(clauses.masks)
    return clauses.masks


def table_masks(clauses: Clauses, listed: TableList) -> dict[tuple[str, ...], tuple[MaskedColumn, ...]]:
    """By the folded name of a listed table. Raises Problem for a column of none of them, or of one that is not said."""
    found: dict[tuple[str, ...], list[MaskedColumn]] = {}
    for masked in clauses.masks:
        found.setdefault(_table_of(masked, listed).folded, []).append(masked)
    for masks in found.values():
        _refuse_twins(masks)
    return {table: tuple(masks) for table, masks in found.items()}


def _table_of(masked: MaskedColumn, listed: TableList) -> Name:
    owner = masked.name.folded[:-1]
    if not owner and len(listed.tables) > 1:
        remedy = f"write {listed.tables[0].dotted}.{masked.column.text}, or another of the tables"
        raise Problem(masked.name.span, f"`{masked.name.dotted}` does not say of which table it is a column", remedy)
    for table in listed.tables:
        if not owner or table.folded[-len(owner) :] == owner:
            return table
    names = [table.dotted for table in listed.tables]
    remedy = did_you_mean(".".join(owner), names) + f"name a column of {', '.join(names)}"
    raise Problem(masked.name.span, f"`{masked.name.dotted}` is of none of the tables that are collected", remedy)


def _refuse_twins(masks: Sequence[MaskedColumn]) -> None:
    seen: dict[str, MaskedColumn] = {}
    for masked in masks:
        first = seen.setdefault(masked.column.folded, masked)
        if first is not masked:
            cause = f"`{masked.name.dotted}` is masked twice, first at {first.name.span.position}"
            raise Problem(masked.name.span, cause, "keep one of them")


def check_masks(clauses: Clauses, settings: Settings, collector: Slice) -> None:
    """Raises Problem for a column that has to stay as it is."""
    for masked in clauses.masks:
        name, span = masked.column.folded, masked.name.span
        if name in OWN_COLUMNS:
            raise Problem(span, f"`{name}` is Atoll's own, and holds nothing of the source", "remove it from MASK")
        if name == settings.cursor:
            remedy = "leave it clear, or name another CURSOR"
            raise Problem(span, f"`{name}` is the CURSOR: its values are compared and kept between batches", remedy)
        if name in collector.capabilities.never_masked:
            remedy = "remove it from MASK; a view can leave it out, or replace it by another column"
            raise Problem(span, f"`{name}` cannot be masked: {collector.id} needs it itself", remedy)
        if masked.how is Mask.DROP and name in settings.key:
            remedy = "HASH it: rows are matched by the hash as well"
            raise Problem(span, f"the key column `{name}` cannot be dropped: rows are matched by it", remedy)
        if masked.how is Mask.DROP and any(part.folded == name for part in clauses.partition_by):
            raise Problem(span, f"the partition column `{name}` cannot be dropped", "partition by another column")


def check_mask_keys(program: ResolvedProgram, problems: list[Diagnostic]) -> None:
    """Adds to `problems` where something is hashed and the warehouse names no key."""
    for statement in program.statements:
        hashed = _first_hash(statement) if isinstance(statement, Collect) else None
        if hashed is not None and isinstance(statement, Collect) and not mask_key(statement):
            warehouse = statement.warehouse
            name = warehouse.name.folded
            remedy = f"name the key's secret: CREATE WAREHOUSE {name} USING {warehouse.system.folded} WITH ({MASK_KEY} = 'mask')"
            problems.append(hashed.name.span.diagnostic(f"HASH needs a key, and `{name}` names none", remedy))


def mask_key(statement: Collect) -> str:
    """The reference of the secret that hashes the statement's columns; '' where it hashes none, or the warehouse names none."""
    if _first_hash(statement) is None:
        return ""
    return next((str(option.value) for option in statement.warehouse.options if option.key == MASK_KEY), "")


def _first_hash(statement: Collect) -> MaskedColumn | None:
    return next((masked for table in statement.tables for masked in table.masks if masked.how is Mask.HASH), None)


def check_masked(table: CollectTable, columns: Sequence[str]) -> None:
    """Raises Problem for a masked column that is not collected, and where nothing is left."""
    for masked in table.masks:
        if masked.column.folded not in columns:
            remedy = did_you_mean(masked.column.folded, columns) + f"mask one of {', '.join(columns[:12])}"
            cause = f"the masked column `{masked.column.folded}` is not among those of `{table.dataset}`"
            raise Problem(masked.name.span, cause, remedy + (" …" if len(columns) > 12 else ""))
    if table.masks and len(_dropped(table)) == len(columns):
        raise Problem(table.masks[0].name.span, f"MASK drops every column of `{table.dataset}`", "leave one, or do not collect it")


def masked_columns(table: CollectTable, columns: list[ColumnLineage], uses: list[Used]) -> tuple[list[ColumnLineage], list[Used]]:
    """The columns as the warehouse gets them, and the uses of the source's without those that are not selected there."""
    if not table.masks:
        return columns, uses
    how = {masked.column.folded: masked.how for masked in table.masks}
    left = [_as_masked(column, how.get(column.name)) for column in columns if how.get(column.name) is not Mask.DROP]
    if table.source:  # a query over several tables reads them all at the source, and only its result is without the column
        made = {ref for column in left for ref in column.inputs}
        uses = [used for used in uses if used[1] is not Use.VALUE or used[0] in made]
    return left, uses


def _as_masked(column: ColumnLineage, how: Mask | None) -> ColumnLineage:
    return dataclasses.replace(column, type="string", masked=how.value) if how else column


def places_of_drops(program: ResolvedProgram) -> Drops:
    """Of each collected dataset the columns that it drops, with where it says so."""
    tables = [table for statement in program.statements if isinstance(statement, Collect) for table in statement.tables]
    return {table.dataset: _dropped(table) for table in tables if table.masks}


def _dropped(table: CollectTable) -> dict[str, Span]:
    return {masked.column.folded: masked.name.span for masked in table.masks if masked.how is Mask.DROP}


def explain_dropped(typed: TypedQuery, inputs: Iterable[str], drops: Drops) -> TypedQuery:
    """The typed query; of an unknown column that an input's MASK drops it says that."""
    dropped = {name: (dataset, span) for dataset in inputs for name, span in drops.get(dataset, {}).items()}
    problems = []
    for problem in typed.problems if dropped else ():
        unknown = _UNKNOWN.search(problem.cause)
        if unknown is not None and unknown[1].lower() in dropped:
            name = unknown[1].lower()
            dataset, span = dropped[name]
            cause = f"`{name}` of `{dataset}` is dropped by MASK in line {span.position.line} of {span.position.file}"
            problem = dataclasses.replace(problem, cause=cause, remedy="do without it, or HASH it there instead")
        problems.append(problem)
    return dataclasses.replace(typed, problems=tuple(problems)) if dropped else typed
