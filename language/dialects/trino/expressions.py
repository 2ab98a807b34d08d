"""What each expression gives: its type by Trino's rules, and the columns that it is made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from language.dialects.trino.calls import call
from language.dialects.trino.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    INTERVAL,
    MAX_PRECISION,
    VARCHAR,
    arithmetic,
    cast_type,
    common,
    said,
)
from language.sql.findings import Findings
from language.sql.scope import NOTHING, NULL, Scope, Typed
from language.text.diagnostics import did_you_mean
from shared_metadata.program.lineage import Use
from shared_metadata.program.type_names import TypeName

_SIGNS: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_COMPARING = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_MOMENT = (exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentTime, exp.Localtime, exp.Localtimestamp, exp.CurrentUser)
_LARGEST = 2**31 - 1
Rows = Callable[[exp.Expr, Scope], Sequence[Typed]]  # the columns of a query within an expression


class Expressions:
    """Expressions of one SELECT.  use: the clause that is read."""

    def __init__(self, scope: Scope, findings: Findings, rows: Rows) -> None:
        self.scope, self.findings, self._rows, self.use = scope, findings, rows, Use.VALUE

    def typed(self, node: exp.Expr) -> Typed:
        if isinstance(node, exp.Column):
            return self._column(node)
        if isinstance(node, exp.Literal):
            return Typed(_literal(node), nullable=False)
        if isinstance(node, (exp.Paren, exp.Alias, exp.Ordered, exp.Distinct, exp.IgnoreNulls, exp.RespectNulls)):
            return self._of_all(node)
        if isinstance(node, _COMPARING):
            return self._compared(node, [node.this, node.expression])
        if type(node) in _SIGNS:
            return self._computed(node, _SIGNS[type(node)])
        if isinstance(node, _MOMENT):
            remedy = "write batch_end(), the moment for which the batch is made"
            self.findings.problem(node, "this gives something else each time, so the result is no function of the inputs", remedy)
            return NOTHING
        if isinstance(node, (exp.Case, exp.If)):
            return self._case(node)
        if isinstance(node, (exp.Subquery, exp.Exists, exp.Query)):
            return self._query(node)
        return self._other(node)

    def _other(self, node: exp.Expr) -> Typed:
        if isinstance(node, exp.Boolean):
            return Typed(BOOLEAN, nullable=False)
        if isinstance(node, exp.Null):
            return NULL
        if isinstance(node, exp.Cast):  # and TRY_CAST, and DATE '…'
            return self._cast(node)
        if isinstance(node, (exp.And, exp.Or, exp.Not)):
            return self._conditions(node)
        if isinstance(node, exp.Is):
            return Typed(BOOLEAN, self.typed(node.this).refs, False)
        if isinstance(node, (exp.In, exp.Between)):
            return self._among(node)
        if isinstance(node, (exp.Like, exp.DPipe)):
            return self._texts(node)
        if isinstance(node, exp.Neg):
            return self.typed(node.this)
        if isinstance(node, exp.Extract):
            return Typed(BIGINT, self.typed(node.expression).refs)
        if isinstance(node, exp.Interval):
            return Typed(INTERVAL, nullable=False)
        if isinstance(node, exp.AtTimeZone):
            return Typed(TypeName("timestamp with time zone"), self.typed(node.this).refs)
        if isinstance(node, exp.Array):
            return self._array(node)
        return call(self, node)

    # -- names

    def _column(self, node: exp.Column) -> Typed:
        if isinstance(node.this, exp.Star):
            return NOTHING
        names = tuple(part.name.lower() for part in node.parts)
        found = self.scope.find(names[:-1], names[-1])
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

    def _of_all(self, node: exp.Expr) -> Typed:
        """What the first part gives; the others are read."""
        first, *others = [self.typed(part) for part in node.iter_expressions() if not isinstance(part, exp.Identifier)]
        return Typed(first.kind, first.refs.union(*(other.refs for other in others)), first.nullable)

    def together(self, node: exp.Expr, found: Sequence[Typed], what: str) -> TypeName | None:
        """The type that all become by themselves; None where one has none, which then is told."""
        kind: TypeName | None = None
        for each in found:
            if each.kind is None:
                return None
            wider = common(kind, each.kind) if kind is not None else each.kind
            if wider is None and kind is not None:
                cause = f"{what} {said(kind)} and {said(each.kind)}, which have no type in common"
                self.findings.problem(node, cause, "bring both to one type, as by CAST(… AS VARCHAR)")
                return None
            kind = wider
        return kind

    def _compared(self, node: exp.Expr, parts: Sequence[exp.Expr]) -> Typed:
        found = [self.typed(part) for part in parts]
        self.together(node, found, "this compares")
        return Typed(BOOLEAN, refs_of(found))

    def _among(self, node: exp.In | exp.Between) -> Typed:
        if isinstance(node, exp.Between):
            return self._compared(node, [node.this, node.args["low"], node.args["high"]])
        query = node.args.get("query")
        if query is None:
            return self._compared(node, [node.this, *node.expressions])
        found = [self.typed(node.this), *self._rows(query, self.scope)[:1]]
        self.findings.used(refs_of(found[1:]), self.use, query)
        self.together(node, found, "this compares")
        return Typed(BOOLEAN, refs_of(found))

    def _computed(self, node: exp.Expr, sign: str) -> Typed:
        found = [self.typed(node.this), self.typed(node.expression)]
        kinds = [each.kind for each in found]
        if kinds[0] is None or kinds[1] is None:
            return Typed(None, refs_of(found))
        kind = arithmetic(sign, kinds[0], kinds[1])
        if kind is None:
            texts = [part for part, each in zip((node.this, node.expression), kinds, strict=True) if each == VARCHAR]
            remedy = f"write CAST({self.findings.words(texts[0])} AS BIGINT), or another number" if texts else "CAST one of them"
            self.findings.problem(node, f"there is no {said(kinds[0])} {sign} {said(kinds[1])}", remedy)
        return Typed(kind, refs_of(found), any(each.nullable for each in found))

    def _conditions(self, node: exp.Expr) -> Typed:
        found = [self.condition(part) for part in node.iter_expressions()]
        return Typed(BOOLEAN, refs_of(found))

    def condition(self, node: exp.Expr) -> Typed:
        """Types an expression that must be true or false."""
        found = self.typed(node)
        if found.kind is not None and common(found.kind, BOOLEAN) is None:
            self.findings.problem(node, f"this is {said(found.kind)}, and no condition", "compare it with something")
        return found

    def _texts(self, node: exp.Expr) -> Typed:
        found = [self.typed(node.this), self.typed(node.expression)]
        kind = self.together(node, found, "this joins" if isinstance(node, exp.DPipe) else "this compares")
        if kind is not None and kind.word not in ("varchar", "array", "varbinary", "unknown"):
            self.findings.problem(node, f"this is for texts, and both are {said(kind)}", "write CAST(… AS VARCHAR)")
        return Typed(kind if isinstance(node, exp.DPipe) else BOOLEAN, refs_of(found))

    def _case(self, node: exp.Case | exp.If) -> Typed:
        whens = node.args["ifs"] if isinstance(node, exp.Case) else [node]
        values = [*(when.args["true"] for when in whens), node.args.get("default") or node.args.get("false")]
        base = node.this if isinstance(node, exp.Case) else None
        tested = [self.typed(when.this) if base is not None else self.condition(when.this) for when in whens]
        if base is not None:
            tested.append(self.typed(base))
            self.together(node, tested, "this compares")
        found = [self.typed(value) for value in values if value is not None]
        return Typed(self.together(node, found, "this gives"), refs_of([*found, *tested]))

    def _cast(self, node: exp.Cast) -> Typed:
        inner = node.this
        kind, found = cast_type(node.to), call(self, inner, cast=True) if isinstance(inner, exp.Anonymous) else self.typed(inner)
        if kind == TypeName("decimal", sizes=(MAX_PRECISION, 0)) and not node.to.expressions and inner.is_string:
            remedy = f"write it as a number, {inner.name}, or with its digits: CAST('{inner.name}' AS decimal(38, 9))"
            self.findings.problem(node, "how many decimals this has is not known here", remedy)
            return NOTHING
        if kind is None:
            self.findings.problem(node, f"`{node.to.sql('trino')}` is no type that is known here", "CAST to another")
        return Typed(kind, found.refs, found.nullable or isinstance(node, exp.TryCast))

    def _array(self, node: exp.Array) -> Typed:
        found = [self.typed(part) for part in node.expressions]
        kind = self.together(node, found, "this holds")
        return Typed(TypeName("array", (kind,)) if kind is not None else None, refs_of(found), False)

    def _query(self, node: exp.Expr) -> Typed:
        inner = node.this if isinstance(node, (exp.Subquery, exp.Exists)) else node
        found = self._rows(inner, self.scope)
        self.findings.used(refs_of(found), self.use, inner)
        if isinstance(node, exp.Exists):
            return Typed(BOOLEAN, refs_of(found), False)
        if len(found) != 1:
            self.findings.problem(node, f"this query has {len(found)} columns where one value is wanted", "select one")
        return Typed(found[0].kind if found else None, refs_of(found))


def refs_of(found: Sequence[Typed]) -> frozenset[tuple[str, ...]]:
    return frozenset().union(*(each.refs for each in found))


def _literal(node: exp.Literal) -> TypeName:
    """https://trino.io/docs/current/language/types.html: 1.5 is a decimal, 1e0 a double."""
    if node.is_string:
        return VARCHAR
    text = node.name.replace("_", "")
    if "e" in text.lower():
        return DOUBLE
    whole, dot, scale = text.partition(".")
    if dot:
        return TypeName("decimal", sizes=(max(len(whole.lstrip("0")) + len(scale), 1), len(scale)))
    return INTEGER if int(text) <= _LARGEST else BIGINT
