"""Types a query: SELECT by SELECT, its columns with what they are made from, its uses of the inputs' columns, what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlglot import exp

from language.sql.called_query import CalledQuery
from language.sql.dialect import Tables
from language.sql.findings import Findings
from language.sql.listed import grouping, made, ordering, windows
from language.sql.listed.clauses import HAVING, WHERE
from language.sql.listed.expressions import Expressions
from language.sql.listed.grouping import Grouped
from language.sql.listed.names import unquoted
from language.sql.listed.rules import Rules
from language.sql.listed.sources import Common, Sources
from language.sql.scope import Scope, Source, Typed, refs_of
from language.sql.typing import QueryColumn, TypedQuery
from shared_metadata.program.lineage import Use

_READ = frozenset(
    (
        "expressions",
        "from_",
        "joins",
        "laterals",
        "where",
        "group",
        "having",
        "windows",
        "order",
        "limit",
        "offset",
        "distinct",
        "with_",
    )
)
_READ_OF_SET = frozenset(("this", "expression", "distinct", "order", "limit", "offset", "with_"))


def bind(rules: Rules, query: CalledQuery, tables: Tables) -> TypedQuery:
    """tables: by the names that FROM has, 'lake.ops.flights'."""
    binder = _Binder(rules, query, tables)
    outputs, items = binder.query(query.tree, {}, None), binder.items
    findings, columns = binder.findings, []
    for alias in query.tree.find_all(exp.TableAlias):
        for name in (alias.this, *alias.columns):
            unquoted(rules, findings, name)
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
        """The columns of a SELECT, set operation or VALUES, by name."""
        if isinstance(node, exp.Subquery):
            return self.query(node.this, known, outer)
        with_ = node.args.get("with_")
        recursive = with_ is not None and with_.args.get("recursive")
        for cte in with_.expressions if with_ is not None else ():
            if recursive:
                self.findings.problem(cte, "a recursive WITH is not known here", "write it out, or compute it elsewhere")
            found, alias = self.query(cte.this, known, outer), cte.args["alias"]
            known = {**known, cte.alias.lower(): self._sources.called(alias, [*found.values()]) if alias.columns else found}
        if isinstance(node, exp.Values):
            return self._values(node, known)
        if isinstance(node, exp.SetOperation):
            return self._together(node, self.query(node.this, known, outer), self.query(node.expression, known, outer))
        if not isinstance(node, exp.Select):
            self.findings.problem(node, "this is not known here", "write it as SELECT … FROM …")
            return {}
        return self._select(node, known, outer)

    def _values(self, node: exp.Values, known: Common) -> dict[str, Typed]:
        expressions = self._expressions(Scope(self._types.common), known)
        rows = [
            [expressions.typed(part) for part in (row.expressions if isinstance(row, exp.Tuple) else [row])]
            for row in node.expressions
        ]
        if len({*map(len, rows)}) != 1:
            self.findings.problem(node, "the rows of VALUES have different numbers of values", "write as many in each")
            return {}
        columns = [
            (expressions.together(node, column, "a column of VALUES holds"), column) for column in map(list, zip(*rows, strict=True))
        ]
        nullable = [any(each.nullable for each in column) for _, column in columns]
        return {f"_col{n}": Typed(kind, refs_of(column), nullable[n]) for n, (kind, column) in enumerate(columns)}

    def _together(self, node: exp.SetOperation, left: dict[str, Typed], right: dict[str, Typed]) -> dict[str, Typed]:
        self._refuse_others(node, _READ_OF_SET)
        if len(left) != len(right):
            self.findings.problem(node, f"one side has {len(left)} columns, the other {len(right)}", "select as many on both")
            return left
        found, expressions = {}, self._expressions(Scope(self._types.common), {})
        for (name, one), other in zip(left.items(), right.values(), strict=True):
            kind = self._types.common(one.kind, other.kind) if one.kind is not None and other.kind is not None else None
            if kind is None and one.kind is not None and other.kind is not None:
                cause = f"`{name}` is {self._types.said(one.kind)} on one side and {self._types.said(other.kind)} on the other"
                self.findings.problem(node, cause, "bring both to one type by CAST")
            found[name] = Typed(kind, one.refs | other.refs, one.nullable or other.nullable)
            if node.args.get("distinct") or not isinstance(node, exp.Union):
                expressions.comparable(node, found[name])
        ordering.of_result(node, self._expressions(Scope(self._types.common, [Source("", found)]), {}), found)
        return found

    # -- SELECT

    def _select(self, node: exp.Select, known: Common, outer: Scope | None) -> dict[str, Typed]:
        scope = Scope(self._types.common, outer=outer)
        self._refuse_others(node, _READ)
        expressions = self._expressions(scope, known)
        self._sources.read(node, known, scope, expressions)
        windows.named(expressions, node)
        with expressions.within(WHERE):
            self._clause(expressions, node.args.get("where"), Use.FILTER)
        found = self._items(node, scope, expressions)
        grouped = grouping.read(node, expressions, found)
        reused = {name: typed for name, typed in found.items() if not scope.find((), name)} if self._rules.items_reused else {}
        for item in node.expressions:
            for part in self._brought(item, scope) if item.is_star else [item.unalias()]:
                grouped.check(part, reused, item)
        for part in windows.parts(node):
            grouped.check(part, {})
        expressions.aliases = found if self._rules.items_named else {}
        self._having(node, expressions, grouped)
        expressions.aliases = found if self._rules.items_ordered else {}
        ordering.of_select(node, expressions, found, grouped)
        if grouping.makes_nulls(node):
            found = {name: Typed(typed.kind, typed.refs) for name, typed in found.items()}
        return found

    def _expressions(self, scope: Scope, known: Common) -> Expressions:
        def rows(inner: exp.Expr, around: Scope) -> Sequence[Typed]:
            return [*self.query(inner, known, around).values()]

        return Expressions(self._rules, scope, self.findings, rows)

    def _refuse_others(self, node: exp.Expr, read: frozenset[str]) -> None:
        for name, part in node.args.items():
            if part and name not in read:
                self.findings.problem(part if isinstance(part, exp.Expr) else node, "this is not known here", "write it otherwise")

    def _having(self, node: exp.Select, expressions: Expressions, grouped: Grouped) -> None:
        having = node.args.get("having")
        if having is not None:
            with expressions.within(HAVING):
                self._clause(expressions, having, Use.FILTER)
            grouped.check(having.this, expressions.aliases)

    def _clause(self, expressions: Expressions, clause: exp.Expr | None, use: Use) -> None:
        if clause is not None:
            expressions.use = use
            expressions.condition(clause.this)
        expressions.use = Use.VALUE

    def _items(self, node: exp.Select, scope: Scope, expressions: Expressions) -> dict[str, Typed]:
        found, said = dict[str, Typed](), Counter[str]()
        outermost = not self.items and node is self.findings.query.tree.find(exp.Select)
        for item in node.expressions:
            if item.is_star:
                named = self._star(item, scope, found)
            else:
                named = [item.alias_or_name.lower()]
                if isinstance(item, exp.Alias) and not self._rules.labels_free:
                    unquoted(self._rules, self.findings, item.args["alias"])
                expressions.aliases = dict(found) if self._rules.items_reused else {}
                found[named[0]] = made.selected(item, node, expressions) or expressions.typed(item.unalias())
                if not named[0]:
                    self.findings.problem(item, "this column has no name", "name it with AS")
            said.update(named)
            for name in sorted({name for name in named if name and said[name] > 1}):
                self.findings.problem(item, f"two columns would be called `{name}`", "name the columns, and rename one by AS")
            if outermost:
                self.items |= dict.fromkeys(named, item)
        return found

    def _brought(self, item: exp.Expr, scope: Scope) -> list[exp.Expr]:
        """The columns of a `*` as they could be written."""
        owner = tuple(part.name.lower() for part in item.parts[:-1]) if isinstance(item, exp.Column) else ()
        alone = scope.merged if not owner else ()
        return [exp.column(name, table=None if name in alone else source.called) for source, name in scope.starred(owner)]

    def _star(self, item: exp.Expr, scope: Scope, found: dict[str, Typed]) -> list[str]:
        """Adds the columns that a `*` brings; their names."""
        owner = tuple(part.name.lower() for part in item.parts[:-1]) if isinstance(item, exp.Column) else ()
        brought = [*scope.starred(owner)]
        found |= {n: scope.find((), n)[0] if n in scope.merged and not owner else s.columns[n] for s, n in brought}
        names = ", ".join(self._named(source, name, merged=not owner and name in scope.merged) for source, name in brought)
        self.findings.edits.append((*self.findings.place(item), names))
        if not brought:
            self.findings.problem(item, "there is no column that this brings", "read from a table")
        for source, name in brought:
            self.findings.used(source.columns[name].refs, Use.VALUE, item)
        return [name for _, name in brought]

    def _named(self, source: Source, name: str, *, merged: bool) -> str:
        """merged: a column of USING, which is of no table any more."""
        spelled = self._rules.spelled
        return spelled(name) if merged else f"{spelled(source.called)}.{spelled(name)}"
