"""What a SELECT puts out: its items, what their names are, and what each `*` stands for."""

from __future__ import annotations

from collections.abc import Iterator

from language.dialects.postgres.columns import column_expr, find_item
from language.dialects.postgres.context import Context
from language.dialects.postgres.parser import Node
from language.dialects.postgres.places import Place
from language.dialects.postgres.scope import Column, Expr, Item, Output, Scope
from language.dialects.postgres.spelling import spelled

UNNAMED = "?column?"
_NAMED_BY_KIND = {
    **{"CaseExpr": "case", "CoalesceExpr": "coalesce", "A_ArrayExpr": "array", "RowExpr": "row", "GroupingFunc": "grouping"},
    **{"JsonParseExpr": "json", "JsonScalarExpr": "json_scalar", "JsonSerializeExpr": "json_serialize"},
    **{"JsonObjectConstructor": "json_object", "JsonArrayConstructor": "json_array", "JsonArrayQueryConstructor": "json_array"},
    **{"JsonObjectAgg": "json_objectagg", "JsonArrayAgg": "json_arrayagg", "XmlSerialize": "xmlserialize"},
}


def targets(context: Context, scope: Scope, node: Node, exists: bool) -> list[Output]:
    """exists: a `*` of EXISTS (SELECT * …) reads no column."""
    nodes = node.get("targetList", ())
    if exists and len(nodes) == 1 and _star(nodes[0]["ResTarget"].get("val", {})) is not None and "distinctClause" not in node:
        context.edits.append((*context.places.of(nodes[0]), "1"))
        return []
    return [output for each in nodes for output in _outputs(context, scope, each["ResTarget"])]


def _outputs(context: Context, scope: Scope, target: Node) -> Iterator[Output]:
    value = target["val"]
    qualifier = _star(value)
    if qualifier is not None:
        yield from _expanded(context, scope, value, qualifier)
    elif "A_Star" in value.get("A_Indirection", {}).get("indirection", [{}])[-1]:
        yield from _fields(context, scope, value)
    else:
        expr = context.expression(scope, value)
        yield Output(target.get("name") or column_name(value)[0], expr, _place(context, target, expr.place))


def _place(context: Context, target: Node, place: Place) -> Place:
    """The expression's place with the alias after it."""
    if "name" not in target:
        return place
    words = context.text.words
    after = [word for word in words if word.start >= place[1]][:2]
    alias = after[1:] if after and after[0].upper == "AS" else after
    return (place[0], alias[0].end) if alias else place


def _star(value: Node) -> tuple[str, ...] | None:
    """The names before a `*`; None for all else."""
    fields = value.get("ColumnRef", {}).get("fields", ())
    if not fields or "A_Star" not in fields[-1]:
        return None
    return tuple(each["String"]["sval"] for each in fields[:-1])


def _expanded(context: Context, scope: Scope, value: Node, qualifier: tuple[str, ...]) -> Iterator[Output]:
    found = list(_behind(context, scope, value, qualifier))
    place = context.places.of(value)
    unnamed = next((column for _, column in found if column.name == UNNAMED), None)
    if unnamed is not None:
        context.problem(place, "a column behind this * has no name", "name it where it is made: … AS name")
        return
    context.edits.append((*place, ", ".join(column.spelled for _, column in found)))
    for item, column in found:
        yield Output(column.name, column_expr(context, scope, value, item, column), place)


def _behind(context: Context, scope: Scope, value: Node, qualifier: tuple[str, ...]) -> Iterator[tuple[Item, Column]]:
    if qualifier:
        item = find_item(scope, qualifier)
        if item is None:
            context.expression(scope, value)  # says that there is no such table
        else:
            yield from ((item, column) for column in item.columns)
        return
    if not any(item.by_column for item in scope.visible):
        context.problem(context.places.of(value), "there are no columns behind this *", "name a table in FROM, or the columns")
    yield from ((item, column) for item in scope.visible if item.by_column for column in item.columns)


