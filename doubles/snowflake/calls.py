"""Calls and operators that Snowflake has otherwise than DuckDB: by macros for types that DuckDB knows, and as other expressions.

A macro is chosen by its arguments' types, which are known to DuckDB alone; of an exact quotient they say that it is exact.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

# `error` of what is zero, and of two exact numbers an exact quotient of 12 digits behind the point, the most that Snowflake gives.
MACROS = """
CREATE MACRO atoll_quotient(v, a, b) AS v, (v, a DOUBLE, b DOUBLE) AS v,
  (v, a DECIMAL(38, 12), b DECIMAL(38, 12)) AS CAST(v AS DECIMAL(38, 12));
CREATE MACRO atoll_mean(v, a) AS v, (v, a DOUBLE) AS v, (v, a DECIMAL(38, 12)) AS CAST(v AS DECIMAL(38, 12));
CREATE MACRO atoll_plus(a, b) AS a + b, (a DATE, b DECIMAL(38, 0)) AS a + CAST(b AS INTEGER),
  (a DECIMAL(38, 0), b DATE) AS b + CAST(a AS INTEGER);
CREATE MACRO atoll_minus(a, b) AS a - b, (a DATE, b DECIMAL(38, 0)) AS a - CAST(b AS INTEGER);
CREATE MACRO atoll_as_given(v, given) AS v, (v, given DATE) AS CAST(v AS DATE);
CREATE MACRO atoll_in_base64(v) AS to_base64(encode(v)), (v BLOB) AS to_base64(v);
CREATE MACRO atoll_bucket(v, low, high, n) AS
  CASE WHEN v < low THEN 0 WHEN v >= high THEN n + 1 ELSE CAST(floor((v - low) / (high - low) * n) AS BIGINT) + 1 END
"""
# Which arguments are whole numbers to DuckDB, that a NUMBER is not by itself.
_WHOLE: Mapping[type[exp.Expr], tuple[str, ...]] = {
    **{exp.Left: ("expression",), exp.Right: ("expression",), exp.Pad: ("expression",), exp.Repeat: ("times",)},
    **{exp.SplitPart: ("part_index",), exp.Substring: ("start", "length"), exp.Stuff: ("start", "length")},
    **{exp.BitwiseAnd: ("this", "expression"), exp.BitwiseOr: ("this", "expression"), exp.BitwiseXor: ("this", "expression")},
    **{exp.BitwiseNot: ("this",), exp.Round: ("decimals",)},
}
_MOMENTS = {"TO_TIMESTAMP_NTZ": "TIMESTAMP", "TO_TIMESTAMP_LTZ": "TIMESTAMPTZ"}
_OF_A_UNIT = (exp.TimestampTrunc, exp.DateTrunc, exp.AddMonths)


def rewritten(tree: exp.Expr) -> exp.Expr:
    """The tree with each expression as DuckDB has it, what is within one before it."""
    for node in reversed([*tree.dfs()]):
        parent, key, index = node.parent, node.arg_key, node.index
        found = _instead(node)
        if found is not node and parent is not None and key is not None:
            parent.set(key, found, index)
        elif found is not node:
            tree = found
    return tree


def _instead(node: exp.Expr) -> exp.Expr:
    for part in _WHOLE.get(type(node), ()):
        if (found := node.args.get(part)) is not None and not isinstance(found, exp.Cast | exp.Literal):
            node.set(part, exp.cast(found, "INTEGER" if isinstance(node, exp.Pad) else "BIGINT"))
    if isinstance(node, exp.Add | exp.Sub) and not any(isinstance(one, exp.Interval) for one in (node.this, node.expression)):
        return _macro("atoll_plus" if isinstance(node, exp.Add) else "atoll_minus", node.this, node.expression)
    if isinstance(node, exp.Div):
        return _quotient(node.this, node.expression)
    if isinstance(node, exp.Avg) and not isinstance(node.parent, exp.Window):
        return _macro("atoll_mean", node.copy(), node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this)
    if isinstance(node, exp.Window):
        return _over(node)
    if isinstance(node, _OF_A_UNIT):
        return _macro("atoll_as_given", node.copy(), node.this)
    if isinstance(node, exp.Extract) and node.name.upper() == "EPOCH":
        return exp.cast(exp.func("floor", exp.func("epoch", node.expression)), "BIGINT")
    if isinstance(node, exp.ConvertTimezone) and node.args.get("source_tz") is None:
        return exp.cast(node.args["timestamp"], "TIMESTAMPTZ")
    return _of_name(node)


def _of_name(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Chr):
        return exp.Chr(expressions=[exp.cast(node.expressions[0], "INTEGER")])
    if isinstance(node, exp.Base64Encode):
        return _macro("atoll_in_base64", node.this)
    if isinstance(node, exp.ByteLength):
        return exp.Anonymous(this="strlen", expressions=[node.this])
    if isinstance(node, exp.WidthBucket):
        return _macro("atoll_bucket", *(node.args[part] for part in ("this", "min_value", "max_value", "num_buckets")))
    if not isinstance(node, exp.Anonymous):
        return node
    name, arguments = node.name.upper(), node.expressions
    if name in ("TRUNC", "TRUNCATE") and len(arguments) == 2 and not isinstance(arguments[1], exp.Literal):
        return exp.Anonymous(this="trunc", expressions=[arguments[0], exp.cast(arguments[1], "INTEGER")])
    moment = _MOMENTS.get(name.removeprefix("TRY_"))
    if moment and len(arguments) == 1:
        return (exp.TryCast if name.startswith("TRY_") else exp.Cast)(
            this=arguments[0], to=exp.DataType.build(moment, dialect="duckdb")
        )
    return node


def _macro(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _quotient(one: exp.Expr, other: exp.Expr) -> exp.Expr:
    zero = exp.EQ(this=other.copy(), expression=exp.Literal.number(0))
    fails = exp.Anonymous(this="error", expressions=[exp.Literal.string("Division by zero")])
    divided = exp.Case(ifs=[exp.If(this=zero, true=fails)], default=exp.Div(this=one.copy(), expression=other.copy(), typed=False))
    return _macro("atoll_quotient", divided, one, other)


def _over(node: exp.Window) -> exp.Expr:
    inner = node.this
    if isinstance(inner, exp.Avg):
        return _macro("atoll_mean", node.copy(), inner.this)
    if isinstance(inner, exp.Anonymous) and inner.name.upper() == "RATIO_TO_REPORT":
        value = exp.cast(inner.expressions[0], "DOUBLE")
        total = node.copy()
        total.set("this", exp.Sum(this=value.copy()))
        share = exp.Div(this=value, expression=exp.Nullif(this=total, expression=exp.Literal.number(0)), typed=False)
        return exp.Paren(this=share)
    return node
