"""Column lineage of a qualified query, in one pass over its scopes: sources come before what reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, walk_in_scope

from language.diagnostics import did_you_mean
from language.places import Place, place_of
from language.stars import StarPlaces
from shared_metadata.lineage import Use
from shared_metadata.records import SchemaColumn

Ref = tuple[str, str]
Refs = frozenset[Ref]
NONE: Refs = frozenset()
_USES = {
    "where": Use.FILTER,
    "having": Use.FILTER,
    "qualify": Use.FILTER,
    "limit": Use.FILTER,
    "offset": Use.FILTER,
    "joins": Use.JOIN,
    "group": Use.GROUP,
    "distinct": Use.GROUP,
    "order": Use.ORDER,
    "windows": Use.ORDER,
}


@dataclass
class QueryLineage:
    """outputs: per output column the inputs' columns behind its value.  uses: (table, column, kind) ▸ the first place.

    problems: (start, end, cause, remedy) of names that mean no column, or several.
    """

    outputs: list[Refs] = field(default_factory=list)
    uses: dict[tuple[str, str, Use], Place] = field(default_factory=dict)
    problems: list[tuple[int, int, str, str]] = field(default_factory=list)


def trace(scopes: list[Scope], tables: Mapping[str, tuple[SchemaColumn, ...]], stars: StarPlaces) -> QueryLineage:
    """Of all scopes of one query, as `traverse_scope` orders them."""
    tracer = _Tracer(tables, stars)
    for scope in scopes:
        tracer.visit(scope)
    return tracer.finish(scopes[-1]) if scopes else QueryLineage()


class _Tracer:
    def __init__(self, tables: Mapping[str, tuple[SchemaColumn, ...]], stars: StarPlaces) -> None:
        self._tables = {name: {column.name for column in columns} for name, columns in tables.items()}
        self._sources = {name: {c.source or c.name for c in columns} for name, columns in tables.items()}
        self._stars = stars
        self._outputs: dict[int, dict[str, Refs]] = {}
        self._kinds: dict[Ref, dict[Use, None]] = {}
        self._places: dict[Ref, Place] = {}
        self._problems: dict[tuple[int, int, str, str], None] = {}

    def visit(self, scope: Scope) -> None:
        query = scope.expression
        if isinstance(query, exp.SetOperation):
            outputs = self._set_operation(scope)
            self._tail(scope, query, outputs)
        elif isinstance(query, exp.Select):
            outputs = self._select(scope, query)
        else:
            outputs = self._function(scope, query)
        self._outputs[id(scope)] = outputs
        if scope.is_cte and isinstance(query, exp.SetOperation):
            self._until_stable(scope)

    def finish(self, root: Scope) -> QueryLineage:
        outputs = list(self._outputs[id(root)].values())
        for refs in outputs:
            self._use(refs, Use.VALUE)
        uses = {}
        for ref, place in self._places.items():
            for use in self._kinds.get(ref) or (Use.VALUE,):
                uses[(*ref, use)] = place
        return QueryLineage(outputs, uses, list(self._problems))

    # -- the kinds of scopes

    def _select(self, scope: Scope, select: exp.Select) -> dict[str, Refs]:
        names = [item.alias_or_name for item in select.expressions]
        values: list[set[Ref]] = [set() for _ in names]
        for column in _columns(scope):
            key, index, window = _section(column, select)
            refs = self._resolve(scope, column, values, names, key)
            if key == "expressions":
                values[index] |= refs
                if window:
                    self._use(refs, Use.ORDER)
            elif key in _USES:
                self._use(refs, _USES[key])
        for inner in scope.subquery_scopes:
            key, index, window = _section(inner.expression, select)
            refs = frozenset().union(*self._outputs.get(id(inner), {}).values())
            if key == "expressions":
                values[index] |= refs
            elif key in _USES:
                self._use(refs, _USES[key])
        outputs = {name: frozenset(refs) for name, refs in zip(names, values, strict=True)}
        distinct = select.args.get("distinct")
        if distinct is not None and not distinct.args.get("on"):
            self._use(frozenset().union(*outputs.values()), Use.GROUP)
        return outputs

    def _set_operation(self, scope: Scope) -> dict[str, Refs]:
        query = scope.expression
        sides = [self._outputs.get(id(side), {}) for side in scope.set_operation_scopes]
        if len(sides) != 2:
            return {}
        left, right = sides
        if query.args.get("by_name"):
            names = dict.fromkeys([*left, *right])
            outputs = {name: left.get(name, NONE) | right.get(name, NONE) for name in names}
        else:
            others = [*right.values(), *([NONE] * len(left))]
            only_left = isinstance(query, exp.Except)
            outputs = {name: refs if only_left else refs | others[n] for n, (name, refs) in enumerate(left.items())}
            if only_left:
                self._use(frozenset().union(*right.values()), Use.FILTER)
        if query.args.get("distinct") or isinstance(query, (exp.Except, exp.Intersect)):
            self._use(frozenset().union(*outputs.values()), Use.GROUP)
        return outputs

    def _tail(self, scope: Scope, query: exp.Expr, outputs: dict[str, Refs]) -> None:
        """ORDER BY after a set operation names its outputs."""
        order = query.args.get("order")
        for column in order.find_all(exp.Column) if order is not None else ():
            self._use(outputs.get(column.name, NONE), Use.ORDER)

    def _function(self, scope: Scope, query: exp.Expr) -> dict[str, Refs]:
        """UNNEST, LATERAL and VALUES: every column comes from every argument."""
        refs: set[Ref] = set()
        for column in query.find_all(exp.Column):
            refs |= self._resolve(scope, column, [], [], "")
        for inner in scope.subquery_scopes:
            refs |= frozenset().union(*self._outputs.get(id(inner), {}).values())
        names = query.alias_column_names or query.named_selects if isinstance(query, exp.UDTF) else []
        return _Everything(dict.fromkeys(names, frozenset(refs)), frozenset(refs))

    def _until_stable(self, scope: Scope) -> None:
        """A recursive CTE reads itself: what flows around the circle is found by going around it."""
        for side in scope.set_operation_scopes:
            if scope not in side.sources.values() and not any(s in scope.set_operation_scopes for s in side.sources.values()):
                continue
            former = None
            while former != self._outputs[id(scope)]:
                former = self._outputs[id(scope)]
                for source in side.sources.values():
                    if isinstance(source, Scope) and source in scope.set_operation_scopes:
                        self._outputs[id(source)] = dict(zip(self._outputs[id(source)], former.values(), strict=False))
                if isinstance(side.expression, exp.Select):
                    self._outputs[id(side)] = self._select(side, side.expression)
                self._outputs[id(scope)] = self._set_operation(scope)

    # -- columns

    def _resolve(self, scope: Scope, column: exp.Column, values: list[set[Ref]], names: list[str], key: str) -> Refs:
        """The inputs' columns that a column of a scope stands for; a problem where there is none."""
        if isinstance(column.this, exp.Star):
            return NONE
        name, table = column.name, column.table
        if not table:
            if key in ("order", "having", "qualify", "group", "distinct", "windows") and name in names:
                return frozenset(values[names.index(name)])
            self._unresolved(scope, column)
            return NONE
        found = _source(scope, table)
        if found is None:
            self._problem(
                column, f"there is no table `{table}` here", did_you_mean(table, _all_sources(scope)) + "name one that FROM names"
            )
            return NONE
        source, holder = found
        if isinstance(source, exp.Table):
            return self._of_table(column, source, holder, table)
        outputs = self._outputs.get(id(source))
        if outputs is None:
            return NONE
        aliases = _alias_columns(holder, table)
        if aliases and name in aliases:
            return [*outputs.values()][aliases.index(name)] if aliases.index(name) < len(outputs) else NONE
        if name in outputs:
            return outputs[name]
        if isinstance(outputs, _Everything):
            return outputs.refs
        self._unknown(column, table, outputs)
        return NONE

    def _of_table(self, column: exp.Column, source: exp.Table, holder: Scope, table: str) -> Refs:
        if source.name not in self._tables:
            if isinstance(source.this, exp.Func):
                refs: set[Ref] = set()
                for argument in source.this.find_all(exp.Column):
                    refs |= self._resolve(holder, argument, [], [], "")
                return frozenset(refs)
            return NONE
        name = column.name
        aliases = source.alias_column_names
        if aliases and name in aliases:
            name = list(self._tables[source.name])[aliases.index(name)]
        if name not in self._tables[source.name] and name not in self._sources[source.name]:
            self._unknown(column, table, self._sources[source.name])
            return NONE
        ref = (source.name, name)
        place = self._place(column)
        if ref not in self._places or place < self._places[ref]:
            self._places[ref] = place
        return frozenset((ref,))

    def _unresolved(self, scope: Scope, column: exp.Column) -> None:
        """A column without a table, which sqlglot left so: no table has it, or several do."""
        name, holders, known = column.name, [], set[str]()
        inner: Scope | None = scope
        while inner is not None and not holders:
            for table in inner.selected_sources:
                columns = self._columns_of(inner, table)
                known |= set(columns)
                if name in columns:
                    holders.append(table)
            inner = inner.parent
        if len(holders) > 1:
            cause = f"`{name}` is ambiguous: {', '.join(sorted(holders))} have it"
            self._problem(column, cause, f"write {sorted(holders)[0]}.{name}")
        elif not holders:
            self._problem(column, f"there is no column `{name}` here", did_you_mean(name, known) + _listed(known))

    def _columns_of(self, scope: Scope, table: str) -> Iterable[str]:
        source = scope.sources.get(table)
        if isinstance(source, exp.Table):
            return source.alias_column_names or self._sources.get(source.name, ())
        return _alias_columns(scope, table) or self._outputs.get(id(source), {}) if source is not None else ()

    def _unknown(self, column: exp.Column, table: str, known: Iterable[str]) -> None:
        name = column.name
        self._problem(column, f"`{table}` has no column `{name}`", did_you_mean(name, known) + _listed(known))

    def _problem(self, column: exp.Column, cause: str, remedy: str) -> None:
        self._problems[(*self._place(column), cause, remedy)] = None

    def _place(self, column: exp.Column) -> Place:
        """Of the column, or of the star that it came from."""
        if found := place_of(column):
            return found
        select = column.find_ancestor(exp.Select)
        return (self._stars.place(select) if select is not None else None) or (0, 0)

    def _use(self, refs: Iterable[Ref], use: Use) -> None:
        for ref in refs:
            self._kinds.setdefault(ref, {})[use] = None


