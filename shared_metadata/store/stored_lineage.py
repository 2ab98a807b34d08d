"""A program's stored lineage: an item for each dataset and each source's table, so that a reader loads only those that it needs."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from shared_metadata.program import Position, from_plain
from shared_metadata.program.lineage import ColumnLineage, ColumnRef, ColumnUse, DatasetLineage, Lineage, Several, Use
from shared_metadata.program.schema import Schema
from shared_metadata.store import keys

T = TypeVar("T")
Body = tuple[str, bytes]  # a name, and the bytes stored under it
AT_ONCE = 100  # so many names that not all are in memory


def stored_items(version: str, lineage: Lineage) -> Iterator[dict[str, Any]]:
    """The items of a program version's lineage."""
    for name, dataset in lineage.datasets.items():
        yield {**keys.dataset_lineage(version, name), "name": name, "body": _packed(_plain(dataset))}
    for name, schema in lineage.sources.items():
        yield {**keys.source_lineage(version, name), "name": name, "body": _packed(dataclasses.asdict(schema))}


def stored_lineage(datasets: Reads, sources: Reads) -> Lineage:
    """A lineage that reads stored items on demand."""
    return Lineage(Stored(datasets, _dataset), Stored(sources, _schema))


def read_ahead(lineage: Lineage) -> None:
    """Reads all of a stored lineage now, in a few requests, for callers that need most of it; it is unpacked name by name."""
    for known in (lineage.datasets, lineage.sources):
        if isinstance(known, Stored):
            known.ahead()


@dataclasses.dataclass(frozen=True)
class Reads:
    """Reads stored lineage. some: those of these names that exist.  all: everything."""

    some: Callable[[list[str]], Iterable[Body]]
    all: Callable[[], Iterable[Body]]


class Stored(Several[T], Generic[T]):
    """Stored lineage by name; iterating, or calling `ahead`, reads it once, and keeps it as compact as it is stored."""

    def __init__(self, reads: Reads, made: Callable[[bytes], T]) -> None:
        self._reads, self._made = reads, made
        self._bodies: dict[str, bytes] = {}
        self._whole = False

    def ahead(self) -> None:
        """Reads everything now, and nothing afterwards."""
        if not self._whole:
            self._bodies, self._whole = dict(self._reads.all()), True

    def some(self, names: Iterable[str]) -> Iterator[T]:
        wanted = sorted(set(names))
        if self._whole:
            yield from (self._made(self._bodies[name]) for name in wanted if name in self._bodies)
            return
        for at in range(0, len(wanted), AT_ONCE):
            yield from (self._made(body) for _, body in self._reads.some(wanted[at : at + AT_ONCE]))

    def __getitem__(self, name: str) -> T:
        if name not in self:
            raise KeyError(name)
        return self._made(self._bodies[name])

    def __contains__(self, name: object) -> bool:
        if name not in self._bodies and not self._whole and isinstance(name, str):
            self._bodies.update(self._reads.some([name]))
        return name in self._bodies

    def __iter__(self) -> Iterator[str]:
        self.ahead()
        return iter(self._bodies)

    def __len__(self) -> int:
        self.ahead()
        return len(self._bodies)


def _plain(dataset: DatasetLineage) -> list[Any]:
    """A plain value without the names of fields, which would be most of it and take most of the time to read."""
    columns = [[c.name, c.type, c.nullable, [_ref(ref) for ref in c.inputs], _place(c.position), c.masked] for c in dataset.columns]
    uses = [[*_ref(use.column), use.use.value, _place(use.position)] for use in dataset.uses]
    return [dataset.dataset, dataset.flow, columns, uses, _place(dataset.position)]


def _ref(ref: ColumnRef) -> list[Any]:
    """A stored reference: a field's has its path, a column's none."""
    return [ref.dataset, ref.column, *([ref.fields] if ref.fields else [])]


def _read_ref(dataset: str, column: str, fields: Sequence[str] = ()) -> ColumnRef:
    return ColumnRef(dataset, column, tuple(fields))


def _place(position: Position) -> list[Any]:
    return [position.file, position.line, position.column]


def _dataset(body: bytes) -> DatasetLineage:
    name, flow, columns, uses, at = json.loads(zlib.decompress(body))
    return DatasetLineage(
        name,
        flow,
        tuple(
            ColumnLineage(column, type_, nullable, tuple(_read_ref(*ref) for ref in inputs), Position(*place), masked)
            for column, type_, nullable, inputs, place, masked in columns
        ),
        tuple(ColumnUse(_read_ref(*ref), Use(use), Position(*place)) for *ref, use, place in uses),
        Position(*at),
    )


def _schema(body: bytes) -> Schema:
    return from_plain(Schema, json.loads(zlib.decompress(body)))


def _packed(value: Any) -> bytes:
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode())
