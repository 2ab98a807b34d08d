"""The lineage of every column: its type, the columns it is made from, and the columns that decide which rows there are.

Kept beside the program version that it belongs to, and read only where it is needed: to decide about drift, to compare two programs,
to show. A dataset is named as in the plan ('lake.crm.account'); a table of a source by its connection and its name there
('crm.Account', 'ops.public.flights'), a published table by its target ('ops.published.scorecard'). Of a load and of what it loads
only 'lake.crm.account' appears, of a publication and its result only the target.
"""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from shared_metadata.program import Flow, Masks, Position, from_plain
from shared_metadata.program.schema import Schema
from shared_metadata.program.type_names import spelled

T = TypeVar("T")
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


class Use(StrEnum):
    """The use of a column by a query: for a value (VALUE), or for which rows there are and in which order."""

    VALUE = "value"
    FILTER = "filter"  # WHERE, HAVING, QUALIFY; a collect's CURSOR and WHERE
    JOIN = "join"
    GROUP = "group"  # GROUP BY, DISTINCT, a set operation that removes duplicates
    ORDER = "order"  # ORDER BY of a query or a window, PARTITION BY of a window
    KEY = "key"  # MERGE ON, PARTITION BY of a table
    EXPECT = "expect"


@dataclass(frozen=True, order=True)
class ColumnRef:
    """A column of a dataset or of a source's table; with `fields`, the path to a field within it."""

    dataset: str
    column: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.dataset}.{self.column}" + (f".{spelled(self.fields)}" if self.fields else "")

    @property
    def whole(self) -> ColumnRef:
        """The column without the path."""
        return ColumnRef(self.dataset, self.column) if self.fields else self

    def meets(self, other: ColumnRef) -> bool:
        """Whether one of the two contains the other."""
        return self.whole == other.whole and overlap(self.fields, other.fields)


def overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one of two fields of a struct, each given by its path, contains the other."""
    short = min(len(one), len(other))
    return one[:short] == other[:short]


@dataclass(frozen=True)
class ColumnUse:
    """One use of a column by a statement, and its first place in the program."""

    column: ColumnRef
    use: Use
    position: Position


@dataclass(frozen=True)
class ColumnLineage:
    """One output column: its type (as in SchemaColumn), and the columns that its value is computed from, sorted.

    masked: 'hash' where a collect hashes it, or which of its fields are hashed; '' also of what is computed from such a column.
    """

    name: str
    type: str
    nullable: bool
    inputs: tuple[ColumnRef, ...]
    position: Position
    masked: str | Masks = ""


@dataclass(frozen=True)
class DatasetLineage:
    """One dataset or published table.

    flow: the flow that makes it ('lake.crm:load', 'lake.ops.carrier_day', 'ops.published.scorecard').
    uses: every use of an input's column by the statement, VALUE and others, each column and kind once.
    """

    dataset: str
    flow: str
    columns: tuple[ColumnLineage, ...]
    uses: tuple[ColumnUse, ...]
    position: Position

    @property
    def signature(self) -> str:
        """A digest of the columns' names, types, origins and masks and of the uses; without places in the text."""
        columns = [
            (c.name, c.type, c.nullable, sorted(map(_signed, c.inputs)), *([c.masked] if c.masked else [])) for c in self.columns
        ]
        return digest([columns, sorted((_signed(u.column), u.use) for u in self.uses)])


def _signed(ref: ColumnRef) -> str:
    """The signed text of a reference: never the same for a field and a column, whatever their names."""
    return f"{ref.dataset}.{ref.column}" + "".join(f"\0{name}" for name in ref.fields)


class Several(Mapping[str, T]):
    """A mapping whose values are read on demand, several at once."""

    @abstractmethod
    def some(self, names: Iterable[str]) -> Iterator[T]:
        """Those of these names that exist, a few in memory at a time."""


@dataclass(frozen=True)
class Lineage:
    """All datasets of a program by name, and `sources`: the tables at the connections as the program was compiled against.

    A stored program's are read on demand: a function asks by name for those that it needs (`some`).
    """

    datasets: Mapping[str, DatasetLineage] = field(default_factory=dict)
    sources: Mapping[str, Schema] = field(default_factory=dict)

    @property
    def version(self) -> str:
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def some(self, names: Iterable[str]) -> Iterator[DatasetLineage]:
        """Those of these datasets that exist, in no order."""
        if isinstance(self.datasets, Several):
            return self.datasets.some(names)
        return (self.datasets[name] for name in set(names) if name in self.datasets)

    def source(self, table: str) -> Schema | None:
        """The columns of a source's table; None if the program does not read it."""
        return source_in(self.sources, table)

    def readers(self, column: ColumnRef) -> tuple[DatasetLineage, ...]:
        """The datasets whose statement uses this column itself, or a field of it, in any way."""
        return tuple(d for d in self.datasets.values() if any(use.column.meets(column) for use in d.uses))

    def to_json(self) -> str:
        return json.dumps(self, default=_plain, sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Lineage:
        return from_plain(Lineage, json.loads(text))


def _plain(value: Any) -> dict[str, Any]:
    """The reference without an empty path of fields, as most are."""
    if isinstance(value, ColumnRef) and not value.fields:
        return {"dataset": value.dataset, "column": value.column}
    found: dict[str, Any] = vars(value)
    return found


def source_in(sources: Mapping[str, Schema], table: str) -> Schema | None:
    """The columns of a source's table, whose name some systems take in any case; None if it does not exist."""
    found = sources.get(table)
    return found or next((schema for name, schema in sources.items() if name.lower() == table.lower()), None)


def published_table(flow: Flow) -> str:
    """The table of a publication as its target names it, without the connection."""
    return flow.id.removeprefix(f"{flow.connection}.")


def digest(value: Any) -> str:
    """A digest of 16 characters of the JSON of `value`."""
    return hashlib.sha256(_CANONICAL.encode(value).encode()).hexdigest()[:16]


def schema_digest(schema: Schema) -> str:
    """A digest of a source's table: names, types, nullability and the source's own words for them, in order."""
    return digest({"columns": [vars(column) for column in schema.columns]})
