"""Compares the columns of a dataset between two programs, and guesses which of them were renamed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from shared_metadata.program import Position
from shared_metadata.program.lineage import ColumnLineage, ColumnRef, DatasetLineage
from shared_metadata.program.masks import said
from shared_metadata.program.type_widening import Widens, widened
from shared_metadata.update_set.records import ColumnChange, ColumnKind, QueryShape

Shapes = tuple[QueryShape | None, QueryShape | None]
Renamed = Mapping[ColumnRef, ColumnRef]


def probable_renames(old: Sequence[ColumnLineage], new: Sequence[ColumnLineage]) -> dict[str, str]:
    """Former name ▸ new name of columns removed and added at once: same type, and same origin or place or a similar name."""
    before, after = {c.name for c in old}, {c.name for c in new}
    gone = [(place, c) for place, c in enumerate(old) if c.name not in after]
    come = [(place, c) for place, c in enumerate(new) if c.name not in before]
    scored = sorted((-_likeness(g, c), g[0], c[0], g[1].name, c[1].name) for g in gone for c in come if g[1].type == c[1].type)
    found: dict[str, str] = {}
    for likeness, _, _, former, now in scored:
        if likeness < 0 and former not in found and now not in found.values():
            found[former] = now
    return found


def _likeness(gone: tuple[int, ColumnLineage], come: tuple[int, ColumnLineage]) -> float:
    same_origin = bool(gone[1].inputs) and gone[1].inputs == come[1].inputs
    similar = difflib.SequenceMatcher(None, gone[1].name, come[1].name).ratio()
    likeness = 2 * same_origin + (gone[0] == come[0]) + (similar if similar >= 0.6 else 0)
    return likeness if likeness >= 1 else 0


def certain_renames(old: QueryShape | None, new: QueryShape | None) -> dict[str, str]:
    """Former name ▸ new name of columns that are computed in exactly the same way under another name."""
    if old is None or new is None:
        return {}
    come = {digest: name for name, digest in sorted(new.columns.items(), reverse=True) if name not in old.columns}
    return {name: come[digest] for name, digest in old.columns.items() if name not in new.columns and digest in come}


def column_changes(old: DatasetLineage, new: DatasetLineage, shapes: Shapes, renamed: Renamed, able: Widens) -> list[ColumnChange]:
    """The changed columns in the order of the new ones; removed ones come last.

    shapes: of the former and the new query, where it has one.  renamed: the inputs' columns that only got another name, new ▸ former.
    able: what the warehouse makes wider in place.
    """
    certain = certain_renames(*shapes)
    names = {**probable_renames(old.columns, new.columns), **certain}
    former = {now: name for name, now in names.items()}
    if len(former) != len(names):  # a probable rename gives way to a certain one
        names = {former[now]: now for now in former}
    before = {c.name: c for c in old.columns}
    found: list[ColumnChange] = []
    for column in new.columns:
        name = former.get(column.name, column.name)
        if name not in before:
            found.append(_change(new, column.name, ColumnKind.ADDED, "", column.type, column.position))
            continue
        if name != column.name:
            sure = name in certain
            found.append(ColumnChange(new.dataset, name, ColumnKind.RENAMED, name, column.name, column.position, sure))
        found += _differences(new, before[name], column, shapes, renamed, able)
    gone = [c for c in old.columns if c.name not in names and all(c.name != other.name for other in new.columns)]
    return [*found, *(_change(new, c.name, ColumnKind.DROPPED, c.type, "", new.position) for c in gone)]


def _differences(
    dataset: DatasetLineage,
    old: ColumnLineage,
    new: ColumnLineage,
    shapes: Shapes,
    renamed: Renamed,
    able: Widens,
) -> Iterator[ColumnChange]:
    if old.type != new.type:
        yield _change(dataset, new.name, _type_change(old.type, new.type, able), old.type, new.type, new.position)
    if old.nullable != new.nullable:
        kind = ColumnKind.NULLABLE if new.nullable else ColumnKind.REQUIRED
        yield _change(dataset, new.name, kind, "", "", new.position)
    if old.masked != new.masked:
        yield _change(dataset, new.name, ColumnKind.MASKED, said(old.masked) or "clear", said(new.masked) or "clear", new.position)
    inputs = sorted(replace(renamed.get(ref.whole, ref.whole), fields=ref.fields) for ref in new.inputs)
    digests = [shape.columns.get(c.name) if shape else None for shape, c in zip(shapes, (old, new), strict=True)]
    same = digests[0] == digests[1] if None not in digests else inputs == sorted(old.inputs)
    if not same:
        yield _change(dataset, new.name, ColumnKind.MEANING, _listed(old.inputs), _listed(new.inputs), new.position)


def hashed_anew(old: DatasetLineage, new: DatasetLineage) -> list[ColumnChange]:
    """The columns of a dataset with a changed mask key that are hashed as before, but have other hashes now."""
    before = {column.name for column in old.columns if column.masked}
    hashed = [column for column in new.columns if column.masked and column.name in before]
    return [_change(new, column.name, ColumnKind.MASKED, "hash", "hash by another key", column.position) for column in hashed]


def _type_change(before: str, after: str, able: Widens) -> ColumnKind:
    return {after: ColumnKind.WIDENED, before: ColumnKind.NARROWED}.get(widened(before, after, able) or "", ColumnKind.RETYPED)


def _change(dataset: DatasetLineage, column: str, kind: ColumnKind, before: str, after: str, position: Position) -> ColumnChange:
    return ColumnChange(dataset.dataset, column, kind, before, after, position)


def _listed(inputs: Sequence[ColumnRef]) -> str:
    return ", ".join(map(str, sorted(inputs)))
