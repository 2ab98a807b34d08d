"""Calls of functions: what they give, and which are none of their arguments alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from language.sql.findings import Findings
from language.sql.listed.clauses import AGGREGATED, OF_LAMBDA
from language.sql.listed.rules import Rules
from language.sql.listed.signatures import ELSEWHERE, UNTOLD, Argument, Lambda
from language.sql.query import BATCH_BOUNDS
from language.sql.scope import NOTHING, Ref, Typed
from language.text.diagnostics import did_you_mean
from shared_metadata.program.lineage import Use
from shared_metadata.program.type_names import TypeName

if TYPE_CHECKING:
    from language.sql.listed.expressions import Expressions

# What sqlglot reads by a grammar of its own in every dialect, and tells no place of.
_BY_GRAMMAR: Mapping[type[exp.Expr], tuple[str, tuple[str, ...]]] = {
    exp.ArgMin: ("min_by", ()),
    exp.ArgMax: ("max_by", ()),
    exp.Ceil: ("ceil", ()),
    exp.Floor: ("floor", ()),
    exp.Trim: ("trim", ()),
}
_OF_A_ROW = frozenset(("lag", "lead", "first_value", "last_value", "nth_value"))  # of a window, which may pass over NULLs
_VARYING_REMEDY = "write batch_end() for the moment, or a hash of the key for chance"
Order = Sequence[exp.Expr]


@dataclass(frozen=True)
class Around:
    """What stands around a call.  cast: whether a CAST says what it becomes, so that it may be one of which that is not known here.

    order: what WITHIN GROUP orders by.
    """

    cast: bool = False
    over: bool = False
    filtered: bool = False
    ignores: bool = False
    order: Order = ()


def call(expressions: Expressions, node: exp.Expr, around: Around = Around()) -> Typed:
    """The type of a call; a problem for all else, that it is not known, at its place."""
    name = name_of(expressions.rules, expressions.findings, node)
    if not name:
        expressions.findings.problem(node, "what this gives is not known here", "write it otherwise, or CAST it in a query below")
        return NOTHING
    return _function(expressions, node, name, around) if _may_stand(expressions, node, name, around) else NOTHING


def name_of(rules: Rules, findings: Findings, node: exp.Expr) -> str:
    """A call's name, folded; '' of what is none."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    if isinstance(node, exp.Func) and "start" in node.meta:
        return findings.query.span.text[node.meta["start"] : node.meta["end"] + 1].lower()
    return (rules.grammar.get(type(node)) or _BY_GRAMMAR.get(type(node)) or ("", ()))[0]


def is_aggregate(rules: Rules, findings: Findings, node: exp.Expr) -> bool:
    return isinstance(node, exp.Func) and name_of(rules, findings, node) in rules.functions.aggregates


def _may_stand(expressions: Expressions, node: exp.Expr, name: str, around: Around) -> bool:
    """Tells of a function of rows where there are none, and of one of a row that is asked for rows."""
    known, told = expressions.rules.functions, None
    if name in known.aggregates and not around.over:
        told = expressions.clause.aggregates
    elif name in known.windows and not around.over:
        told = f"`{name}` is one of a window", f"write {name}(…) OVER (ORDER BY …)"
    elif name not in known.aggregates | known.windows and name in known.names and (around.over or around.filtered or around.order):
        told = f"`{name}` gives one value of each row, and is no aggregate", "leave out what follows it"
    if told is None and around.ignores and name not in _OF_A_ROW | expressions.rules.ignoring:
        told = f"`{name}` has no IGNORE NULLS", "leave them out by FILTER, or below"
    if told is not None:
        expressions.findings.problem(node, *told)
    return told is None


def _function(expressions: Expressions, node: exp.Expr, name: str, around: Around) -> Typed:
    rules, findings, known = expressions.rules, expressions.findings, expressions.rules.functions
    if name in BATCH_BOUNDS and not node.expressions:
        return Typed(rules.types.moment, nullable=False)
    if name not in known.names:
        findings.problem(node, f"{rules.engine} has no function `{name}`", did_you_mean(name, known.names) + "call one that there is")
        return NOTHING
    if name in known.varying:
        cause = f"`{name}` gives something else each time, so the result is no function of the inputs"
        findings.problem(node, cause, _VARYING_REMEDY)
        return NOTHING
    if name in known.outside:
        findings.problem(node, f"`{name}` runs code that no program holds", "write it in SQL")
        return NOTHING
    if name in rules.makers:
        findings.problem(node, f"`{name}` makes rows, and no value", rules.makers_remedy)
        return NOTHING
    with expressions.within(AGGREGATED if name in known.aggregates and not around.over else expressions.clause):
        return _result(expressions, node, name, around)


