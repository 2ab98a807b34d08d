"""A SELECT, VALUES or set operation: its clauses in the order in which PostgreSQL reads them, and the columns that it puts out."""

from __future__ import annotations

from collections.abc import Sequence

from language.dialects.postgres.common_tables import read_with
from language.dialects.postgres.context import Context
from language.dialects.postgres.conversion import converts
from language.dialects.postgres.expressions import common_kind
from language.dialects.postgres.from_clause import read_from
from language.dialects.postgres.grouping import check_grouping, check_sortable, grouped_by, ordered_by
from language.dialects.postgres.kinds import UNKNOWN
from language.dialects.postgres.operators import cast_remedy, condition, united
from language.dialects.postgres.parser import Node
from language.dialects.postgres.scope import NO_REFS, Expr, Output, Scope
from language.dialects.postgres.targets import targets
from shared_metadata.program.lineage import Use


def select(context: Context, node: Node, parent: Scope | None, *, exists: bool = False) -> tuple[list[Output], Scope]:
    """What the SelectStmt puts out, and its scope.  exists: whether only its rows are asked for."""
    scope = Scope(parent)
    if "withClause" in node:
        read_with(context, scope, node["withClause"])
    if node.get("op", "SETOP_NONE") != "SETOP_NONE":
        outputs = _set_operation(context, scope, node)
    elif "valuesLists" in node:
        outputs = _values(context, scope, node)
    else:
        outputs = _select(context, scope, node, exists)
    _limit(context, scope, node)
    return outputs, scope


def _select(context: Context, scope: Scope, node: Node, exists: bool) -> list[Output]:
    read_from(context, scope, node.get("fromClause", ()))
    scope.windows = {each["WindowDef"]["name"]: each["WindowDef"] for each in node.get("windowClause", ())}
    outputs = targets(context, scope, node, exists)
    _condition(context, scope, node, "whereClause", "where", Use.FILTER)
    having = _condition(context, scope, node, "havingClause", "having", Use.FILTER)
    order = ordered_by(context, scope, node.get("sortClause", ()), outputs, Use.ORDER)
    keys = grouped_by(context, scope, node.get("groupClause", ()), outputs)
    distinct = node.get("distinctClause")
    if distinct is not None:
        order += _distinct(context, scope, distinct, outputs, order)
    if all(key.key[0] != "broken" for key in keys) and (keys or scope.aggregates or having is not None or "groupClause" in node):
        checked = [output.expr for output in outputs] + ([having] if having is not None else []) + order
        check_grouping(context, scope, checked, keys)
    return outputs


def _condition(context: Context, scope: Scope, node: Node, name: str, clause: str, use: Use) -> Expr | None:
    if name not in node:
        return None
    with scope.reading(clause):
        found = context.expression(scope, node[name])
    condition(context, found)
    context.use(found, use)
    return found


def _distinct(context: Context, scope: Scope, nodes: Sequence[Node], outputs: Sequence[Output], order: Sequence[Expr]) -> list[Expr]:
    """DISTINCT, or DISTINCT ON (…), whose expressions these are."""
    named = [node for node in nodes if node]
    if named:
        return ordered_by(context, scope, [{"SortBy": {"node": node}} for node in named], outputs, Use.GROUP)
    put_out = {output.expr.key for output in outputs}
    for output in outputs:
        check_sortable(context, output.expr, "DISTINCT")
        context.use(output.expr, Use.GROUP)
    for expr in order:
        if expr.key not in put_out:
            remedy = "select it as well, or order around the query"
            context.problem(expr.place, "SELECT DISTINCT is ordered by what it does not select", remedy)
    return []