class _Everything(dict[str, Refs]):
    """The outputs of a table function: a name that is not among them (a struct's field) has all of its origins."""

    def __init__(self, outputs: dict[str, Refs], refs: Refs) -> None:
        super().__init__(outputs)
        self.refs = refs


def _columns(scope: Scope) -> Iterable[exp.Column]:
    """The scope's own columns, not those of queries within it."""
    for node in walk_in_scope(scope.expression):
        if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
            yield node


def _section(node: exp.Expr, query: exp.Expr) -> tuple[str, int, bool]:
    """The clause of the query in which a node stands, the item's number there, and whether it only orders or cuts a window."""
    window, child = False, node
    while child.parent is not None and child.parent is not query:
        if isinstance(child.parent, exp.Window) and child.arg_key in ("partition_by", "order"):
            window = True
        child = child.parent
    return str(child.arg_key or ""), child.index or 0, window


def _source(scope: Scope, table: str) -> tuple[exp.Table | Scope, Scope] | None:
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


def _alias_columns(scope: Scope, table: str) -> list[str]:
    node = scope.selected_sources.get(table, (None, None))[0]
    return list(node.alias_column_names) if isinstance(node, exp.Expr) else []


def _listed(known: Iterable[str]) -> str:
    names = sorted(known)
    shown = ", ".join(names[:12])
    return f"it has {shown}{' …' if len(names) > 12 else ''}" if names else "name one that there is"
