"""What names mean in a query: the tables of FROM, and those of the queries around."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared_metadata.program.type_names import TypeName

Ref = tuple[str, ...]  # (table, column)


@dataclass(frozen=True)
class Typed:
    """An expression.  kind: None where it is told elsewhere why there is none.  refs: the inputs' columns that it is made from."""

    kind: TypeName | None
    refs: frozenset[Ref] = frozenset()
    nullable: bool = True


def refs_of(found: Sequence[Typed]) -> frozenset[Ref]:
    return frozenset().union(*(each.refs for each in found))


UNKNOWN = TypeName("unknown")  # of NULL
NOTHING = Typed(None)
NULL = Typed(UNKNOWN)


@dataclass(frozen=True)
class Source:
    """A table or query of FROM.  path: its dataset's parts, of a table.  hidden: columns that no `*` brings."""

    called: str
    columns: Mapping[str, Typed]
    path: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()

    def padded(self) -> Source:
        """The columns as an outer join has them: with rows of NULL."""
        return replace(self, columns={name: replace(column, nullable=True) for name, column in self.columns.items()})

    def is_meant(self, owner: tuple[str, ...]) -> bool:
        return owner == (self.called,) or (bool(self.path) and self.path[-len(owner) :] == owner and self.path[-1] == self.called)


@dataclass
class Scope:
    """common: the type that values of both become; None where there is none.  merged: columns of USING, which are one."""

    common: Callable[[TypeName, TypeName], TypeName | None]
    sources: list[Source] = field(default_factory=list)
    outer: Scope | None = None
    merged: set[str] = field(default_factory=set)

    def find(self, owner: tuple[str, ...], name: str) -> list[Typed]:
        """What a name may mean, in the nearest query where it means something; several where that is ambiguous."""
        near = [s for s in self.sources if not owner or s.is_meant(owner)]
        found = [source.columns[name] for source in near if name in source.columns]
        if name in self.merged:  # of no table any more
            return [] if owner else [self._merged(found)]
        return found or (self.outer.find(owner, name) if self.outer is not None else [])

    def starred(self, owner: tuple[str, ...]) -> Iterator[tuple[Source, str]]:
        """Each column of `*`, or of `owner.*`; one of USING once, and of no owner."""
        brought: set[str] = set()
        for source in self.sources:
            for name in source.columns if not owner or source.is_meant(owner) else ():
                if name not in source.hidden and not (name in self.merged and (owner or name in brought)):
                    brought.add(name)
                    yield source, name

    def names(self) -> Iterator[str]:
        for source in self.sources:
            yield from source.columns

    def _merged(self, found: list[Typed]) -> Typed:
        """One column of those that USING has made one."""
        kind = found[0].kind
        for each in found[1:]:
            kind = self.common(kind, each.kind) if kind is not None and each.kind is not None else None
        return Typed(kind, frozenset().union(*(each.refs for each in found)), any(each.nullable for each in found))
