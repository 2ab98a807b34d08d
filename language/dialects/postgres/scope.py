"""What a query's names mean at a place in it: the tables of FROM with their columns, CTEs, and the queries around it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from language.dialects.postgres.kinds import Kind
from language.dialects.postgres.parser import Node
from language.dialects.postgres.places import Place

Ref = tuple[str, str]
Refs = frozenset[Ref]
NO_REFS: Refs = frozenset()


@dataclass(frozen=True)
class Untold:
    """Where and why a type cannot be told."""

    place: Place
    cause: str
    remedy: str


@dataclass(eq=False)
class Expr:
    """A part of a query that has a value.

    kind: None where it cannot be told; `untold` says why, or a problem already does.  key: equal for equal expressions.
    parts: the expressions that it is made of.  refs: the inputs' columns behind its value.  origin: the input's column that it is.
    tag: 'column', 'aggregate', 'window', 'query', 'set' (of rows), 'literal' or ''.
    scope: of a column whose FROM has it, of an aggregate whose rows it takes.  named: whether an input's column is named here.
    reads: columns of queries around it that a subquery names.
    """

    kind: Kind | None
    place: Place
    key: tuple[Hashable, ...]
    parts: tuple[Expr, ...] = ()
    refs: Refs = NO_REFS
    origin: Ref | None = None
    tag: str = ""
    scope: Scope | None = None
    named: bool = False
    reads: tuple[Expr, ...] = ()
    untold: Untold | None = None

    def walk(self) -> Iterator[Expr]:
        """It and its parts, and those of theirs."""
        stack = [self]
        while stack:
            found = stack.pop()
            yield found
            stack += found.parts


@dataclass(eq=False)
class Column:
    """spelled: as `*` is written out; '' where nothing names it.  is_input: whether it is a column of an input.

    same: the column that it is under another name.
    """

    name: str
    kind: Kind | None
    refs: Refs = NO_REFS
    origin: Ref | None = None
    spelled: str = ""
    untold: Untold | None = None
    is_input: bool = False
    same: Column | None = None

    @property
    def identity(self) -> int:
        return id(self) if self.same is None else self.same.identity


@dataclass(eq=False)
class Item:
    """What stands in FROM.  path: the names by which columns are qualified, of a table without alias all of its own.

    by_table, by_column: whether its columns may be named with it before them, and without.
    is_value: of a function that gives no rows of several columns: its name means its value.
    """

    path: tuple[str, ...]
    columns: list[Column]
    scope: Scope
    by_table: bool = True
    by_column: bool = True
    is_value: bool = False

    @property
    def name(self) -> str:
        return self.path[-1] if self.path else ""

    def is_called(self, names: tuple[str, ...]) -> bool:
        return self.by_table and bool(self.path) and self.path[-len(names) :] == names

    def get(self, name: str) -> list[Column]:
        return [column for column in self.columns if column.name == name]


@dataclass(eq=False)
class CommonTable:
    columns: list[Column]


@dataclass(eq=False)
class Scope:
    """One SELECT.  visible: what may be named now.  clause: which of its clauses is read now.  outer: columns of those around it."""

    parent: Scope | None
    visible: list[Item] = field(default_factory=list)
    tables: dict[str, CommonTable] = field(default_factory=dict)
    clause: str = "select"
    aggregates: list[Expr] = field(default_factory=list)
    windows: dict[str, Node] = field(default_factory=dict)
    window_parts: list[Expr] = field(default_factory=list)
    outer: list[Expr] = field(default_factory=list)
    hidden: list[Item] = field(default_factory=list)

    @contextmanager
    def reading(self, clause: str, visible: list[Item] | None = None) -> Iterator[None]:
        former = self.clause, self.visible
        self.clause, self.visible = clause, self.visible if visible is None else visible
        try:
            yield
        finally:
            self.clause, self.visible = former

    def around(self) -> Iterator[Scope]:
        """It and those around it, the nearest first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def common_table(self, name: str) -> CommonTable | None:
        return next((scope.tables[name] for scope in self.around() if name in scope.tables), None)

    def depth(self) -> int:
        return sum(1 for _ in self.around())


@dataclass(frozen=True)
class Output:
    """One column that a query puts out."""

    name: str
    expr: Expr
    place: Place
    spelled: str = ""

    def column(self, kind: Kind | None = None) -> Column:
        return Column(self.name, kind or self.expr.kind, self.expr.refs, self.expr.origin, "", self.expr.untold)
