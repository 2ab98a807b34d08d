"""Column lineage of a qualified query, in one pass over its scopes: sources come before what reads them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, walk_in_scope

from language.grouping import aggregates
from language.places import Place
from language.query_names import NameProblem, Names, Ref, source_of
from language.query_places import Written
from shared_metadata.lineage import Use

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
_OWN_ALIASES = frozenset({"order", "having", "qualify", "group", "distinct", "windows"})


@dataclass
class QueryLineage:
    """outputs: per output column the inputs' columns behind its value.  uses: (table, column, kind) ▸ the first place."""

    outputs: list[Refs] = field(default_factory=list)
    uses: dict[tuple[str, str, Use], Place] = field(default_factory=dict)
    problems: list[NameProblem] = field(default_factory=list)


@dataclass
class _Outputs:
    """What a scope puts out.  rest: origins of a name that is not among them, None where that is a mistake."""

    names: list[str]
    refs: list[Refs]
    rest: Refs | None = None

    def get(self, name: str) -> Refs | None:
        return self.refs[self.names.index(name)] if name in self.names else self.rest

    def all(self) -> Refs:
        return NONE.union(*self.refs)


def trace(scopes: list[Scope], tables: Mapping[str, Collection[str]], written: Written) -> QueryLineage:
    """Of all scopes of one query, as `traverse_scope` orders them.  tables: the names of each input's columns."""
    tracer = _Tracer(tables, written)
    for number, scope in enumerate(scopes):
        tracer.visit(scope)
        if scope.is_cte and isinstance(scope.expression, exp.SetOperation):
            tracer.until_stable(scope, scopes[:number])
    return tracer.finish(scopes[-1]) if scopes else QueryLineage()


