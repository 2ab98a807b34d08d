"""What stands in FROM, and which columns each of it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from language.dialects.postgres.catalogue import functions
from language.dialects.postgres.context import Context
from language.dialects.postgres.joins import join
from language.dialects.postgres.kinds import TEXT, UNKNOWN, Kind
from language.dialects.postgres.parser import Node
from language.dialects.postgres.scope import Column, Expr, Item, Output, Scope, Untold
from language.dialects.postgres.spelling import spelled
from language.dialects.postgres.sql_json import values
from language.dialects.postgres.type_words import named_kind
from shared_metadata.program.lineage import Use

Reader = Callable[[Context, Scope, Node, Node, list[Item]], list[Item]]


def read_from(context: Context, scope: Scope, nodes: Sequence[Node]) -> None:
    """Puts what the FROM clause names into the scope, in its order."""
    items: list[Item] = []
    for node in nodes:
        found = source(context, scope, node, items)
        refuse_twins(context, node, items, found)
        items += found
    scope.visible, scope.hidden = items, []


def source(context: Context, scope: Scope, node: Node, left: list[Item]) -> list[Item]:
    """left: what stands before it, for LATERAL."""
    ((tag, inner),) = node.items()
    reader = _READERS.get(tag)
    if reader is None:
        context.problem(context.places.of(node), "this cannot stand in FROM", "read a table, a subquery or a function")
        return []
    return reader(context, scope, node, inner, left)


def refuse_twins(context: Context, node: Node, left: Sequence[Item], right: Sequence[Item]) -> None:
    taken = {item.path: item for item in left if item.by_table and item.path}
    for item in right:
        if item.by_table and item.path and any(item.path[-1:] == path[-1:] and len(path) == len(item.path) == 1 for path in taken):
            context.problem(context.places.of(node), f"two tables are called `{item.name}` here", "give each an alias of its own")


def _table(context: Context, scope: Scope, node: Node, inner: Node, left: list[Item]) -> list[Item]:
    parts = tuple(inner[name] for name in ("catalogname", "schemaname", "relname") if name in inner)
    known = scope.common_table(parts[0]) if len(parts) == 1 else None
    if known is not None:
        copied = [Column(c.name, c.kind, c.refs, c.origin, "", c.untold) for c in known.columns]
        return [_item(context, scope, node, inner, copied, parts[-1])]
    name = context.inputs.get(parts)
    if name is None:
        return []
    copied = [Column(c.name, c.kind, c.refs, c.origin, is_input=True) for c in context.tables[name]]
    item = _item(context, scope, node, inner, copied, parts[-1])
    if "alias" not in inner:
        item.path = parts
    return [item]


def _sampled(context: Context, scope: Scope, node: Node, inner: Node, left: list[Item]) -> list[Item]:
    with scope.reading("from", []):
        context.expressions(scope, inner.get("args", ()))
    return source(context, scope, inner["relation"], left)


def _subquery(context: Context, scope: Scope, node: Node, inner: Node, left: list[Item]) -> list[Item]:
    visible = left if inner.get("lateral") else []
    former, scope.hidden = scope.hidden, [] if inner.get("lateral") else left
    with scope.reading("from", visible):
        outputs, _ = context.query(inner["subquery"]["SelectStmt"], scope)
    scope.hidden = former
    made = [_output_column(output) for output in outputs]
    return [_item(context, scope, node, inner, made, "")]


def _output_column(output: Output) -> Column:
    return output.column(TEXT if output.expr.kind == UNKNOWN else output.expr.kind)


def _item(context: Context, scope: Scope, node: Node, inner: Node, made: list[Column], name: str) -> Item:
    """The item under its alias, its columns as the alias calls them."""
    alias = inner.get("alias", {})
    name = alias.get("aliasname", name)
    called = [each["String"]["sval"] for each in alias.get("colnames", ())]
    if len(called) > len(made):
        cause = f"`{name}` has {len(made)} columns, and {len(called)} are named here"
        context.problem(context.places.of(node), cause, "name no more than there are")
    for column, renamed in zip(made, called, strict=False):
        column.name = renamed
    for column in made:
        column.spelled = f"{spelled(name)}.{spelled(column.name)}" if name else spelled(column.name)
    return Item((name,) if name else (), made, scope)


# -- functions


def _functions(context: Context, scope: Scope, node: Node, inner: Node, left: list[Item]) -> list[Item]:
    calls = [each["List"]["items"] for each in inner["functions"]]
    made: list[Column] = []
    name = inner.get("alias", {}).get("aliasname", "")
    with scope.reading("from", left):
        for call, *described in calls:
            definitions = described[0]["List"]["items"] if described and described[0].get("List") else inner.get("coldeflist", ())
            made += _function_columns(context, scope, call, definitions, name if len(calls) == 1 else "")
    if inner.get("ordinality"):
        made.append(Column("ordinality", Kind("int8")))
    item = _item(context, scope, node, inner, made, _function_name(calls[0][0]))
    item.is_value = len(made) == 1 and not inner.get("coldeflist")
    return [item]


def _function_columns(context: Context, scope: Scope, node: Node, definitions: Sequence[Node], alias: str) -> list[Column]:
    several = _unnested(node)
    if several:
        return [column for each in several for column in _function_columns(context, scope, each, (), "")]
    found = context.expression(scope, node)
    context.use(found, Use.JOIN)
    refs, fields = found.refs, found.kind.fields if found.kind is not None else None
    if definitions:
        return _defined(context, definitions, found)
    if fields is not None:
        return [Column(name, kind, refs, untold=found.untold) for name, kind in fields]
    if found.kind is not None and found.kind.name == "record":
        remedy = "write its columns after the alias, as in AS e(id integer, name text)"
        context.problem(found.place, f"the columns of `{_function_name(node)}` are not known", remedy)
        return [Column(alias or _function_name(node), None, refs)]
    return [Column(_column_name(node) or alias or _function_name(node), found.kind, refs, untold=found.untold)]


def _unnested(node: Node) -> list[Node]:
    """unnest(a, b) is an unnest of each."""
    call = node.get("FuncCall", {})
    if _function_name(node) != "unnest" or len(call.get("args", ())) < 2:
        return []
    return [{"FuncCall": {**call, "args": [argument]}} for argument in call["args"]]


def _column_name(node: Node) -> str:
    """The name of the one OUT argument of a function."""
    names = {function.out_names for function in functions(_function_name(node)) if len(function.out_names) == 1}
    return names.pop()[0] if len(names) == 1 else ""


def _function_name(node: Node) -> str:
    ((tag, inner),) = node.items()
    if tag == "FuncCall":
        return str(inner["funcname"][-1]["String"]["sval"])
    return str(inner.get("op", tag)).removeprefix("SVFOP_").lower()


def _defined(context: Context, definitions: Sequence[Node], found: Expr) -> list[Column]:
    made = []
    if found.kind is not None and (found.kind.name != "record" or found.kind.fields is not None):
        remedy = "remove the types"
        context.problem(found.place, "a list of columns with types belongs to a function that returns records", remedy)
    for definition in (each["ColumnDef"] for each in definitions):
        made.append(_typed_column(context, definition["colname"], definition["typeName"], found))
    return made


def _typed_column(context: Context, name: str, type_name: Node, found: Expr) -> Column:
    kind = named_kind(context, type_name)
    untold = kind if isinstance(kind, Untold) else None
    return Column(name, kind if isinstance(kind, Kind) else None, found.refs, untold=untold)


# -- tables of XML and JSON


def _xml_table(context: Context, scope: Scope, node: Node, inner: Node, left: list[Item]) -> list[Item]:
    with scope.reading("from", left):
        parts = [context.expression(scope, inner[name]) for name in ("docexpr", "rowexpr") if name in inner]
        columns = [each["RangeTableFuncCol"] for each in inner["columns"]]
        for column in columns:
            parts += [context.expression(scope, column[name]) for name in ("colexpr", "coldefexpr") if name in column]
    found = _document(context, node, parts)
    made = [
        Column(c["colname"], Kind("int4"), found.refs)
        if c.get("for_ordinality")
        else _typed_column(context, c["colname"], c["typeName"], found)
        for c in columns
    ]
    return [_item(context, scope, node, inner, made, "xmltable")]


def _json_table(context: Context, scope: Scope, node: Node, inner: Node, left: list[Item]) -> list[Item]:
    with scope.reading("from", left):
        parts = values(context, scope, {name: inner[name] for name in ("context_item", "passing") if name in inner})
    found = _document(context, node, parts)
    return [_item(context, scope, node, inner, _json_columns(context, inner["columns"], found), "json_table")]


def _json_columns(context: Context, nodes: Sequence[Node], found: Expr) -> list[Column]:
    made: list[Column] = []
    for column in (each["JsonTableColumn"] for each in nodes):
        if column["coltype"] == "JTC_NESTED":
            made += _json_columns(context, column["columns"], found)
        elif column["coltype"] == "JTC_FOR_ORDINALITY":
            made.append(Column(column["name"], Kind("int4"), found.refs))
        else:
            made.append(_typed_column(context, column["name"], column["typeName"], found))
    return made


def _document(context: Context, node: Node, parts: list[Expr]) -> Expr:
    found = context.made(node, None, ("document", id(node)), parts)
    context.use(found, Use.JOIN)
    return found


_READERS: dict[str, Reader] = {
    "RangeVar": _table,
    "RangeTableSample": _sampled,
    "RangeSubselect": _subquery,
    "RangeFunction": _functions,
    "RangeTableFunc": _xml_table,
    "JsonTable": _json_table,
    "JoinExpr": join,
}
