"""Types a query: SELECT by SELECT, its columns with what they are made from, its uses of the inputs' columns, what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from language.dialects.trino.calls import name_of
from language.dialects.trino.expressions import Expressions
from language.dialects.trino.functions import functions
from language.dialects.trino.query import TrinoQuery
from language.dialects.trino.spelling import spelled
from language.dialects.trino.types import common, said, schema_type, trino_type
from language.sql.dialect import Tables
from language.sql.findings import Findings
from language.sql.query import OWN_COLUMNS
from language.sql.scope import Scope, Source, Typed
from language.sql.typing import QueryColumn, TypedQuery
from shared_metadata.program.lineage import Use

_READ = frozenset(("expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "distinct", "with_"))
_READ_IN_FROM = frozenset(("this", "db", "catalog", "alias", "with_"))
Common = Mapping[str, Mapping[str, Typed]]  # the columns of the queries of WITH, by name


def bind(query: TrinoQuery, tables: Tables) -> TypedQuery:
    """tables: by the names that FROM has, 'lake.ops.flights'."""
    binder = _Binder(query, tables)
    outputs, items = binder.query(query.tree, {}, None), binder.items
    findings, columns = binder.findings, []
    for name, typed in outputs.items():
        kind = schema_type(typed.kind) if typed.kind is not None else ""
        if not kind and typed.kind is not None:
            remedy = "CAST it to the type that the column is to have"
            findings.problem(items.get(name, query.tree), f"this column is {said(typed.kind)}, which no table can hold", remedy)
        place = findings.place(items[name]) if name in items else findings.place(query.tree)
        columns.append(QueryColumn(name, kind or "", tuple(sorted(typed.refs)), *place, typed.nullable))
    return TypedQuery(tuple(columns), tuple(findings.uses.values()), tuple(findings.edits), tuple(dict.fromkeys(findings.problems)))


class _Binder:
    """items: the expression behind each column of the outermost SELECT."""

    def __init__(self, query: TrinoQuery, tables: Tables) -> None:
        self.findings, self._tables = Findings(query), tables
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
            kind = common(one.kind, other.kind) if one.kind is not None and other.kind is not None else None
            if kind is None and one.kind is not None and other.kind is not None:
                cause = f"`{name}` is {said(one.kind)} on one side and {said(other.kind)} on the other"
                self.findings.problem(node, cause, "bring both to one type by CAST")
            found[name] = Typed(kind, one.refs | other.refs, one.nullable or other.nullable)
        return found

    # -- SELECT

    def _select(self, node: exp.Select, known: Common, outer: Scope | None) -> dict[str, Typed]:
        scope = Scope(common, outer=outer)
        for name, part in node.args.items():
            if part and name not in _READ:
                self.findings.problem(part if isinstance(part, exp.Expr) else node, "this is not known here", "write it otherwise")

        def rows(inner: exp.Expr, around: Scope) -> Sequence[Typed]:
            return [*self.query(inner, known, around).values()]

        expressions = Expressions(scope, self.findings, rows)
        self._from(node, known, scope, expressions)
        where = node.args.get("where")
        if where is not None and self._aggregates(expressions, where):
            self.findings.problem(
                where.this, "WHERE is read before rows are grouped", "write it in HAVING, or filter around a subquery"
            )
        self._clause(expressions, where, Use.FILTER)
        found = self._items(node, scope, expressions)
        self._grouping(node, expressions, found)
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
                names = ", ".join(_named(source, name, merged=not owner and name in scope.merged) for source, name in brought)
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

    def _grouping(self, node: exp.Select, expressions: Expressions, found: Mapping[str, Typed]) -> None:
        """The columns of GROUP BY; what is neither among them nor within an aggregate is refused, as Trino does."""
        group, expressions.use, scope = node.args.get("group"), Use.GROUP, expressions.scope
        grouped: set[str] = set()
        for part in group.expressions if group is not None else ():
            if isinstance(part, exp.Literal) and part.is_int and 0 < int(part.name) <= len(node.expressions):
                part = node.expressions[int(part.name) - 1]
                self.findings.used(found[part.alias_or_name.lower()].refs, Use.GROUP, part)
                part = part.unalias()
            else:
                expressions.typed(part)
            grouped.add(_spelled_alike(part, scope))
        expressions.use = Use.VALUE
        if group is None and not any(self._aggregates(expressions, item) for item in node.expressions):
            return
        for item in node.expressions:
            self._check_grouped(expressions, item.unalias(), grouped)

    def _aggregates(self, expressions: Expressions, item: exp.Expr) -> bool:
        """Whether it aggregates itself: not by a window, and not in a query within."""
        calls = (part for part in item.walk(prune=lambda part: isinstance(part, exp.Query)) if isinstance(part, exp.Func))
        return any(name_of(expressions, call) in functions().aggregates and not _over_a_window(call) for call in calls)

    def _check_grouped(self, expressions: Expressions, node: exp.Expr, grouped: set[str]) -> None:
        aggregate = isinstance(node, exp.Func) and name_of(expressions, node) in functions().aggregates
        if _spelled_alike(node, expressions.scope) in grouped or aggregate or isinstance(node, exp.Query):
            return
        if isinstance(node, (exp.Column, exp.Star)):
            cause = f"`{self.findings.words(node)}` is neither in GROUP BY nor within an aggregate"
            self.findings.problem(node, cause, "group by it, or aggregate it, as by max(…)")
            return
        for part in [node.this] if isinstance(node, exp.Filter) else node.iter_expressions():
            self._check_grouped(expressions, part, grouped)

    # -- FROM

    def _from(self, node: exp.Select, known: Common, scope: Scope, expressions: Expressions) -> None:
        from_ = node.args.get("from_")
        if from_ is not None:
            self._source(from_.this, known, scope)
        for join in node.args.get("joins") or ():
            before = len(scope.sources)
            self._source(join.this, known, scope)
            padded = {"LEFT": slice(before, None), "RIGHT": slice(before), "FULL": slice(None)}.get(join.side, slice(0))
            scope.sources[padded] = [source.padded() for source in scope.sources[padded]]
            if join.args.get("method"):
                self.findings.problem(join, f"there is no {join.args['method']} JOIN", "write JOIN … ON, or USING")
            expressions.use = Use.JOIN
            if join.args.get("on") is not None:
                expressions.condition(join.args["on"])
            for column in join.args.get("using") or ():
                name = column.name.lower()
                for each in scope.find((), name):
                    self.findings.used(each.refs, Use.JOIN, column)
                scope.merged.add(name)
        expressions.use = Use.VALUE

    def _source(self, node: exp.Expr, known: Common, scope: Scope) -> None:
        alias = node.args.get("alias")
        if any(part and name not in _READ_IN_FROM for name, part in node.args.items()):
            self.findings.problem(node, "this is not known here, but for its name", "read the table alone, or a query")
        if isinstance(node, exp.Table):
            parts = tuple(part.name.lower() for part in node.parts)
            columns, hidden = known.get(parts[0]) if len(parts) == 1 else None, frozenset[str]()
            if columns is None:
                path = ".".join(parts)
                refs = ((column, frozenset({(path, column.name)})) for column in self._tables.get(path, ()))
                columns = {c.name: Typed(trino_type(c.type) if c.type else None, r, c.nullable) for c, r in refs}
                hidden = OWN_COLUMNS
            if alias is None and len(parts) > 1:
                self._name(node, parts)
            scope.sources.append(Source((alias.name if alias is not None else parts[-1]).lower(), columns, parts, hidden))
        elif isinstance(node, exp.Subquery):
            scope.sources.append(Source(node.alias.lower(), self.query(node.this, known, None)))
        else:
            self.findings.problem(node, "this cannot be read in FROM here", "read a table of the warehouse, or a query of WITH")
        if alias is not None and alias.columns and scope.sources:
            last, names = scope.sources.pop(), [column.name.lower() for column in alias.columns]
            shown = [column for name, column in last.columns.items() if name not in last.hidden]
            scope.sources.append(Source(last.called, dict(zip(names, shown, strict=False)), last.path))

    def _name(self, table: exp.Table, parts: tuple[str, ...]) -> None:
        """A table's last name stays its name whatever a slice puts in its place; columns named through more are named through it."""
        end = self.findings.place(table)[1]
        self.findings.edits.append((end, end, f" AS {spelled(parts[-1])}"))
        for column in self.findings.query.tree.find_all(exp.Column):
            owner = tuple(part.name.lower() for part in column.parts[:-1])
            if len(owner) > 1 and parts[-len(owner) :] == owner and "start" in column.parts[0].meta:
                start, last = self.findings.place(column.parts[0])[0], self.findings.place(column.parts[-2])[0]
                self.findings.edits.append((start, last, ""))


def _over_a_window(call: exp.Expr) -> bool:
    around = call.parent.parent if isinstance(call.parent, exp.Filter) else call.parent
    return isinstance(around, exp.Window)


def _spelled_alike(node: exp.Expr, scope: Scope) -> str:
    """The expression's text, the same whether a column is named with its table or without."""

    def short(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.Column) and len(part.parts) > 1 and len(scope.find((), part.name.lower())) == 1:
            return exp.column(part.this)
        return part

    return node.copy().transform(short).sql("trino").lower()


def _named(source: Source, name: str, *, merged: bool) -> str:
    """merged: a column of USING, which is of no table any more."""
    return spelled(name) if merged else f"{spelled(source.called)}.{spelled(name)}"
