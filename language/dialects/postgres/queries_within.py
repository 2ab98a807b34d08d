"""Queries that stand where a value does: (SELECT …), EXISTS, IN, ANY, ALL and ARRAY."""

from __future__ import annotations

from language.dialects.postgres.context import Context
from language.dialects.postgres.kinds import BOOL, TEXT, UNKNOWN, Kind, array_of
from language.dialects.postgres.operators import operate
from language.dialects.postgres.parser import Node
from language.dialects.postgres.scope import NO_REFS, Expr, Output, Scope


def query_within(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    what = inner["subLinkType"]
    test = context.expression(scope, inner["testexpr"]) if "testexpr" in inner else None
    outputs, child = context.query(inner["subselect"]["SelectStmt"], scope, exists=what == "EXISTS_SUBLINK")
    rows = Expr(None, context.places.of(node), ("query", id(node)), reads=tuple(child.outer))
    if what != "EXISTS_SUBLINK":
        rows.refs = NO_REFS.union(*(output.expr.refs for output in outputs))
    parts = [test, rows] if test is not None else [rows]
    made = context.made(node, None, ("query", id(node)), parts, tag="query")
    made.reads = rows.reads
    if what == "EXISTS_SUBLINK":
        made.kind = BOOL
    elif what in ("ANY_SUBLINK", "ALL_SUBLINK"):
        made.kind = BOOL
        _compare(context, node, inner, test, outputs)
    elif len(outputs) != 1:
        if outputs:
            cause = f"a query that stands for a value has one column, and this has {len(outputs)}"
            context.problem(made.place, cause, "select the one that is meant")
    else:
        _value(context, node, made, outputs[0], array=what == "ARRAY_SUBLINK")
    return made


def _value(context: Context, node: Node, made: Expr, output: Output, *, array: bool) -> None:
    kind = TEXT if output.expr.kind == UNKNOWN else output.expr.kind
    made.untold = output.expr.untold
    if not array or kind is None:
        made.kind = kind
        return
    made.kind = array_of(kind)
    if made.kind is None:
        made.untold = context.untold(node, f"the type of an array of {kind} cannot be told").untold


def _compare(context: Context, node: Node, inner: Node, test: Expr | None, outputs: list[Output]) -> None:
    """The value before IN, or the row's, with the columns of the query."""
    assert test is not None
    is_row = test.kind is not None and test.kind.fields is not None and "RowExpr" in inner["testexpr"]
    tested = list(test.parts) if is_row else [test]
    if outputs and len(tested) != len(outputs):
        place = context.places.query(inner["subselect"])
        count = f"{len(tested)} value{'s' * (len(tested) > 1)}"
        context.problem(
            place,
            f"{count} cannot be compared with a query of {len(outputs)} column{'s' * (len(outputs) > 1)}",
            "select as many columns as there are values",
        )
        return
    name = inner["operName"][-1]["String"]["sval"] if "operName" in inner else "="
    for one, output in zip(tested, outputs, strict=False):
        kind: Kind | None = TEXT if output.expr.kind == UNKNOWN else output.expr.kind
        beside = Expr(kind, output.place, ("output", output.name), untold=output.expr.untold)
        operate(context, node, name, one, beside)
