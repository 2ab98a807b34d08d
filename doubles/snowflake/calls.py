"""Calls and operators that Snowflake has otherwise than DuckDB: by macros for types that DuckDB knows, and as other expressions.

A macro is chosen by its arguments' types, which are known to DuckDB alone; of an exact quotient they say that it is exact.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

# `error` of what is zero, and of two exact numbers an exact quotient of 12 digits behind the point, the most that Snowflake gives.
# DuckDB divides as floating numbers do; of whole ones the whole part is therefore taken apart.
MACROS = """
CREATE MACRO atoll_whole(a, b) AS
  CAST(CAST(a AS HUGEINT) // CAST(b AS HUGEINT) AS DECIMAL(38, 12))
  + CAST(CAST(CAST(a AS HUGEINT) % CAST(b AS HUGEINT) AS DOUBLE) / b AS DECIMAL(38, 12));
CREATE MACRO atoll_quotient(v, a, b, sum) AS v, (v, a, b, sum DOUBLE) AS v,
  (v, a, b, sum HUGEINT) AS CASE WHEN b <> 0 THEN atoll_whole(a, b) ELSE CAST(v AS DECIMAL(38, 12)) END,
  (v, a, b, sum DECIMAL(38, 12)) AS
  CASE WHEN b <> 0 AND a % 1 = 0 AND b % 1 = 0 THEN atoll_whole(a, b) ELSE CAST(v AS DECIMAL(38, 12)) END;
CREATE MACRO atoll_mean(v, a) AS v, (v, a DOUBLE) AS v, (v, a DECIMAL(38, 12)) AS CAST(v AS DECIMAL(38, 12)),
  (v, a HUGEINT) AS CAST(v AS DECIMAL(38, 12));
CREATE MACRO atoll_plus(a, b) AS a + b, (a DATE, b DECIMAL(38, 0)) AS a + CAST(b AS INTEGER),
  (a DECIMAL(38, 0), b DATE) AS b + CAST(a AS INTEGER);
CREATE MACRO atoll_minus(a, b) AS a - b, (a DATE, b DECIMAL(38, 0)) AS a - CAST(b AS INTEGER);
CREATE MACRO atoll_as_given(v, given) AS v, (v, given DATE) AS CAST(v AS DATE);
CREATE MACRO atoll_json(v) AS CASE WHEN typeof(v) LIKE 'DECIMAL(%,0)' THEN to_json(TRY_CAST(v AS HUGEINT)) ELSE to_json(v) END;
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
        return _macro("atoll_plus" if isinstance(node, exp.Add) else "atoll_minus", node.this, node.expression, chosen_by=2)
    if isinstance(node, exp.Div):
        return _quotient(node.this, node.expression)
    if isinstance(node, exp.Avg) and not isinstance(node.parent, exp.Window):
        return _macro("atoll_mean", node.copy(), node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this)
    if isinstance(node, exp.Window):
        return _over(node)
    if isinstance(node, _OF_A_UNIT):
        return _macro("atoll_as_given", node.copy(), node.this)
    if isinstance(node, exp.JSONKeyValue):  # a whole number is written as one
        node.set("expression", _macro("atoll_json", node.expression))
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


def _macro(name: str, *arguments: exp.Expr, chosen_by: int = 1) -> exp.Expr:
    """A call of a macro that is chosen by the types of so many last arguments.

    DuckDB chooses before it knows the type of what is computed over rows; as the element of a list it has one.
    """
    if not any(argument.find(exp.AggFunc, exp.Window) for argument in arguments[-chosen_by:]):
        return exp.Anonymous(this=name, expressions=list(arguments))
    parts = [f"p{number}" for number in range(len(arguments))]
    given = [exp.PropertyEQ(this=exp.to_identifier(part), expression=one) for part, one in zip(parts, arguments, strict=True)]
    called = exp.Anonymous(this=name, expressions=[exp.column(part, table="atoll_row") for part in parts])
    each = exp.Lambda(this=called, expressions=[exp.to_identifier("atoll_row")])
    listed = exp.Anonymous(this="list_transform", expressions=[exp.Array(expressions=[exp.Struct(expressions=given)]), each])
    return exp.Anonymous(this="list_extract", expressions=[listed, exp.Literal.number(1)])


def _quotient(one: exp.Expr, other: exp.Expr) -> exp.Expr:
    zero = exp.EQ(this=other.copy(), expression=exp.Literal.number(0))
    fails = exp.Anonymous(this="error", expressions=[exp.Literal.string("Division by zero")])
    divided = exp.Case(ifs=[exp.If(this=zero, true=fails)], default=exp.Div(this=one.copy(), expression=other.copy(), typed=False))
    # Nobody computes the sum: its type is the two numbers' common one, which chooses the macro.
    return _macro("atoll_quotient", divided, one, other, exp.Add(this=one.copy(), expression=other.copy()))


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
