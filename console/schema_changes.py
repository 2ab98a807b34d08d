"""Compares two snapshots of a connection's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared_metadata.program.schema import Schema, SchemaColumn

Tables = Mapping[str, Schema | None]


@dataclass(frozen=True)
class ColumnChange:
    """One column of a table. before, after: its type with the source's word for it; '' when it is not there."""

    column: str
    before: str
    after: str


@dataclass(frozen=True)
class TableChange:
    """change: 'added' | 'changed' | 'gone' (from the source) | 'forgotten' (neither there nor in the program)."""

    table: str
    change: str
    columns: tuple[ColumnChange, ...] = ()
    reordered: bool = False


def compare(before: Tables, after: Tables) -> tuple[TableChange, ...]:
    """Every difference, by table; none for a table that is missing in both."""
    return tuple(change for name in sorted({*before, *after}) for change in _of_table(name, before, after))


def _of_table(name: str, before: Tables, after: Tables) -> Iterator[TableChange]:
    old, new = before.get(name), after.get(name)
    if old == new and (name in after or old is None):
        return
    if new is None:
        yield TableChange(name, "gone" if name in after else "forgotten")
    elif old is None:
        yield TableChange(name, "added", _columns(Schema(()), new))
    else:
        columns = _columns(old, new)
        kept = [c.source for c in old.columns if c.source in {n.source for n in new.columns}]
        reordered = kept != [c.source for c in new.columns if c.source in kept]
        yield TableChange(name, "changed", columns, reordered)


def _columns(old: Schema, new: Schema) -> tuple[ColumnChange, ...]:
    """The new and changed columns in the new order, then the removed ones."""
    was, now = {c.source: c for c in old.columns}, {c.source: c for c in new.columns}
    changes = [ColumnChange(c.source, _said(was.get(name)), _said(c)) for name, c in now.items() if was.get(name) != c]
    return (*changes, *(ColumnChange(c.source, _said(c), "") for name, c in was.items() if name not in now))


def _said(column: SchemaColumn | None) -> str:
    if column is None:
        return ""
    return f"{column.type} ({column.source_type}{'' if column.nullable else ', never null'})"