def _result(expressions: Expressions, node: exp.Expr, name: str, around: Around) -> Typed:
    rules, findings, known = expressions.rules, expressions.findings, expressions.rules.functions
    written, refs = _arguments(expressions, node, name, around), set[Ref]()
    if name == "count" and len(written) == 1 and isinstance(written[0], exp.Star):
        return Typed(rules.types.long, nullable=False)
    kinds: list[Argument] = []
    for part in written:
        if isinstance(part, exp.Lambda):
            kinds.append(_lambda(expressions, part, refs))
            continue
        argument = expressions.typed(part)
        refs |= argument.refs
        kinds += [argument.kind] if argument.kind is not None else []
    if len(kinds) < len(written):
        return Typed(None, frozenset(refs))
    plain = [kind for kind in kinds if isinstance(kind, TypeName)]
    kind, told = UNTOLD if name not in known.signatures else None, None
    if name in rules.checks and len(plain) == len(kinds) and (told := rules.checks[name](written, plain)) is not None:
        findings.problem(node, *told)
        return Typed(None, frozenset(refs))
    if name in rules.written and len(plain) == len(kinds):
        given = rules.written[name](name, written, plain)
        kind, told = (given, None) if given is None or isinstance(given, TypeName) else (None, given)
    elif name in known.signatures:
        kind = known.result(name, kinds)
    if kind == UNTOLD and not around.cast:
        findings.problem(node, f"what `{name}` gives is not known here", f"say it: CAST({name}(…) AS a type)")
    elif kind is None:
        said = ", ".join(rules.types.said(each) if isinstance(each, TypeName) else "a lambda" for each in kinds)
        cause = f"`{name}` is not known to take ({said})"
        findings.problem(node, *(told or (cause, "see its documentation, and CAST the arguments")))
    return Typed(None if kind in (UNTOLD, ELSEWHERE) else kind, frozenset(refs), name not in ("count", "count_if"))


def _arguments(expressions: Expressions, node: exp.Expr, name: str, around: Around) -> list[exp.Expr]:
    """The arguments, without the DISTINCT and the ORDER BY of an aggregate, of which it is told where they may not stand."""
    rules, findings = expressions.rules, expressions.findings
    _, parts = rules.grammar.get(type(node), ("", ()))
    found = [node.args[part] for part in parts if node.args.get(part) is not None] if parts else [*node.iter_expressions()]
    if isinstance(node, exp.Anonymous):
        found = list(node.expressions)
    order, distinct = [*around.order], False
    while modified := next((part for part in found if isinstance(part, (exp.Order, exp.Distinct))), None):
        at = found.index(modified)
        if isinstance(modified, exp.Order):
            order += modified.expressions
            found[at] = modified.this
        else:
            distinct = True
            found[at : at + 1] = modified.expressions
    if name in rules.of_order and len(around.order) == 1:
        return [*found, around.order[0].this]
    for part in order:
        expressions.ordered(part.this, expressions.under(Use.ORDER, part.this))
    aggregate = name in rules.functions.aggregates and not around.over
    if order and not (aggregate and rules.orders_within):
        findings.problem(node, "ORDER BY does not stand here", "order what is aggregated otherwise, as by a window")
    if name in rules.ordered_aggregates and not order:
        findings.problem(node, f"`{name}` is read by an order", f"write {name}(…) WITHIN GROUP (ORDER BY …)")
    if distinct and order and _orders_by_another(order, found, findings):
        findings.problem(node, "of values that are made one by DISTINCT, only they have an order", "order by what is aggregated")
    if distinct and not aggregate:
        findings.problem(node, "DISTINCT stands in an aggregate alone, and in none of a window", "make rows one below, by GROUP BY")
    elif distinct and name == "count" and len(found) > 1 and not rules.several_counted:
        findings.problem(
            node, "DISTINCT is of one value here", "make one of them, by concat(…), or count the rows of SELECT DISTINCT"
        )
        return found[:1]
    return found


def _orders_by_another(order: Sequence[exp.Expr], found: Sequence[exp.Expr], findings: Findings) -> bool:
    """Whether an aggregate is ordered by what is none of its arguments."""
    given = {part.sql(findings.query.dialect).lower() for part in found}
    return any(part.this.sql(findings.query.dialect).lower() not in given for part in order)


def _lambda(expressions: Expressions, node: exp.Lambda, refs: set[Ref]) -> Lambda:
    """refs: to which the columns are added that its body names."""
    names = [part.name.lower() for part in node.expressions]

    def gives(kinds: Sequence[TypeName]) -> TypeName | None:
        former = expressions.variables
        expressions.variables = {**former, **{name: Typed(kind) for name, kind in zip(names, kinds, strict=True)}}
        with expressions.within(OF_LAMBDA):
            found = expressions.typed(node.this)
        expressions.variables = former
        refs.update(found.refs)
        return found.kind

    return Lambda(len(names), gives)
