"""What each expression gives: its type by the dialect's rules, and the columns that it is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlglot import exp

from language.sql.findings import Findings
from language.sql.listed.calls import call
from language.sql.listed.rules import Rules
from language.sql.listed.types import BOOLEAN
from language.sql.scope import NOTHING, NULL, Scope, Typed
from language.text.diagnostics import did_you_mean
from shared_metadata.program.lineage import Use
from shared_metadata.program.type_names import TypeName

_SIGNS: Mapping[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_MOMENT_REMEDY = "write batch_end(), the moment for which the batch is made"
Rows = Callable[[exp.Expr, Scope], Sequence[Typed]]  # the columns of a query within an expression


class Expressions:
    """Expressions of one SELECT.  use: the clause that is read.  aliases: the SELECT's columns, where that clause may name them."""

    def __init__(self, rules: Rules, scope: Scope, findings: Findings, rows: Rows) -> None:
        self.rules, self.types, self.scope, self.findings, self._rows = rules, rules.types, scope, findings, rows
        self.use = Use.VALUE
        self.aliases: Mapping[str, Typed] = {}

    def typed(self, node: exp.Expr) -> Typed:
        of = self.rules.operators.get(type(node)) or _OPERATORS.get(type(node))
        if of is not None:
            return of(self, node)
        sign = _SIGNS.get(type(node)) or self.rules.signs.get(type(node))
        return self._computed(node, sign) if sign is not None else call(self, node)

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
                self.findings.problem(node, cause, f"bring both to one type, as by {self._as_text}")
                return None
            kind = wider
        return kind

    @property
    def _as_text(self) -> str:
        return f"CAST(… AS {self.types.text.word.upper()})"

    # -- names

    def column(self, node: exp.Column) -> Typed:
        if isinstance(node.this, exp.Star):
            return NOTHING
        names = tuple(part.name.lower() for part in node.parts)
        found = self.scope.find(names[:-1], names[-1])
        if not found and len(names) == 1 and names[0] in self.aliases:
            return self.aliases[names[0]]
        if not found and len(names) > 1:
            return self._field(node, names)
        if len(found) != 1:
            return self._unnamed(node, names, len(found))
        self.findings.used(found[0].refs, self.use, node)
        return found[0]

    def _field(self, node: exp.Column, names: tuple[str, ...]) -> Typed:
        found = self.scope.find((), names[0])
        kind = found[0].kind if len(found) == 1 else None
        for name in names[1:]:
            kind = {each.lower(): part for each, part in kind.named()}.get(name) if kind is not None and kind.fields else None
        if kind is None:
            return self._unnamed(node, names, 0)
        self.findings.used(found[0].refs, self.use, node)
        return Typed(kind, found[0].refs)

    def _unnamed(self, node: exp.Column, names: tuple[str, ...], found: int) -> Typed:
        word = ".".join(names)
        if found:
            self.findings.problem(node, f"`{word}` is ambiguous: {found} tables of FROM have it", "write the table before it")
        elif names[-1] in self.scope.merged:
            self.findings.problem(node, f"USING makes `{names[-1]}` one column, of no table", f"name it alone: {names[-1]}")
        else:
            remedy = did_you_mean(names[-1], [*self.scope.names()]) + "name a column of the tables in FROM"
            self.findings.problem(node, f"there is no column `{word}`", remedy)
        return NOTHING

    # -- operators

    def of_all(self, node: exp.Expr) -> Typed:
        """What the first part gives; the others are read."""
        first, *others = [self.typed(part) for part in node.iter_expressions() if not isinstance(part, exp.Identifier)]
        return Typed(first.kind, first.refs.union(*(other.refs for other in others)), first.nullable)

    def compared(self, node: exp.Expr) -> Typed:
        return self._compared(node, [node.this, node.expression])

    def _compared(self, node: exp.Expr, parts: Sequence[exp.Expr]) -> Typed:
        found = [self.typed(part) for part in parts]
        self.together(node, found, "this compares")
        return Typed(BOOLEAN, refs_of(found))

    def between(self, node: exp.Between) -> Typed:
        return self._compared(node, [node.this, node.args["low"], node.args["high"]])

    def among(self, node: exp.In) -> Typed:
        query = node.args.get("query")
        if query is None:
            return self._compared(node, [node.this, *node.expressions])
        found = [self.typed(node.this), *self._rows(query, self.scope)[:1]]
        self.findings.used(refs_of(found[1:]), self.use, query)
        self.together(node, found, "this compares")
        return Typed(BOOLEAN, refs_of(found))

    def _computed(self, node: exp.Expr, sign: str) -> Typed:
        found = [self.typed(node.this), self.typed(node.expression)]
        one, other = (each.kind for each in found)
        if one is None or other is None:
            return Typed(None, refs_of(found))
        kind = self.types.arithmetic(sign, *self.rules.as_written(node, one, other))
        if kind is None:
            texts = [part for part, each in zip((node.this, node.expression), found, strict=True) if each.kind == self.types.text]
            remedy = f"write CAST({self.findings.words(texts[0])} AS BIGINT), or another number" if texts else "CAST one of them"
            self.findings.problem(node, f"there is no {self.types.said(one)} {sign} {self.types.said(other)}", remedy)
        return Typed(kind, refs_of(found), any(each.nullable for each in found))

    def conditions(self, node: exp.Expr) -> Typed:
        return Typed(BOOLEAN, refs_of([self.condition(part) for part in node.iter_expressions()]))

    def is_(self, node: exp.Is) -> Typed:
        return Typed(BOOLEAN, self.typed(node.this).refs, False)

    def texts(self, node: exp.Expr) -> Typed:
        found = [self.typed(node.this), self.typed(node.expression)]
        kind = self.together(node, found, "this joins" if isinstance(node, exp.DPipe) else "this compares")
        if kind is not None and kind.word not in (self.types.text.word, self.types.of_schema["binary"], "array", "unknown"):
            self.findings.problem(node, f"this is for texts, and both are {self.types.said(kind)}", f"write {self._as_text}")
        return Typed(kind if isinstance(node, exp.DPipe) else BOOLEAN, refs_of(found))

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
        found = call(self, inner, cast=True) if isinstance(inner, exp.Anonymous) else self.typed(inner)
        if kind == TypeName("decimal", sizes=self.types.unsized) and not node.to.expressions and inner.is_string:
            remedy = f"write it as a number, {inner.name}, or with its digits: CAST('{inner.name}' AS decimal(38, 9))"
            self.findings.problem(node, "how many decimals this has is not known here", remedy)
            return NOTHING
        if kind is None:
            cause = f"`{node.to.sql(self.findings.query.dialect)}` is no type that is known here"
            self.findings.problem(node, cause, "CAST to another")
        return Typed(kind, found.refs, found.nullable or isinstance(node, exp.TryCast))

    def query(self, node: exp.Expr) -> Typed:
        inner = node.this if isinstance(node, (exp.Subquery, exp.Exists)) else node
        found = self._rows(inner, self.scope)
        self.findings.used(refs_of(found), self.use, inner)
        if isinstance(node, exp.Exists):
            return Typed(BOOLEAN, refs_of(found), False)
        if len(found) != 1:
            self.findings.problem(node, f"this query has {len(found)} columns where one value is wanted", "select one")
        return Typed(found[0].kind if found else None, refs_of(found))

    def literal(self, node: exp.Literal) -> Typed:
        return Typed(self.types.literal(node), nullable=False)

    def interval(self, node: exp.Interval) -> Typed:
        kind = self.types.interval(node)
        if kind is None:
            self.findings.problem(node, "this interval is not known here", "write INTERVAL '1' DAY, with one unit")
        return Typed(kind, self.typed(node.this).refs if node.this is not None else frozenset(), False)

    def extracted(self, node: exp.Extract) -> Typed:
        return Typed(self.types.extracted(node.name.upper()), self.typed(node.expression).refs)

    def moment(self, node: exp.Expr) -> Typed:
        cause = "this gives something else each time, so the result is no function of the inputs"
        self.findings.problem(node, cause, _MOMENT_REMEDY)
        return NOTHING


