"""GROUP BY and ORDER BY: what they name, and which columns a grouped query can say nothing of."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from language.dialects.postgres.context import Context
from language.dialects.postgres.kinds import UNKNOWN, is_sortable
from language.dialects.postgres.parser import Node
from language.dialects.postgres.scope import Expr, Output, Scope
from shared_metadata.program.lineage import Use


def grouped_by(context: Context, scope: Scope, nodes: Sequence[Node], outputs: Sequence[Output]) -> list[Expr]:
    """What a query is grouped by, also within ROLLUP, CUBE and GROUPING SETS."""
    found: list[Expr] = []
    for node in nodes:
        if "GroupingSet" in node:
            found += grouped_by(context, scope, node["GroupingSet"].get("content", ()), outputs)
        elif "RowExpr" in node:
            found += grouped_by(context, scope, node["RowExpr"].get("args", ()), outputs)
        else:
            expr = _key(context, scope, node, outputs, "GROUP BY")
            check_sortable(context, expr, "GROUP BY")
            context.use(expr, Use.GROUP)
            found.append(expr)
    return found


def ordered_by(context: Context, scope: Scope, nodes: Sequence[Node], outputs: Sequence[Output], use: Use) -> list[Expr]:
    """use: ORDER for ORDER BY, GROUP for DISTINCT ON."""
    found = []
    clause = "ORDER BY" if use is Use.ORDER else "DISTINCT ON"
    for node in nodes:
        expr = _key(context, scope, node["SortBy"]["node"], outputs, clause)
        check_sortable(context, expr, clause)
        context.use(expr, use)
        found.append(expr)
    return found


def _key(context: Context, scope: Scope, node: Node, outputs: Sequence[Output], clause: str) -> Expr:
    """A number means an item; a name an item before a column, in GROUP BY after it."""
    fields = node.get("ColumnRef", {}).get("fields", ())
    name = fields[0]["String"]["sval"] if len(fields) == 1 and "String" in fields[0] else None
    constant = node.get("A_Const")
    if constant is not None:
        return _numbered(context, node, constant, outputs, clause)
    named = [output for output in outputs if output.name == name]
    is_column = clause == "GROUP BY" and any(item.by_column and item.get(name or "") for item in scope.visible)
    if named and not is_column:
        if len({output.expr.key for output in named}) > 1:
            return context.failed(node, f"`{name}` is ambiguous: several items of the SELECT are called so", "rename one by AS")
        return named[0].expr
    with scope.reading("group" if clause == "GROUP BY" else "order"):
        return context.expression(scope, node)


def _numbered(context: Context, node: Node, constant: Node, outputs: Sequence[Output], clause: str) -> Expr:
    number = constant["ival"].get("ival", 0) if "ival" in constant else None
    if number is None:
        return context.failed(node, f"{clause} takes a column, an expression or its number, and this is a constant", "name a column")
    if not 1 <= number <= len(outputs):
        cause = (
            f"{clause} {number} is none of the {len(outputs)} columns"
            if len(outputs) != 1
            else f"{clause} {number}, and there is one column"
        )
        return context.failed(node, cause, "give the number of a column, or name it")
    return outputs[int(number) - 1].expr


def check_sortable(context: Context, expr: Expr, clause: str) -> None:
    if expr.kind is not None and expr.kind != UNKNOWN and not is_sortable(expr.kind.name):
        to = "jsonb" if expr.kind.name == "json" else "text"
        cause = f"{clause} cannot compare {context.describe(expr)}"
        context.problem(expr.place, cause, f"write CAST({context.said(expr.place)} AS {to})")


def check_grouping(context: Context, scope: Scope, exprs: Sequence[Expr], keys: Sequence[Expr]) -> None:
    """Problems for columns that are neither grouped nor within an aggregate."""
    for key in keys:
        aggregate = next((part for part in key.walk() if part.tag == "aggregate" and part.scope is scope), None)
        if aggregate is not None:
            context.problem(key.place, "an aggregate cannot stand in GROUP BY", "aggregate in a subquery, and group around it")
    known = {key.key for key in keys}
    for expr in exprs:
        _check(context, scope, expr, known)


def _check(context: Context, scope: Scope, expr: Expr, known: set[tuple[Hashable, ...]]) -> None:
    if expr.key in known or expr.key[:1] == ("broken",):
        return
    if expr.tag == "aggregate" and expr.scope is scope:
        for part in expr.reads:  # what stands before WITHIN GROUP
            _check(context, scope, part, known)
        return
    if expr.tag == "grouping" and expr.scope is scope:
        if any(part.key not in known for part in expr.parts):
            context.problem(expr.place, "GROUPING takes what the query is grouped by", "name expressions of GROUP BY")
        return
    if expr.tag == "column" and expr.scope is scope:
        name = context.said(expr.place)
        cause = f"`{name}` is neither grouped nor aggregated"
        context.problem(expr.place, cause, f"add it to GROUP BY, or write an aggregate such as max({name})")
    for part in (*expr.parts, *expr.reads):
        _check(context, scope, part, known)
