"""What the names in a query stand for, and what is said of those that stand for nothing or for several things."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from language.diagnostics import did_you_mean
from language.places import place_of
from language.query_places import Written

Ref = tuple[str, str]
NameProblem = tuple[int, int, str, str]  # start, end, cause, remedy


class Names:
    """outputs: the names that each query among the scopes puts out, by its id; filled by who walks them."""

    def __init__(self, tables: Mapping[str, Collection[str]], written: Written) -> None:
        self._tables = {name: list(columns) for name, columns in tables.items()}
        self._written = written
        self.outputs: dict[int, list[str]] = {}
        self.problems: dict[NameProblem, None] = {}

    def in_table(self, column: exp.Column, source: exp.Table) -> Ref | None:
        """The input's column; None, and a problem, where it has none of this name."""
        known = self._tables.get(source.name)
        if known is None:
            return None
        name, aliases = column.name, source.alias_column_names
        if name in aliases:
            name = known[aliases.index(name)] if aliases.index(name) < len(known) else name
        elif name in known[: len(aliases)]:
            name = ""
        if name not in known:
            self.unknown(column, column.table, [*aliases, *known[len(aliases) :]])
            return None
        return source.name, name

    def alias_columns(self, scope: Scope, table: str) -> list[str]:
        node = scope.selected_sources.get(table, (None, None))[0]
        return list(node.alias_column_names) if isinstance(node, exp.Expr) else []

    def unknown(self, column: exp.Column, table: str, known: Iterable[str]) -> None:
        name = column.name
        said = f"`{table}` has no column `{name}`" if table != "here" else f"there is no column `{name}` here"
        self._problem(column, said, did_you_mean(name, known) + _listed(known))

    def whole_row(self, node: exp.Expr) -> None:
        self._problem(node, f"`{node.name}` is a table, not a column", f"name the columns, as in {node.name}.…")

    def unresolved(self, scope: Scope, column: exp.Column) -> None:
        """A column whose table is not known, or that sqlglot left without one: no table has it, or several do."""
        name, table = column.name, column.table
        if table:
            remedy = did_you_mean(table, _all_sources(scope)) + "name one that FROM names"
            self._problem(column, f"there is no table `{table}` here", remedy)
            return
        known: dict[str, list[str]] = {}
        inner: Scope | None = scope
        while inner is not None and name not in known:
            for source in inner.selected_sources:
                for each in self._columns_of(inner, source):
                    known.setdefault(each, []).append(source)
            inner = inner.parent
        holders = sorted(known.get(name, ()))
        if len(holders) > 1:
            self._problem(column, f"`{name}` is ambiguous: {', '.join(holders)} have it", f"write {holders[0]}.{name}")
        else:
            self.unknown(column, "here", known)

    def _columns_of(self, scope: Scope, table: str) -> Iterable[str]:
        source = scope.sources.get(table)
        if isinstance(source, exp.Table):
            aliases = source.alias_column_names
            return [*aliases, *self._tables.get(source.name, ())[len(aliases) :]]
        return self.alias_columns(scope, table) or self.outputs.get(id(source.expression), ()) if source is not None else ()

    def _problem(self, node: exp.Expr, cause: str, remedy: str) -> None:
        start, end = self._written.place(node) if isinstance(node, exp.Column) else place_of(node) or (0, 0)
        self.problems[start, end, cause, remedy] = None


def source_of(scope: Scope, table: str) -> tuple[exp.Table | Scope, Scope] | None:
    """What a table's name means in a scope or in those around it, and the scope that has it."""
    inner: Scope | None = scope
    while inner is not None:
        if table in inner.sources:
            return inner.sources[table], inner
        inner = inner.parent
    return None


def _all_sources(scope: Scope) -> list[str]:
    found: list[str] = []
    inner: Scope | None = scope
    while inner is not None:
        found += inner.selected_sources
        inner = inner.parent
    return found


def _listed(known: Iterable[str]) -> str:
    names = sorted(known)
    shown = ", ".join(names[:12])
    return f"it has {shown}{' …' if len(names) > 12 else ''}" if names else "name one that there is"