def _fields(context: Context, scope: Scope, value: Node) -> Iterator[Output]:
    """(row).* is a column for each field."""
    inner = value["A_Indirection"]
    steps = inner["indirection"][:-1]
    row = context.expression(scope, {"A_Indirection": {**inner, "indirection": steps}} if steps else inner["arg"])
    place = context.places.of(value)
    if row.kind is None or row.kind.fields is None:
        if row.kind is not None:
            context.problem(place, "the fields of this row are not known", "name them, each with a CAST")
        return
    text = context.text.text[place[0] : context.places.of(inner["arg"])[1]]
    written = [f"({text.strip('()')}).{spelled(name)}" if not steps else "" for name, _ in row.kind.fields]
    if all(written):
        context.edits.append((*place, ", ".join(written)))
    for name, kind in row.kind.fields:
        made = Expr(kind, place, ("field", name, row.key), (row,), row.refs)
        yield Output(name, made, place)


def output_name(target: Node) -> str | None:
    """What an item is called by AS, or as the column that it is, also cast; None for all else, named by PostgreSQL."""
    if "name" in target:
        return str(target["name"])
    value = target["val"]
    while "TypeCast" in value or "CollateClause" in value:
        value = next(iter(value.values()))["arg"]
    last = value.get("ColumnRef", {}).get("fields", [{}])[-1] or value.get("A_Indirection", {}).get("indirection", [{}])[-1]
    return str(last["String"]["sval"]) if "String" in last else None


def column_name(node: Node) -> tuple[str, int]:
    """What PostgreSQL calls a column without AS, and how sure it is of that: its FigureColname."""
    ((tag, inner),) = node.items()
    if tag == "ColumnRef":
        return str(inner["fields"][-1].get("String", {}).get("sval", UNNAMED)), 2
    if tag == "A_Indirection":
        names = [step["String"]["sval"] for step in inner["indirection"] if "String" in step]
        return (names[-1], 2) if names else column_name(inner["arg"])
    if tag == "FuncCall":
        return str(inner["funcname"][-1]["String"]["sval"]), 2
    if tag == "TypeCast":
        name, sure = column_name(inner["arg"])
        return (name, sure) if sure > 1 else (str(inner["typeName"]["names"][-1]["String"]["sval"]), 1)
    if tag == "CollateClause":
        return column_name(inner["arg"])
    return _other_name(tag, inner)


def _other_name(tag: str, inner: Node) -> tuple[str, int]:
    if tag == "A_Expr" and inner.get("kind") == "AEXPR_NULLIF":
        return "nullif", 2
    if tag == "SubLink":
        return _subquery_name(inner)
    if tag == "CaseExpr" and "defresult" in inner:
        name, sure = column_name(inner["defresult"])
        return (name, sure) if sure > 1 else ("case", 1)
    if tag == "MinMaxExpr":
        return str(inner.get("op", "IS_GREATEST")).removeprefix("IS_").lower(), 2
    if tag in ("SQLValueFunction", "JsonFuncExpr", "XmlExpr") and inner.get("op") != "IS_DOCUMENT":
        name = str(inner.get("op", "")).removeprefix("SVFOP_").removeprefix("IS_").removesuffix("_OP").removesuffix("_N")
        return name.lower(), 2
    return (_NAMED_BY_KIND[tag], 1 if tag == "CaseExpr" else 2) if tag in _NAMED_BY_KIND else (UNNAMED, 0)


def _subquery_name(inner: Node) -> tuple[str, int]:
    what = inner["subLinkType"]
    if what in ("EXISTS_SUBLINK", "ARRAY_SUBLINK"):
        return what.removesuffix("_SUBLINK").lower(), 2
    select = inner["subselect"]["SelectStmt"]
    if what != "EXPR_SUBLINK" or not select.get("targetList"):
        return UNNAMED, 0
    target = select["targetList"][0]["ResTarget"]
    return (target["name"], 2) if "name" in target else column_name(target["val"])
