"""Finds the fields of a struct that a changed collect statement changes, so that readers of its other fields are not reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_metadata.program import Mask, Masks
from shared_metadata.program.masks import Path, paths
from shared_metadata.program.type_names import differing
from shared_metadata.update_set.records import ColumnChange, ColumnKind
from shared_metadata.update_set.statements import Statement

_BY_FIELD = frozenset({ColumnKind.WIDENED, ColumnKind.NARROWED, ColumnKind.RETYPED, ColumnKind.MASKED})


def changed_fields(
    dataset: str, statements: tuple[Statement, Statement], changes: Sequence[ColumnChange]
) -> dict[str, frozenset[Path]]:
    """Column ▸ fields, for those columns of a collected dataset that differ only in the cast to a struct, or in its MASK."""
    kinds: dict[str, set[ColumnKind]] = {}
    for change in changes:
        kinds.setdefault(change.column, set()).add(change.kind)
    other_key = len({statement.first.mask_key for statement in statements}) > 1
    found = {}
    for column in (name for name, each in kinds.items() if each <= _BY_FIELD):
        casts = [statement.first.casts.get(column, "") for statement in statements]
        masks: list[Mask | Masks] = [statement.masks(dataset).get(column, {}) for statement in statements]
        if all(casts) and (fields := differing(*casts) | _masked_otherwise(masks, other_key)):
            found[column] = fields
    return found


def _masked_otherwise(masks: Sequence[Mask | Masks], other_key: bool) -> frozenset[Path]:
    before, after = map(_by_path, masks)
    differ = {path for path in {**before, **after} if before.get(path) != after.get(path)}
    return frozenset(differ | {path for path, how in after.items() if other_key and how == Mask.HASH})


def _by_path(masked: Mask | Masks) -> dict[Path, Mask]:
    return dict(paths(masked)) if isinstance(masked, Mapping) else {(): masked}
