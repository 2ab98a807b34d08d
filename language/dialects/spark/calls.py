"""Calls of functions: what they give, and which are none of their arguments alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from language.dialects.spark.functions import UNTOLD, functions
from language.dialects.spark.types import BIGINT, INT, MAX_PRECISION, MOMENT, arithmetic, is_number, said
from language.sql.query import BATCH_BOUNDS
from language.sql.scope import NOTHING, Typed
from language.text.diagnostics import did_you_mean
from shared_metadata.program.lineage import Use
from shared_metadata.program.type_names import TypeName

if TYPE_CHECKING:
    from language.dialects.spark.expressions import Expressions

# What sqlglot reads by a grammar of its own, and tells no place of.
_BY_GRAMMAR: dict[type[exp.Expr], str] = {
    exp.ArgMin: "min_by",
    exp.ArgMax: "max_by",
    exp.Ceil: "ceil",
    exp.Floor: "floor",
    exp.Trim: "trim",
    exp.Substring: "substring",
    exp.StrPosition: "position",
    exp.Quantile: "percentile",
    exp.ApproxQuantile: "percentile_approx",
    exp.Overlay: "overlay",
    exp.Chr: "chr",
    exp.Initcap: "initcap",
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
    name = name_of(expressions, node)
    if not name:
        expressions.findings.problem(node, "what this gives is not known here", "write it otherwise, or CAST it in a query below")
        return NOTHING
    return _function(expressions, node, name, cast)


def name_of(expressions: Expressions, node: exp.Expr) -> str:
    """A call's name, folded; '' of what is none."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    if isinstance(node, exp.Func) and "start" in node.meta:
        return expressions.findings.query.span.text[node.meta["start"] : node.meta["end"] + 1].lower()
    return _BY_GRAMMAR.get(type(node), "")


def _function(expressions: Expressions, node: exp.Expr, name: str, cast: bool) -> Typed:
    findings, known = expressions.findings, functions()
    if name in BATCH_BOUNDS and not node.expressions:
        return Typed(MOMENT, nullable=False)
    if name not in known.names:
        findings.problem(node, f"Spark has no function `{name}`", did_you_mean(name, known.names) + "call one that there is")
        return NOTHING
    if name in known.varying:
        cause = f"`{name}` gives something else each time, so the result is no function of the inputs"
        findings.problem(node, cause, _VARYING_REMEDY)
        return NOTHING
    if name in known.outside:
        findings.problem(node, f"`{name}` runs code that no program holds", "write it in SQL")
        return NOTHING
    written = node.expressions if isinstance(node, exp.Anonymous) else [*node.iter_expressions()]
    if isinstance(node, exp.Initcap):  # to which sqlglot gives a second argument
        written = [node.this]
    if name == "count" and len(written) == 1 and isinstance(written[0], exp.Star):
        return Typed(BIGINT, nullable=False)
    arguments = [expressions.typed(part) for part in written]
    refs = frozenset[tuple[str, ...]]().union(*(each.refs for each in arguments))
    kinds = [each.kind for each in arguments if each.kind is not None]
    if len(kinds) < len(arguments):
        return Typed(None, refs)
    if name in known.structs:
        kind = _of_fields(name, written, kinds)
    elif name in known.digits:
        kind = _of_digits(name, written, kinds)
    else:
        kind = known.result(name, kinds) if name in known.signatures else UNTOLD
    if kind == UNTOLD and not cast:
        findings.problem(node, f"what `{name}` gives is not known here", f"say it: CAST({name}(…) AS a type)")
    elif kind is None:
        cause = f"`{name}` is not known to take ({', '.join(map(said, kinds))})"
        findings.problem(node, cause, "see its documentation, and CAST the arguments")
    return Typed(kind if kind != UNTOLD else None, refs, name not in ("count", "count_if"))


def _of_fields(name: str, written: Sequence[exp.Expr], kinds: Sequence[TypeName]) -> TypeName | None:
    """A struct whose fields are called as they are written: struct(a, b), named_struct('a', 1)."""
    if name == "named_struct":
        names, kinds = [part.name for part in written[::2] if part.is_string], kinds[1::2]
    else:
        names = [part.alias_or_name for part in written]
    if not names or not all(names) or len(names) != len(kinds) or len({*map(str.lower, names)}) < len(names):
        return None
    return TypeName("struct", tuple(kinds), tuple(map(str.lower, names)))


def _of_digits(name: str, written: Sequence[exp.Expr], kinds: Sequence[TypeName]) -> TypeName | None:
    """What is given by functions whose digits go by a number that is written out, or by both arguments."""
    if name in ("mod", "pmod"):
        return arithmetic("%", kinds[0], kinds[1]) if len(kinds) == 2 else None
    if len(kinds) not in (1, 2) or not is_number(kinds[0]) or kinds[1:] not in ([], [INT]):
        return None
    if kinds[0].word != "decimal":
        return kinds[0]
    digits, sign = (written[1], 1) if len(written) == 2 else (exp.Literal.number(0), 1)
    if isinstance(digits, exp.Neg):
        digits, sign = digits.this, -1
    if not isinstance(digits, exp.Literal) or not digits.is_int:
        return None
    (precision, scale), wanted = kinds[0].sizes, sign * int(digits.name)
    whole = precision - scale + 1
    if wanted < 0:
        return TypeName("decimal", sizes=(min(MAX_PRECISION, max(whole, 1 - wanted)), 0))
    return TypeName("decimal", sizes=(min(MAX_PRECISION, whole + min(scale, wanted)), min(scale, wanted)))


def _under(expressions: Expressions, node: exp.Expr, use: Use) -> Typed:
    former, expressions.use = expressions.use, use
    found = expressions.typed(node)
    expressions.use = former
    return found