class _Tracer:
    def __init__(self, tables: Mapping[str, Collection[str]], written: Written) -> None:
        self._names = Names(tables, written)
        self._written = written
        self._outputs: dict[int, _Outputs] = {}  # by the scope's expression: a recursive CTE's reference to itself has its own scope
        self._uses: dict[tuple[Ref, Use], Place | None] = {}
        self._places: dict[Ref, Place] = {}

    def visit(self, scope: Scope) -> None:
        query = scope.expression
        if isinstance(query, exp.SetOperation):
            outputs = self._set_operation(scope, query)
        elif isinstance(query, exp.Select):
            outputs = self._select(scope, query)
        elif isinstance(query, exp.Subquery):
            outputs = self._outputs.get(id(query.unnest()), _Outputs([], []))
        else:
            outputs = self._function(scope, query)
        if not isinstance(query, exp.Select):
            self._tail(query, outputs)
        self._outputs[id(query)] = outputs
        self._names.outputs[id(query)] = outputs.names

    def until_stable(self, cte: Scope, before: list[Scope]) -> None:
        """A recursive CTE reads itself: what flows around the circle is found by going around it."""
        left = cte.expression.this.unnest()
        members = [scope for scope in before if _is_within(scope, cte)]
        if not any(source.expression is left for s in members for source in s.sources.values() if _is_reference(source, members)):
            return
        while self._outputs[id(left)].refs != self._outputs[id(cte.expression)].refs:
            found = self._outputs[id(cte.expression)]
            for scope in members:
                if scope.expression is left:
                    self._outputs[id(left)].refs[:] = found.refs
                else:
                    self.visit(scope)
            self.visit(cte)

    def finish(self, root: Scope) -> QueryLineage:
        outputs = self._outputs[id(root.expression)].refs
        for refs in outputs:
            self._use(refs, Use.VALUE)
        used = {ref for ref, _ in self._uses}
        self._use((ref for ref in self._places if ref not in used), Use.VALUE)  # named, and read by nothing
        uses = {(*ref, use): place or self._places[ref] for (ref, use), place in self._uses.items()}
        return QueryLineage(outputs, uses, list(self._names.problems))

    # -- the kinds of scopes

    def _select(self, scope: Scope, select: exp.Select) -> _Outputs:
        names = [item.alias_or_name for item in select.expressions]
        values: list[set[Ref]] = [set() for _ in names]
        inner = {id(s.expression): s for s in scope.subquery_scopes}
        later = []
        for node in walk_in_scope(select):
            if type(node) is exp.Column or (id(node) in inner and node is not select):
                section = _section(node, select)
                if section[0] == "expressions":
                    self._value(scope, node, section, values)
                else:
                    later.append((node, section))
            elif isinstance(node, exp.TableColumn):
                self._names.whole_row(node)
        called = [*names, *self._written.names_of(select)]
        for node, (key, _, _) in later:
            refs = self._refs(scope, node, called if key in _OWN_ALIASES else [], values, _USES.get(key))
            if key == "windows":
                self._named_window(select, node, refs, values)
        outputs = _Outputs(names, [frozenset(refs) for refs in values])
        self._of_all_outputs(select, outputs)
        return outputs

    def _value(self, scope: Scope, node: exp.Expr, section: tuple[str, int, Use | None], values: list[set[Ref]]) -> None:
        _, index, use = section
        values[index] |= self._refs(scope, node, [], values, use)

    def _refs(self, scope: Scope, node: exp.Expr, aliases: list[str], values: list[set[Ref]], use: Use | None) -> Refs:
        """Of a column, or of a query that stands where a value may."""
        if not isinstance(node, exp.Column):
            refs = self._outputs[id(node)].all() if not isinstance(node.parent, exp.Exists) else NONE
            self._use(refs, use)
            return refs
        if isinstance(node.this, exp.Star):
            return NONE
        if not node.table and node.name in aliases:
            refs = frozenset(values[aliases.index(node.name) % len(values)])
            self._use(refs, use)
            return refs
        refs, place = self._resolve(scope, node)
        self._use(refs, use, place)
        return refs

    def _named_window(self, select: exp.Select, node: exp.Expr, refs: Refs, values: list[set[Ref]]) -> None:
        """What a named window orders by is behind the values of what is OVER it."""
        named = node
        while named.parent is not select and named.parent is not None:
            named = named.parent
        for index, item in enumerate(select.expressions):
            if any(window.alias == named.name for window in item.find_all(exp.Window)):
                values[index] |= refs

    def _of_all_outputs(self, select: exp.Select, outputs: _Outputs) -> None:
        """DISTINCT, GROUP BY ALL and ORDER BY ALL speak of what the SELECT puts out."""
        distinct, group, order = (select.args.get(name) for name in ("distinct", "group", "order"))
        if distinct is not None and not distinct.args.get("on"):
            self._use(outputs.all(), Use.GROUP)
        if group is not None and group.args.get("all"):
            for item, refs in zip(select.expressions, outputs.refs, strict=True):
                if not aggregates(item):
                    self._use(refs, Use.GROUP)
        if order is not None and any(_is_all(ordered.this) for ordered in order.expressions):
            self._use(outputs.all(), Use.ORDER)

    def _set_operation(self, scope: Scope, query: exp.SetOperation) -> _Outputs:
        sides = [self._outputs[id(side.expression)] for side in scope.set_operation_scopes]
        if len(sides) != 2:
            return _Outputs([], [])
        left, right = sides
        if query.args.get("by_name"):
            names = list(dict.fromkeys([*left.names, *right.names]))
            outputs = _Outputs(names, [(left.get(name) or NONE) | (right.get(name) or NONE) for name in names])
        elif isinstance(query, exp.Except):
            outputs = _Outputs(left.names, list(left.refs))
            self._use(right.all(), Use.FILTER)
        else:
            others = [*right.refs, *([NONE] * len(left.refs))]
            outputs = _Outputs(left.names, [refs | other for refs, other in zip(left.refs, others, strict=False)])
        if query.args.get("distinct"):
            self._use(outputs.all(), Use.GROUP)
        return outputs

    def _tail(self, query: exp.Expr, outputs: _Outputs) -> None:
        """ORDER BY after a set operation or around a query names its outputs."""
        order = query.args.get("order")
        for column in order.find_all(exp.Column) if order is not None else ():
            refs, former = outputs.get(column.name), self._written.names_of(query)
            if refs is None and column.name in former:
                refs = outputs.refs[former.index(column.name)]
            elif refs is None:
                self._names.unknown(column, "here", outputs.names)
            self._use(refs or NONE, Use.ORDER)

    def _function(self, scope: Scope, query: exp.Expr) -> _Outputs:
        """UNNEST, LATERAL and VALUES: a column for each argument, or every column from all of them."""
        if isinstance(query, exp.Lateral) and isinstance(query.this, exp.Subquery):
            inner = self._outputs.get(id(query.this.unnest()), _Outputs([], []))
            return _Outputs(query.alias_column_names or inner.names, inner.refs)
        inner_refs = NONE.union(*(self._outputs[id(s.expression)].all() for s in scope.subquery_scopes))
        arguments = query.expressions if isinstance(query, exp.Unnest) else [query]
        refs = [NONE.union(inner_refs, *(self._resolve(scope, c)[0] for c in a.find_all(exp.Column))) for a in arguments]
        names = list(query.alias_column_names) if isinstance(query, exp.UDTF) else []
        whole = NONE.union(*refs)
        if isinstance(query, exp.Unnest) and len(refs) > 1:
            return _Outputs(names, [*refs, *([whole] * len(names))][: len(names)], whole)
        return _Outputs(names, [whole] * len(names), whole if not isinstance(query, exp.Values) else None)

    # -- columns

    def _resolve(self, scope: Scope, column: exp.Column) -> tuple[Refs, Place | None]:
        """The inputs' columns that a column of a scope stands for, and its place if it is one itself; a problem where it is none."""
        found = source_of(scope, column.table) if column.table else None
        if found is None:
            self._names.unresolved(scope, column)
            return NONE, None
        source, holder = found
        if isinstance(source, exp.Table):
            return self._of_table(column, source)
        outputs = self._outputs.get(id(source.expression))
        if outputs is None:
            return NONE, None
        aliases = self._names.alias_columns(holder, column.table)
        if column.name in aliases:
            number = aliases.index(column.name)
            return outputs.refs[number] if number < len(outputs.refs) else NONE, None
        refs = outputs.get(column.name)
        if refs is None:
            self._names.unknown(column, column.table, outputs.names)
        return refs or NONE, None

    def _of_table(self, column: exp.Column, source: exp.Table) -> tuple[Refs, Place | None]:
        ref = self._names.in_table(column, source)
        if ref is None:
            return NONE, None
        place = self._written.place(column)
        if ref not in self._places or place < self._places[ref]:
            self._places[ref] = place
        return frozenset((ref,)), place

    def _use(self, refs: Iterable[Ref], use: Use | None, place: Place | None = None) -> None:
        if use is None:
            return
        for ref in refs:
            former = self._uses.setdefault((ref, use), place)
            if place is not None and (former is None or place < former):
                self._uses[ref, use] = place