def refs_of(found: Sequence[Typed]) -> frozenset[tuple[str, ...]]:
    return frozenset().union(*(each.refs for each in found))


_OPERATORS: Mapping[type[exp.Expr], Callable[[Expressions, Any], Typed]] = {
    **{exp.Column: Expressions.column, exp.Literal: Expressions.literal, exp.Interval: Expressions.interval},
    **{exp.Boolean: lambda of, node: Typed(BOOLEAN, nullable=False), exp.Null: lambda of, node: NULL},
    **dict.fromkeys((exp.Paren, exp.Alias, exp.Ordered, exp.Distinct, exp.IgnoreNulls, exp.RespectNulls), Expressions.of_all),
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ), Expressions.compared),
    **dict.fromkeys((exp.And, exp.Or, exp.Not), Expressions.conditions),
    **{exp.Is: Expressions.is_, exp.In: Expressions.among, exp.Between: Expressions.between},
    **{exp.Like: Expressions.texts, exp.DPipe: Expressions.texts},
    **dict.fromkeys((exp.Case, exp.If), Expressions.case),
    **dict.fromkeys((exp.Cast, exp.TryCast), Expressions.cast),  # also DATE '…'
    **dict.fromkeys((exp.Subquery, exp.Exists, exp.Select, exp.Union, exp.Intersect, exp.Except), Expressions.query),
    **{exp.Neg: lambda of, node: of.typed(node.this), exp.Extract: Expressions.extracted},
    **dict.fromkeys(
        (exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentTime, exp.Localtime, exp.Localtimestamp, exp.CurrentUser),
        Expressions.moment,
    ),
}
