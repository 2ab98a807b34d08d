"""What names mean in a query: the tables of FROM, and those of the queries around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from doubles.athena.errors import QueryFailed
from shared_metadata.program.type_names import TypeName as Kind


@dataclass(frozen=True)
class Value:
    """An expression in DuckDB's SQL, which has the DuckDB type that `kind` is held in."""

    sql: str
    kind: Kind


@dataclass(frozen=True)
class Column:
    """A column of a query or table by its name; '' of one without."""

    name: str
    value: Value


@dataclass
class Source:
    """A table or query of FROM.  path: a table's database and name."""

    called: str
    columns: list[Column]
    path: tuple[str, ...] = ()

    def is_meant(self, owner: tuple[str, ...]) -> bool:
        return owner == (self.called,) or (bool(self.path) and self.path[-len(owner) :] == owner and self.path[-1] == self.called)


@dataclass
class Scope:
    """merged: the columns of USING, which no table's name leads to any more."""

    sources: list[Source] = field(default_factory=list)
    outer: Scope | None = None
    merged: list[Column] = field(default_factory=list)

    def find(self, owner: tuple[str, ...], name: str) -> list[Column]:
        """What a name may mean, in the nearest query where it means something."""
        near = [source.columns for source in self.sources if not owner or source.is_meant(owner)]
        found = [column for columns in (*near, [] if owner else self.merged) for column in columns if column.name == name]
        return found or (self.outer.find(owner, name) if self.outer is not None else [])

    def column(self, owner: tuple[str, ...], name: str) -> Column:
        found = self.find(owner, name)
        said = ".".join((*owner, name))
        if not found:
            raise QueryFailed("COLUMN_NOT_FOUND", f"line 1:1: Column '{said}' cannot be resolved")
        if len(found) > 1:
            raise QueryFailed("AMBIGUOUS_NAME", f"line 1:1: Column '{said}' is ambiguous")
        return found[0]

    def starred(self, owner: tuple[str, ...]) -> Iterator[Column]:
        if not owner:
            yield from self.merged
        for source in self.sources:
            if not owner or source.is_meant(owner):
                yield from source.columns

    def merge(self, name: str, left: Sequence[Source], right: Source) -> tuple[Column, Column]:
        """The two columns of USING, which are taken out of their tables."""
        sides = []
        for sources in (left, [right]):
            found = [(source, column) for source in sources for column in source.columns if column.name == name]
            found_merged = [column for column in self.merged if column.name == name] if sources is left else []
            if len(found) + len(found_merged) != 1:
                raise QueryFailed("COLUMN_NOT_FOUND", f"line 1:1: Column '{name}' cannot be resolved")
            for source, column in found:
                source.columns = [one for one in source.columns if one is not column]
            self.merged = [one for one in self.merged if one not in found_merged]
            sides.append(found_merged[0] if found_merged else found[0][1])
        return sides[0], sides[1]