def _section(node: exp.Expr, query: exp.Expr) -> tuple[str, int, Use | None]:
    """The clause of the query in which a node stands, the item's number there, and what it does within an item besides its value."""
    use, child = None, node
    while child.parent is not None and child.parent is not query:
        parent = child.parent
        partitions = isinstance(parent, exp.Window) and child.arg_key == "partition_by"
        orders = isinstance(parent, exp.Order) and child.arg_key == "expressions" and not isinstance(parent.parent, exp.WithinGroup)
        if partitions or orders:
            use = Use.ORDER
        elif isinstance(parent, exp.Filter) and child.arg_key == "expression":
            use = Use.FILTER
        elif isinstance(parent, (exp.Explode, exp.Unnest)):  # makes rows
            use = Use.JOIN
        elif isinstance(child, exp.Join):
            return "joins", 0, use
        child = parent
    return str(child.arg_key or ""), child.index or 0, use


def _is_all(node: exp.Expr) -> bool:
    return isinstance(node, (exp.Column, exp.Var)) and node.name.upper() == "ALL"


def _is_within(scope: Scope, outer: Scope) -> bool:
    inner: Scope | None = scope
    while inner is not None and inner is not outer:
        inner = inner.parent
    return inner is outer


def _is_reference(source: exp.Table | Scope, members: list[Scope]) -> bool:
    return isinstance(source, Scope) and source not in members
