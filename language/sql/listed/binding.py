"""Types a query: SELECT by SELECT, its columns with what they are made from, its uses of the inputs' columns, what is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from language.sql.called_query import CalledQuery
from language.sql.dialect import Tables
from language.sql.findings import Findings
from language.sql.listed import grouping
from language.sql.listed.expressions import Expressions
from language.sql.listed.rules import Rules
from language.sql.listed.sources import Common, Sources
from language.sql.scope import Scope, Source, Typed
from language.sql.typing import QueryColumn, TypedQuery
from shared_metadata.program.lineage import Use

_READ = frozenset(("expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "distinct", "with_"))


def bind(rules: Rules, query: CalledQuery, tables: Tables) -> TypedQuery:
    """tables: by the names that FROM has, 'lake.ops.flights'."""
    binder = _Binder(rules, query, tables)
    outputs, items = binder.query(query.tree, {}, None), binder.items
    findings, columns = binder.findings, []
    for name, typed in outputs.items():
        kind = rules.types.schema_type(typed.kind) if typed.kind is not None else ""
        if not kind and typed.kind is not None:
            cause = f"this column is {rules.types.said(typed.kind)}, which no table can hold"
            findings.problem(items.get(name, query.tree), cause, "CAST it to the type that the column is to have")
        told = rules.refused_name(name)
        if told is not None:
            findings.problem(items.get(name, query.tree), *told)
        place = findings.place(items[name]) if name in items else findings.place(query.tree)
        columns.append(QueryColumn(name, kind or "", tuple(sorted(typed.refs)), *place, typed.nullable))
    return TypedQuery(tuple(columns), tuple(findings.uses.values()), tuple(findings.edits), tuple(dict.fromkeys(findings.problems)))


class _Binder:
    """items: the expression behind each column of the outermost SELECT."""

    def __init__(self, rules: Rules, query: CalledQuery, tables: Tables) -> None:
        self.findings, self._rules, self._types = Findings(query), rules, rules.types
        self._sources = Sources(rules, self.findings, tables, lambda inner, known: self.query(inner, known, None))
        self.items: dict[str, exp.Expr] = {}

    def query(self, node: exp.Expr, known: Common, outer: Scope | None) -> dict[str, Typed]:
        """The columns of a SELECT or set operation, by name."""
        if isinstance(node, exp.Subquery):
            return self.query(node.this, known, outer)
        with_ = node.args.get("with_")
        recursive = with_ is not None and with_.args.get("recursive")
        for cte in with_.expressions if with_ is not None else ():
            if recursive:
                self.findings.problem(cte, "a recursive WITH is not known here", "write it out, or compute it elsewhere")
            found, names = self.query(cte.this, known, outer), [column.name.lower() for column in cte.args["alias"].columns]
            known = {**known, cte.alias.lower(): dict(zip(names, found.values(), strict=False)) if names else found}
        if isinstance(node, exp.SetOperation):
            return self._together(node, self.query(node.this, known, outer), self.query(node.expression, known, outer))
        if not isinstance(node, exp.Select):
            self.findings.problem(node, "this is not known here", "write it as SELECT … FROM …")
            return {}
        return self._select(node, known, outer)

    def _together(self, node: exp.SetOperation, left: dict[str, Typed], right: dict[str, Typed]) -> dict[str, Typed]:
        if len(left) != len(right):
            self.findings.problem(node, f"one side has {len(left)} columns, the other {len(right)}", "select as many on both")
            return left
        found = {}
        for (name, one), other in zip(left.items(), right.values(), strict=True):
            kind = self._types.common(one.kind, other.kind) if one.kind is not None and other.kind is not None else None
            if kind is None and one.kind is not None and other.kind is not None:
                cause = f"`{name}` is {self._types.said(one.kind)} on one side and {self._types.said(other.kind)} on the other"
                self.findings.problem(node, cause, "bring both to one type by CAST")
            found[name] = Typed(kind, one.refs | other.refs, one.nullable or other.nullable)
        return found

    # -- SELECT

    def _select(self, node: exp.Select, known: Common, outer: Scope | None) -> dict[str, Typed]:
        scope = Scope(self._types.common, outer=outer)
        for name, part in node.args.items():
            if part and name not in _READ:
                self.findings.problem(part if isinstance(part, exp.Expr) else node, "this is not known here", "write it otherwise")

        def rows(inner: exp.Expr, around: Scope) -> Sequence[Typed]:
            return [*self.query(inner, known, around).values()]

        expressions = Expressions(self._rules, scope, self.findings, rows)
        self._sources.read(node, known, scope, expressions)
        where = node.args.get("where")
        if where is not None and grouping.aggregates(expressions, where):
            self.findings.problem(
                where.this, "WHERE is read before rows are grouped", "write it in HAVING, or filter around a subquery"
            )
        self._clause(expressions, where, Use.FILTER)
        found = self._items(node, scope, expressions)
        grouping.read(node, expressions, found)
        expressions.aliases = found if self._rules.items_named else {}
        self._clause(expressions, node.args.get("having"), Use.FILTER)
        order = node.args.get("order")
        expressions.use = Use.ORDER
        for part in order.expressions if order is not None else ():
            if not (isinstance(part.this, exp.Column) and part.this.name.lower() in found) and not isinstance(part.this, exp.Literal):
                expressions.typed(part.this)
        return found

    def _clause(self, expressions: Expressions, clause: exp.Expr | None, use: Use) -> None:
        if clause is not None:
            expressions.use = use
            expressions.condition(clause.this)
        expressions.use = Use.VALUE

    def _items(self, node: exp.Select, scope: Scope, expressions: Expressions) -> dict[str, Typed]:
        found: dict[str, Typed] = {}
        outermost = not self.items and node is self.findings.query.tree.find(exp.Select)
        for item in node.expressions:
            before = {*found}
            if item.is_star:
                owner = tuple(part.name.lower() for part in item.parts[:-1]) if isinstance(item, exp.Column) else ()
                brought = [*scope.starred(owner)]
                found |= {n: scope.find((), n)[0] if n in scope.merged and not owner else s.columns[n] for s, n in brought}
                names = ", ".join(self._named(source, name, merged=not owner and name in scope.merged) for source, name in brought)
                self.findings.edits.append((*self.findings.place(item), names))
                for source, name in brought:
                    self.findings.used(source.columns[name].refs, Use.VALUE, item)
                named = [name for _, name in brought]
            else:
                named = [item.alias_or_name.lower()]
                found[named[0]] = expressions.typed(item.this if isinstance(item, exp.Alias) else item)
                if not named[0]:
                    self.findings.problem(item, "this column has no name", "name it with AS")
            for name in sorted({name for number, name in enumerate(named) if name and name in before.union(named[:number])}):
                self.findings.problem(item, f"two columns would be called `{name}`", "name the columns, and rename one by AS")
            if outermost:
                self.items |= dict.fromkeys(named, item)
        return found

    def _named(self, source: Source, name: str, *, merged: bool) -> str:
        """merged: a column of USING, which is of no table any more."""
        spelled = self._rules.spelled
        return spelled(name) if merged else f"{spelled(source.called)}.{spelled(name)}"
