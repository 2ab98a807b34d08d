"""An update set as plain frozen dataclasses: the changes of applying a program, their effects on readers, and their costs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared_metadata.program import Position
from shared_metadata.program.intervals import to_text
from shared_metadata.program.lineage import ColumnRef, Use


class ColumnKind(StrEnum):
    """The kinds of change of a dataset's column."""

    ADDED = "added"
    DROPPED = "dropped"
    RENAMED = "renamed"
    WIDENED = "widened"
    NARROWED = "narrowed"
    RETYPED = "retyped"
    NULLABLE = "may be null now"
    REQUIRED = "never null now"
    MEANING = "computed differently"
    MASKED = "masked"


class Reason(StrEnum):
    """A reason why a change breaks something that the compiler cannot see."""

    DATASET_REMOVED = "dataset removed"
    COLUMN_DROPPED = "column dropped"
    COLUMN_RENAMED = "column renamed"
    TYPE_NARROWED = "type narrowed"
    TYPE_CHANGED = "type changed"
    NULLS = "nulls"
    KEY_CHANGED = "key changed"
    MODE_CHANGED = "mode changed"
    MIXED_HISTORY = "mixed history"
    CLEAR_VALUES = "clear values stay"
    ANOTHER_WAREHOUSE = "another warehouse"


@dataclass(frozen=True)
class QueryShape:
    """The digests of a query's meaning: `rows` decides which rows there are, `columns` each column's values.

    Names of aliases, comments and layout do not count. columns: output column ▸ digest.
    """

    rows: str
    columns: Mapping[str, str]


@dataclass(frozen=True)
class PartChange:
    """One part of a statement that differs; before and after: for short parts (EVERY in seconds, mode, key …), else ''."""

    part: str
    before: Any = ""
    after: Any = ""


@dataclass(frozen=True)
class StatementChange:
    """A statement that differs, or whose source's columns do; position: in the new program."""

    statement: str
    parts: tuple[PartChange, ...]
    position: Position

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(part.part for part in self.parts)


@dataclass(frozen=True)
class ColumnChange:
    """One column of a dataset. before, after: RENAMED: the names; types: the types; MEANING: the columns it is computed from;
        MASKED: how it is masked.

    certain: False for a rename that is only probable: same type and origin or place, but not the same expression.
    """

    dataset: str
    column: str
    kind: ColumnKind
    before: str
    after: str
    position: Position
    certain: bool = True


@dataclass(frozen=True)
class Reach:
    """A changed column of an input, how a reader uses it, and the first place where it says so."""

    column: ColumnRef
    uses: tuple[Use, ...]
    position: Position


@dataclass(frozen=True)
class ReaderEffect:
    """The effect on a view or a publication that reads changed data, directly or through others.

    by: the changed columns that its statement uses.  rows_of: inputs whose rows may differ.
    columns: its own columns whose values may differ.  rows: its own rows may differ.
    known: False where a program was compiled without the sources' schemas: then everything counts as changed.
    """

    dataset: str
    position: Position
    by: tuple[Reach, ...] = ()
    rows_of: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: bool = False
    known: bool = True

    @property
    def changes(self) -> bool:
        """Whether its data may change; otherwise it runs again with the same result, if at all."""
        return self.rows or bool(self.columns)


@dataclass(frozen=True)
class Breaking:
    """A break outside the program or in a table's history; column: '' for the whole dataset.  fails: batches would fail."""

    dataset: str
    column: str
    reason: Reason
    why: str
    remedy: str
    position: Position
    fails: bool = False


@dataclass(frozen=True)
class Recompute:
    """The batches that a statement runs because of the change, in addition to those that it would run anyway.

    start, end: the batches of a restatement, half-open; None without one: then a table is made whole in one batch, or else, with
        0 batches, nothing of the past is made anew.
    rows, seconds, dollars: estimated from the latest batches' statistics; None where there are none.
    """

    statement: str
    batches: int
    start: datetime | None
    end: datetime | None
    rows: int | None = None
    seconds: float | None = None
    dollars: float | None = None


@dataclass(frozen=True)
class UpdateSet:
    """The changes of applying a program, by statement: 'lake.crm' is a collect and its load, 'ops.public.t' a result and its table.

    endpoints: connections and warehouses whose system or options differ.  typed: both programs know their columns.
    other_rows: datasets that may have other rows, or the same with other values in every column.
    boundary: when it takes effect; None if it was not given.
    """

    version: str
    former: str
    added: tuple[str, ...] = ()
    changed: tuple[StatementChange, ...] = ()
    removed: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    columns: tuple[ColumnChange, ...] = ()
    other_rows: tuple[str, ...] = ()
    readers: tuple[ReaderEffect, ...] = ()
    breaking: tuple[Breaking, ...] = ()
    recompute: tuple[Recompute, ...] = ()
    positions: Mapping[str, Position] = field(default_factory=dict)
    boundary: datetime | None = None
    restate_from: datetime | None = None
    planned_at: datetime | None = None
    typed: bool = False

    @property
    def empty(self) -> bool:
        """No statement and no connection or warehouse differs."""
        return not (self.added or self.changed or self.removed or self.endpoints)

    def to_dict(self) -> dict[str, Any]:
        """The update set as plain values for JSON; moments are ISO 8601 text."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self), default=_text))
        return {**values, "empty": self.empty, "is_breaking": bool(self.breaking)}


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return to_text(value)
    raise TypeError(type(value).__name__)
