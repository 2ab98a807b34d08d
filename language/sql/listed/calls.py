"""Calls of functions: what they give, and which are none of their arguments alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from language.sql.findings import Findings
from language.sql.listed.rules import Rules
from language.sql.listed.signatures import UNTOLD
from language.sql.query import BATCH_BOUNDS
from language.sql.scope import NOTHING, Typed
from language.text.diagnostics import did_you_mean
from shared_metadata.program.lineage import Use

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
_VARYING_REMEDY = "write batch_end() for the moment, or a hash of the key for chance"


def call(expressions: Expressions, node: exp.Expr, *, cast: bool = False) -> Typed:
    """The type of a call, with or without FILTER and OVER; a problem for all else, that it is not known, at its place.

    cast: whether a CAST says what it becomes, so that it may be one of which that is not known here.
    """
    if isinstance(node, exp.Window):
        found = call(expressions, node.this)
        order = node.args.get("order")
        parts = [*(node.args.get("partition_by") or ()), *(order.expressions if order is not None else ())]
        return Typed(found.kind, found.refs.union(*(_under(expressions, part, Use.ORDER).refs for part in parts)))
    if isinstance(node, exp.Filter):
        found, former = call(expressions, node.this), expressions.use
        expressions.use = Use.FILTER
        kept = expressions.condition(node.expression.this)
        expressions.use = former
        return Typed(found.kind, found.refs | kept.refs, found.nullable)
    if isinstance(node, (exp.IgnoreNulls, exp.RespectNulls)):
        return call(expressions, node.this)
    name = name_of(expressions.rules, expressions.findings, node)
    if not name:
        expressions.findings.problem(node, "what this gives is not known here", "write it otherwise, or CAST it in a query below")
        return NOTHING
    return _function(expressions, node, name, cast)


def name_of(rules: Rules, findings: Findings, node: exp.Expr) -> str:
    """A call's name, folded; '' of what is none."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    if isinstance(node, exp.Func) and "start" in node.meta:
        return findings.query.span.text[node.meta["start"] : node.meta["end"] + 1].lower()
    return (rules.grammar.get(type(node)) or _BY_GRAMMAR.get(type(node)) or ("", ()))[0]


def is_aggregate(rules: Rules, findings: Findings, node: exp.Expr) -> bool:
    return isinstance(node, exp.Func) and name_of(rules, findings, node) in rules.functions.aggregates


def _function(expressions: Expressions, node: exp.Expr, name: str, cast: bool) -> Typed:
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
    written = _arguments(rules, node)
    if name == "count" and len(written) == 1 and isinstance(written[0], exp.Star):
        return Typed(rules.types.long, nullable=False)
    arguments = [expressions.typed(part) for part in written]
    refs = frozenset[tuple[str, ...]]().union(*(each.refs for each in arguments))
    kinds = [each.kind for each in arguments if each.kind is not None]
    if len(kinds) < len(arguments):
        return Typed(None, refs)
    if name in rules.written:
        kind = rules.written[name](name, written, kinds)
    else:
        kind = known.result(name, kinds) if name in known.signatures else UNTOLD
    if kind == UNTOLD and not cast:
        findings.problem(node, f"what `{name}` gives is not known here", f"say it: CAST({name}(…) AS a type)")
    elif kind is None:
        cause = f"`{name}` is not known to take ({', '.join(map(rules.types.said, kinds))})"
        findings.problem(node, cause, "see its documentation, and CAST the arguments")
    return Typed(kind if kind != UNTOLD else None, refs, name not in ("count", "count_if"))


def _arguments(rules: Rules, node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Anonymous):
        return list(node.expressions)
    _, parts = rules.grammar.get(type(node), ("", ()))
    return [node.args[part] for part in parts] if parts else [*node.iter_expressions()]


def _under(expressions: Expressions, node: exp.Expr, use: Use) -> Typed:
    former, expressions.use = expressions.use, use
    found = expressions.typed(node)
    expressions.use = former
    return found
