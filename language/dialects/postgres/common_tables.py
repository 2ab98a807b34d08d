"""WITH: each query under its name, also those that read themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence

from language.dialects.postgres.context import Context
from language.dialects.postgres.kinds import TEXT, UNKNOWN
from language.dialects.postgres.parser import Node
from language.dialects.postgres.scope import Column, CommonTable, Expr, Output, Scope

_ROUNDS = 50  # of a recursion's lineage; it ends when nothing is found any more


def read_with(context: Context, scope: Scope, node: Node) -> None:
    """Puts the WITH clause's queries into the scope."""
    nodes = [each["CommonTableExpr"] for each in node["ctes"]]
    seen: set[str] = set()
    for each in nodes:
        if each["ctename"] in seen:
            place = context.places.names(each["location"], 1)[0]
            context.problem(place, f"two queries of WITH are called `{each['ctename']}`", "rename one of them")
        seen.add(each["ctename"])
    for each in _ordered(nodes) if node.get("recursive") else nodes:
        _read(context, scope, each, recursive=bool(node.get("recursive")))


def _ordered(nodes: Sequence[Node]) -> list[Node]:
    """Each after those that it reads: with RECURSIVE they may stand in any order."""
    left, found = list(nodes), list[Node]()
    while left:
        names = {each["ctename"] for each in left}
        ready = next((each for each in left if not _reads(each, names - {each["ctename"]})), left[0])
        found.append(ready)
        left.remove(ready)
    return found


def _reads(node: Node, names: set[str]) -> bool:
    text = json.dumps(node["ctequery"])
    return any(f'"relname": {json.dumps(name)}' in text for name in names)


def _read(context: Context, scope: Scope, node: Node, *, recursive: bool) -> None:
    name, query = node["ctename"], node["ctequery"].get("SelectStmt")
    if query is None:
        context.problem(context.places.names(node["location"], 1)[0], "a query only reads", "remove INSERT, UPDATE or DELETE")
        scope.tables[name] = CommonTable([])
        return
    if recursive and _reads(node, {name}):
        _recursive(context, scope, node, query)
        return
    outputs, _ = context.query(query, scope)
    scope.tables[name] = CommonTable(_columns(context, node, outputs))


def _recursive(context: Context, scope: Scope, node: Node, query: Node) -> None:
    """What it begins with says the types; what flows around the circle is found by going around it."""
    name = node["ctename"]
    if query.get("op") != "SETOP_UNION":
        remedy = "write what it begins with, UNION ALL, and what follows from it"
        context.problem(context.places.names(node["location"], 1)[0], f"`{name}` reads itself without UNION", remedy)
        scope.tables[name] = CommonTable([])
        return
    from language.dialects.postgres.select import combine

    inner = Scope(scope)
    if "withClause" in query:
        read_with(context, inner, query["withClause"])
    first, _ = context.query(query["larg"], inner)
    columns = _columns(context, node, first)
    for _ in range(_ROUNDS):
        scope.tables[name] = CommonTable(columns)
        following, _ = context.query(query["rarg"], inner)
        refs = [column.refs | output.expr.refs for column, output in zip(columns, following, strict=False)]
        if len(refs) != len(columns) or refs == [column.refs for column in columns]:
            break
        for column, found in zip(columns, refs, strict=True):
            column.refs = found
    combine(context, query, first, following)
    _check_types(context, columns, following)


def _check_types(context: Context, columns: Sequence[Column], following: Sequence[Output]) -> None:
    for column, output in zip(columns, following, strict=False):
        kind = output.expr.kind
        if None not in (kind, column.kind) and kind != UNKNOWN and kind != column.kind and not _becomes(output.expr, column):
            said = f"`{column.name}` begins as {column.kind} and goes on as {kind}"
            remedy = f"write CAST({context.said(output.expr.place)} AS {column.kind}), or CAST what it begins with"
            context.problem(output.place, said, remedy)


def _becomes(expr: Expr, column: Column) -> bool:
    """Whether UNION keeps the type with which it begins."""
    from language.dialects.postgres.conversion import common_type

    if expr.kind is None or column.kind is None:
        return True
    same = common_type([column.kind.name, expr.kind.name]) == column.kind.name
    return same and not (column.kind.modifier and expr.kind != column.kind)


def _columns(context: Context, node: Node, outputs: Sequence[Output]) -> list[Column]:
    found = [output.column(TEXT if output.expr.kind == UNKNOWN else output.expr.kind) for output in outputs]
    called = [each["String"]["sval"] for each in node.get("aliascolnames", ())]
    if len(called) > len(found) and outputs:
        place = context.places.names(node["location"], 1)[0]
        context.problem(
            place, f"`{node['ctename']}` has {len(found)} columns, and {len(called)} are named", "name no more than there are"
        )
    for column, name in zip(found, called, strict=False):
        column.name = name
    for clause in ("search_clause", "cycle_clause"):
        found += _marks(node.get(clause, {}))
    return found


def _marks(clause: Node) -> list[Column]:
    """The columns that SEARCH and CYCLE add."""
    from language.dialects.postgres.kinds import BOOL, Kind

    found = []
    if "search_seq_column" in clause:
        found.append(Column(clause["search_seq_column"], Kind("record" if clause.get("search_breadth_first") else "_record")))
    if "cycle_mark_column" in clause:
        found += [Column(clause["cycle_mark_column"], BOOL), Column(clause["cycle_path_column"], Kind("_record"))]
    return found