def _values(context: Context, scope: Scope, node: Node) -> list[Output]:
    with scope.reading("values"):
        rows = [context.expressions(scope, row["List"]["items"]) for row in node["valuesLists"]]
    if len({len(row) for row in rows}) > 1:
        odd = next(row for row in rows if len(row) != len(rows[0]))
        place = odd[0].place[0], odd[-1].place[1]
        context.problem(place, f"this row has {len(odd)} values, and the first has {len(rows[0])}", "give all rows as many")
        return []
    outputs = []
    for number, column in enumerate(zip(*rows, strict=True)):
        kind = common_kind(context, "VALUES", column)
        refs = NO_REFS.union(*(part.refs for part in column))
        untold = next((part.untold for part in column if part.untold), None)
        expr = Expr(kind, column[0].place, ("value", number, id(node)), tuple(column), refs, untold=untold)
        outputs.append(Output(f"column{number + 1}", expr, column[0].place))
    _order_outputs(context, scope, node, outputs)
    return outputs


def _limit(context: Context, scope: Scope, node: Node) -> None:
    with scope.reading("limit"):
        for name in ("limitCount", "limitOffset"):
            if name in node:
                found = context.expression(scope, node[name])
                context.use(found, Use.FILTER)
                if any(part.tag == "column" and part.scope is scope for part in found.walk()):
                    context.problem(
                        found.place, "LIMIT and OFFSET read no column", "write a number, or filter by row_number() around it"
                    )
                if found.kind not in (None, UNKNOWN) and not converts(found.kind.name, "int8", "a"):
                    said = f"LIMIT and OFFSET take a whole number, not {context.describe(found)}"
                    context.problem(found.place, said, cast_remedy(context, found, None, "int8"))


def _set_operation(context: Context, scope: Scope, node: Node) -> list[Output]:
    what = node["op"].removeprefix("SETOP_")
    left, _ = select(context, node["larg"], scope)
    right, _ = select(context, node["rarg"], scope)
    outputs = combine(context, node, left, right)
    if not node.get("all"):
        for output in outputs:
            check_sortable(context, output.expr, what)
            context.use(output.expr, Use.GROUP)
    _order_outputs(context, scope, node, outputs)
    return outputs


def combine(context: Context, node: Node, left: Sequence[Output], right: Sequence[Output]) -> list[Output]:
    """The columns of both sides' rows."""
    if not left or not right:
        return list(left)
    if len(left) != len(right):
        place = context.places.query({"SelectStmt": node["rarg"]})
        context.problem(place, f"the two sides have {len(left)} and {len(right)} columns", "select as many columns on both sides")
        return list(left)
    is_except = node["op"] == "SETOP_EXCEPT"
    found = []
    for one, other in zip(left, right, strict=True):
        kind = united(context, one.name, one.expr, other.expr)
        refs = one.expr.refs if is_except else one.expr.refs | other.expr.refs
        untold = one.expr.untold or other.expr.untold if kind is None else None
        parts = (one.expr,) if is_except else (one.expr, other.expr)
        if is_except:
            context.use(other.expr, Use.FILTER)
        found.append(Output(one.name, Expr(kind, one.place, ("united", one.name, id(node)), parts, refs, untold=untold), one.place))
    return found


def _order_outputs(context: Context, scope: Scope, node: Node, outputs: Sequence[Output]) -> None:
    """ORDER BY after a set operation names what it puts out, or its number."""
    for each in node.get("sortClause", ()):
        item = each["SortBy"]["node"]
        fields = item.get("ColumnRef", {}).get("fields", ())
        name = fields[0]["String"]["sval"] if len(fields) == 1 and "String" in fields[0] else None
        number = item.get("A_Const", {}).get("ival")
        found = [output for output in outputs if output.name == name]
        if number is not None and 1 <= number.get("ival", 0) <= len(outputs):
            found = [outputs[number["ival"] - 1]]
        if found:
            context.use(found[0].expr, Use.ORDER)
            check_sortable(context, found[0].expr, "ORDER BY")
            continue
        known = ", ".join(output.name for output in outputs)
        cause = "ORDER BY after a set operation names one of its columns"
        context.problem(context.places.of(item), cause, f"name one of {known}, or order around it")
