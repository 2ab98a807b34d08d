"""What each expression gives: its type by the dialect's rules, and the columns that it is made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlglot import exp

from language.sql.findings import Findings
from language.sql.listed import elements, moments, names, texts, windows
from language.sql.listed.calls import Around, call
from language.sql.listed.clauses import AGGREGATED, ANYWHERE, Clause
from language.sql.listed.rules import Rules
from language.sql.listed.types import BOOLEAN
from language.sql.scope import NOTHING, NULL, Scope, Typed, refs_of
from shared_metadata.program.lineage import Use
from shared_metadata.program.type_names import TypeName

_SIGNS: Mapping[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
Rows = Callable[[exp.Expr, Scope], Sequence[Typed]]  # the columns of a query within an expression


class Expressions:
    """Expressions of one SELECT.

    use, clause: where is read.  aliases: the SELECT's columns, where that clause may name them.  variables: parameters of lambdas.
    windows: those that have names.
    """

    def __init__(self, rules: Rules, scope: Scope, findings: Findings, rows: Rows) -> None:
        self.rules, self.types, self.scope, self.findings, self._rows = rules, rules.types, scope, findings, rows
        self.use, self.clause = Use.VALUE, ANYWHERE
        self.aliases: Mapping[str, Typed] = {}
        self.variables: Mapping[str, Typed] = {}
        self.windows: Mapping[str, windows.Named] = {}

    def typed(self, node: exp.Expr) -> Typed:
        of = self.rules.operators.get(type(node)) or _OPERATORS.get(type(node))
        if of is not None:
            return of(self, node)
        sign = _SIGNS.get(type(node)) or self.rules.signs.get(type(node))
        return self.computed(node, sign) if sign is not None else call(self, node)

    @contextmanager
    def within(self, clause: Clause) -> Iterator[None]:
        former, self.clause = self.clause, clause
        yield
        self.clause = former

    def under(self, use: Use, node: exp.Expr) -> Typed:
        """Types an expression whose columns are used otherwise than what stands around it."""
        former, self.use = self.use, use
        found = self.typed(node)
        self.use = former
        return found

    def condition(self, node: exp.Expr) -> Typed:
        """Types an expression that must be true or false."""
        found = self.typed(node)
        if found.kind is not None and self.types.common(found.kind, BOOLEAN) is None:
            self.findings.problem(node, f"this is {self.types.said(found.kind)}, and no condition", "compare it with something")
        return found

    def together(self, node: exp.Expr, found: Sequence[Typed], what: str) -> TypeName | None:
        """The type that all become by themselves; None where one has none, which then is told."""
        kind: TypeName | None = None
        for each in found:
            if each.kind is None:
                return None
            wider = self.types.common(kind, each.kind) if kind is not None else each.kind
            if wider is None and kind is not None:
                cause = f"{what} {self.types.said(kind)} and {self.types.said(each.kind)}, which have no type in common"
                self.findings.problem(node, cause, f"bring both to one type, as by {self.as_text}")
                return None
            kind = wider
        return kind

    def ordered(self, node: exp.Expr, typed: Typed) -> None:
        """Tells of a value that has no order."""
        if typed.kind is not None and not self.types.is_ordered(typed.kind):
            self.findings.problem(node, f"{self.types.said(typed.kind)} has no order", "order by what is within it")

    def comparable(self, node: exp.Expr, typed: Typed) -> None:
        """Tells of a value that is equal to no other."""
        if typed.kind is not None and not self.types.is_comparable(typed.kind):
            cause = f"{self.rules.engine} does not compare {self.types.said(typed.kind)}"
            self.findings.problem(node, cause, "compare what is within it")

    @property
    def as_text(self) -> str:
        return f"CAST(… AS {self.types.text.word.upper()})"

    # -- operators

    def of_inner(self, node: exp.Expr) -> Typed:
        return self.typed(node.this)

    def compared(self, node: exp.Expr) -> Typed:
        return self._compared(node, [node.this, node.expression], ordered=isinstance(node, (exp.LT, exp.LTE, exp.GT, exp.GTE)))

    def _compared(self, node: exp.Expr, parts: Sequence[exp.Expr], *, ordered: bool = False) -> Typed:
        found = [self.typed(part) for part in parts]
        kind = self.together(node, found, "this compares")
        if kind is not None:
            (self.ordered if ordered else self.comparable)(node, Typed(kind))
        return Typed(BOOLEAN, refs_of(found))

    def between(self, node: exp.Between) -> Typed:
        return self._compared(node, [node.this, node.args["low"], node.args["high"]], ordered=True)

    def among(self, node: exp.In) -> Typed:
        query = node.args.get("query")
        if query is None:
            return self._compared(node, [node.this, *node.expressions])
        rows = self._rows(query, self.scope)
        self._one(query, rows)
        found = [self.typed(node.this), *rows[:1]]
        self.findings.used(refs_of(found[1:]), self.use, query)
        kind = self.together(node, found, "this compares")
        if kind is not None:
            self.comparable(node, Typed(kind))
        return Typed(BOOLEAN, refs_of(found))

    def computed(self, node: exp.Expr, sign: str) -> Typed:
        found = [self.typed(node.this), self.typed(node.expression)]
        one, other = (each.kind for each in found)
        if one is None or other is None:
            return Typed(None, refs_of(found))
        kind = self.types.arithmetic(sign, *self.rules.as_written(node, one, other))
        if kind is None:
            beside = [part for part, each in zip((node.this, node.expression), found, strict=True) if each.kind == self.types.text]
            remedy = f"write CAST({self.findings.words(beside[0])} AS BIGINT), or another number" if beside else "CAST one of them"
            self.findings.problem(node, f"there is no {self.types.said(one)} {sign} {self.types.said(other)}", remedy)
        return Typed(kind, refs_of(found), any(each.nullable for each in found))

    def negated(self, node: exp.Neg) -> Typed:
        found = self.typed(node.this)
        if found.kind is not None and not self.types.is_number(found.kind) and found.kind not in (*self.types.intervals, NULL.kind):
            self.findings.problem(node, f"there is no -{self.types.said(found.kind)}", "write a number")
        return found

    def conditions(self, node: exp.Expr) -> Typed:
        return Typed(BOOLEAN, refs_of([self.condition(part) for part in node.iter_expressions()]))

    def is_(self, node: exp.Is) -> Typed:
        return Typed(BOOLEAN, self.typed(node.this).refs, False)

    def case(self, node: exp.Case | exp.If) -> Typed:
        whens = node.args["ifs"] if isinstance(node, exp.Case) else [node]
        values = [*(when.args["true"] for when in whens), node.args.get("default") or node.args.get("false")]
        base = node.this if isinstance(node, exp.Case) else None
        tested = [self.typed(when.this) if base is not None else self.condition(when.this) for when in whens]
        if base is not None:
            tested.append(self.typed(base))
            self.together(node, tested, "this compares")
        found = [self.typed(value) for value in values if value is not None]
        return Typed(self.together(node, found, "this gives"), refs_of([*found, *tested]))

    def cast(self, node: exp.Cast) -> Typed:
        inner, kind = node.this, self.types.cast(node.to)
        moments.written(self, node, kind)
        called = isinstance(inner, exp.Func) and not {type(inner)} & (self.rules.operators.keys() | _OPERATORS.keys())
        found = call(self, inner, Around(cast=True)) if called else self.typed(inner)
        if kind == TypeName("decimal", sizes=self.types.unsized) and not node.to.expressions and inner.is_string:
            remedy = f"write it as a number, {inner.name}, or with its digits: CAST('{inner.name}' AS decimal(38, 9))"
            self.findings.problem(node, "how many decimals this has is not known here", remedy)
            return NOTHING
        if kind is None:
            cause = f"`{node.to.sql(self.findings.query.dialect)}` is no type that is known here"
            self.findings.problem(node, cause, "CAST to another")
        elif found.kind is not None and not self.types.is_cast(found.kind, kind):
            cause = f"there is no CAST of {self.types.said(found.kind)} to {self.types.said(kind)}"
            self.findings.problem(node, cause, "CAST to another type, or write a function that makes it")
        return Typed(kind, found.refs, found.nullable or isinstance(node, exp.TryCast))

    def query(self, node: exp.Expr) -> Typed:
        inner = node.this if isinstance(node, (exp.Subquery, exp.Exists)) else node
        found = self._rows(inner, self.scope)
        self.findings.used(refs_of(found), self.use, inner)
        if isinstance(node, exp.Exists):
            return Typed(BOOLEAN, refs_of(found), False)
        self._one(node, found)
        return Typed(found[0].kind if found else None, refs_of(found))

    def _one(self, node: exp.Expr, found: Sequence[Typed]) -> None:
        if len(found) != 1:
            self.findings.problem(node, f"this query has {len(found)} columns where one value is wanted", "select one")

    def literal(self, node: exp.Literal) -> Typed:
        return Typed(self.types.literal(node), nullable=False)

    def aggregated(self, node: exp.Expr) -> Typed:
        """A call with what stands behind it: FILTER, IGNORE NULLS, WITHIN GROUP."""
        around, kept = Around(), NOTHING
        if isinstance(node, exp.Filter):
            around = Around(filtered=True)
            former, self.use = self.use, Use.FILTER
            with self.within(AGGREGATED):
                kept = self.condition(node.expression.this)
            self.use, node = former, node.this
        if isinstance(node, exp.WithinGroup):
            around = Around(filtered=around.filtered, order=node.expression.expressions)
            node = node.this
        if isinstance(node, (exp.IgnoreNulls, exp.RespectNulls)):
            around = Around(filtered=around.filtered, ignores=isinstance(node, exp.IgnoreNulls))
            node = node.this
        found = call(self, node, around)
        return Typed(found.kind, found.refs | kept.refs, found.nullable)


_OPERATORS: Mapping[type[exp.Expr], Callable[[Expressions, Any], Typed]] = {
    **{exp.Column: names.column, exp.Literal: Expressions.literal, exp.Interval: moments.interval},
    **{exp.Boolean: lambda of, node: Typed(BOOLEAN, nullable=False), exp.Null: lambda of, node: NULL},
    **dict.fromkeys((exp.Paren, exp.Alias, exp.Ordered), Expressions.of_inner),
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ), Expressions.compared),
    **dict.fromkeys((exp.And, exp.Or, exp.Not), Expressions.conditions),
    **{exp.Is: Expressions.is_, exp.In: Expressions.among, exp.Between: Expressions.between},
    **{exp.Like: texts.like, exp.Escape: texts.escaped, exp.DPipe: texts.joined},
    **dict.fromkeys((exp.Case, exp.If), Expressions.case),
    **dict.fromkeys((exp.Cast, exp.TryCast), Expressions.cast),  # also DATE '…'
    **dict.fromkeys((exp.Subquery, exp.Exists, exp.Select, exp.Union, exp.Intersect, exp.Except), Expressions.query),
    **{exp.Neg: Expressions.negated, exp.Extract: moments.extracted},
    **{exp.Bracket: elements.element, exp.Dot: elements.dotted, exp.Identifier: elements.variable},
    **dict.fromkeys((exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup), Expressions.aggregated),
    exp.Window: windows.over,
    **dict.fromkeys(
        (exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentTime, exp.Localtime, exp.Localtimestamp, exp.CurrentUser),
        moments.now,
    ),
}
