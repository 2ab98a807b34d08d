"""The type, parts and origins of every kind of expression."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from language.dialects.postgres import calls, columns, operators, queries_within, sql_json
from language.dialects.postgres.casts import cast
from language.dialects.postgres.context import Context
from language.dialects.postgres.conversion import common_type, converts
from language.dialects.postgres.indirection import indirect
from language.dialects.postgres.kinds import BOOL, TEXT, UNKNOWN, Kind, array_of
from language.dialects.postgres.operators import cast_remedy, condition
from language.dialects.postgres.parser import Node
from language.dialects.postgres.scope import Expr, Scope

Handler = Callable[[Context, Scope, Node, Node], Expr]
_NOW = {
    **{"SVFOP_CURRENT_DATE": "date", "SVFOP_CURRENT_TIME": "timetz", "SVFOP_CURRENT_TIME_N": "timetz", "SVFOP_LOCALTIME": "time"},
    **{"SVFOP_LOCALTIME_N": "time", "SVFOP_LOCALTIMESTAMP": "timestamp", "SVFOP_LOCALTIMESTAMP_N": "timestamp"},
    **{"SVFOP_CURRENT_TIMESTAMP": "timestamptz", "SVFOP_CURRENT_TIMESTAMP_N": "timestamptz"},
}


def expression(context: Context, scope: Scope, node: Node) -> Expr:
    """node: as libpg_query has it, its kind ▸ its fields."""
    ((tag, inner),) = node.items()
    handler = _HANDLERS.get(tag)
    if handler is None:
        return context.failed(node, "this cannot stand in a query that collects", "leave it out")
    return handler(context, scope, node, inner)


def _constant(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    kind, value = _literal(inner)
    found = context.made(node, kind, ("constant", kind, value))
    found.tag = "literal" if kind == UNKNOWN else ""
    return found


def _literal(inner: Node) -> tuple[Kind, object]:
    if inner.get("isnull"):
        return UNKNOWN, None
    if "sval" in inner:
        return UNKNOWN, inner["sval"].get("sval", "")
    if "ival" in inner:
        return Kind("int4"), inner["ival"].get("ival", 0)
    if "boolval" in inner:
        return BOOL, inner["boolval"].get("boolval", False)
    if "bsval" in inner:
        return Kind("bit"), inner["bsval"]["bsval"]
    written = inner["fval"]["fval"]
    try:
        number = int(written.replace("_", ""), 0)
    except ValueError:
        return Kind("numeric"), written
    return Kind("int4" if number < 2**31 else "int8" if number < 2**63 else "numeric"), number


def _logic(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    parts = context.expressions(scope, inner["args"])
    for part in parts:
        condition(context, part)
    return context.made(node, BOOL, ("logic", inner.get("boolop")), parts)


def _tested(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    part = context.expression(scope, inner["arg"])
    if "booltesttype" in inner:
        condition(context, part)
    return context.made(node, BOOL, ("test", inner.get("nulltesttype"), inner.get("booltesttype")), [part])


def _case(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    subject = context.expression(scope, inner["arg"]) if "arg" in inner else None
    parts, results = [subject] if subject is not None else [], []
    for branch in (each["CaseWhen"] for each in inner["args"]):
        when = context.expression(scope, branch["expr"])
        if subject is None:
            condition(context, when)
        else:
            operators.operate(context, {"A_Expr": {"args": [inner["arg"], branch["expr"]]}}, "=", subject, when)
        parts.append(when)
        results.append(context.expression(scope, branch["result"]))
    default = context.expression(scope, inner["defresult"]) if "defresult" in inner else None
    whens = [*parts, *([default] if default is not None else []), *results]
    first = default if default is not None else Expr(UNKNOWN, (0, 0), ("constant", None))
    return common(context, node, "CASE", [first, *results], ("case",), whens)


def _chosen(what: str) -> Handler:
    def handle(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
        name = inner.get("op", what).removeprefix("IS_") if what == "GREATEST" else what
        parts = context.expressions(scope, inner["args"])
        return common(context, node, name, parts, (name,), parts)

    return handle


def common(context: Context, node: Node, what: str, branches: Sequence[Expr], key: tuple[object, ...], parts: Sequence[Expr]) -> Expr:
    """An expression that is one of its branches."""
    kind = common_kind(context, what, branches)
    return context.made(node, kind, key, parts)


def common_kind(context: Context, what: str, branches: Sequence[Expr]) -> Kind | None:
    """The type that all branches have; None, with a problem, where there is none."""
    if any(branch.kind is None for branch in branches):
        return None
    kinds = [branch.kind for branch in branches if branch.kind is not None]
    found = common_type([kind.name for kind in kinds])
    for branch, kind in zip(branches, kinds, strict=True):
        if found is None or (kind != UNKNOWN and not converts(kind.name, found) and not kind.is_own):
            other = next((b for b in branches if b.kind not in (UNKNOWN, None) and b is not branch and b.kind != kind), None)
            if other is None or kind == UNKNOWN or not _apart(kind, other.kind):
                continue
            cause = f"{what} cannot hold both {context.describe(other)} and {context.describe(branch)}"
            context.problem(branch.place, cause, cast_remedy(context, branch, other))
            return None
    if found is None:
        return None
    for branch in branches:
        context.read_as(branch, found)
    same = {kind for kind in kinds if kind != UNKNOWN}
    return same.pop() if len(same) == 1 and UNKNOWN not in kinds else Kind(found, fields=_fields(kinds, found))


def _apart(one: Kind, other: Kind | None) -> bool:
    return other is not None and common_type([one.name, other.name]) is None


def _fields(kinds: Sequence[Kind], found: str) -> tuple[tuple[str, Kind | None], ...] | None:
    return kinds[0].fields if found == "record" and len(set(kinds)) == 1 else None


def _array(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    parts = context.expressions(scope, inner.get("elements", ()))
    if not parts:
        return context.failed(node, "an array without elements has no type", "CAST it, as in ARRAY[]::integer[]")
    kind = common_kind(context, "an array", parts)
    found = array_of(kind) if kind is not None else None
    if kind is not None and found is None:
        return context.untold(node, f"the type of an array of {kind} cannot be told", parts)
    return context.made(node, found, ("array",), parts)


def _row(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    parts = context.expressions(scope, inner.get("args", ()))
    fields = tuple((f"f{number + 1}", TEXT if part.kind == UNKNOWN else part.kind) for number, part in enumerate(parts))
    return context.made(node, Kind("record", fields=fields), ("row",), parts)


def _moment(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    return context.made(node, Kind(_NOW.get(inner["op"], "name")), ("moment", inner["op"], inner.get("typmod")))


def _collated(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    part = context.expression(scope, inner["arg"])
    return context.made(node, TEXT if part.kind == UNKNOWN else part.kind, ("collate", str(inner["collname"])), [part])


_HANDLERS: dict[str, Handler] = {
    "ColumnRef": columns.column,
    "A_Const": _constant,
    "TypeCast": cast,
    "A_Expr": operators.operation,
    "BoolExpr": _logic,
    "NullTest": _tested,
    "BooleanTest": _tested,
    "CaseExpr": _case,
    "CoalesceExpr": _chosen("COALESCE"),
    "MinMaxExpr": _chosen("GREATEST"),
    "A_ArrayExpr": _array,
    "RowExpr": _row,
    "SQLValueFunction": _moment,
    "CollateClause": _collated,
    "A_Indirection": indirect,
    "FuncCall": calls.call,
    "GroupingFunc": calls.grouping,
    "SubLink": queries_within.query_within,
    **sql_json.HANDLERS,
}
