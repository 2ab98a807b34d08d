"""What a statement says of its columns' types by a CAST around each: the slice casts these, so that what does not fit is told.

Only where it makes no difference whether the rows or what is made of them are cast: see ADR 34.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from language.dialects.postgres.kinds import MAX_PRECISION
from language.dialects.postgres.parser import Node
from language.dialects.postgres.query import PostgresQuery, inner_nodes, is_aggregate
from language.dialects.postgres.targets import output_name
from language.dialects.postgres.type_words import is_nested, nested_name
from language.sql.problems import QueryProblem
from language.text.diagnostics import Span


@dataclass(frozen=True)
class Declared:
    """types: of each output column that is cast, the type as in a schema.  edits: take these casts out of the text."""

    types: Mapping[str, str]
    edits: tuple[tuple[Span, str], ...]


def declared_types(query: PostgresQuery) -> Declared:
    types: dict[str, str] = {}
    edits: list[tuple[Span, str]] = []
    for name, type_name, value in _casts(query.statement):
        types[name.lower()] = type_name
        outer, inner = (query.at(query.places.of(node)) for node in (value, value["TypeCast"]["arg"]))
        edits += [(Span(outer.source, outer.start, inner.start), "")] * (outer.start < inner.start)
        edits += [(Span(outer.source, inner.end, outer.end), "")] * (inner.end < outer.end)
    return Declared(types, tuple(edits))


def misplaced(query: PostgresQuery) -> Iterator[QueryProblem]:
    """Casts to lists, maps and structs that the source would have to make."""
    declared = [value["TypeCast"] for _, _, value in _casts(query.statement)]
    for cast in inner_nodes(query.statement, "TypeCast"):
        name = cast["typeName"].get("names", [{}])[-1].get("String", {}).get("sval", "")
        if is_nested(name) and nested_name(name) and not any(cast is each for each in declared):
            place = query.places.of({"TypeCast": cast})
            remedy = "write it around a column of the SELECT that nothing else of the query names, and take it apart in a view"
            yield QueryProblem(*place, "a list, map or struct cannot be made here", remedy)


def _casts(statement: Node) -> Iterator[tuple[str, str, Node]]:
    """Each output column that is cast to a type of its own: name, type, expression."""
    if "targetList" not in statement or "distinctClause" in statement:
        return
    ordered = [each["SortBy"]["node"] for each in statement.get("sortClause", ())]
    named = str([*statement.get("groupClause", ()), *ordered])
    for number, target in enumerate(each["ResTarget"] for each in statement["targetList"]):
        name, value = output_name(target), target["val"]
        type_name = _type_name(value.get("TypeCast", {}).get("typeName", {}))
        referred = f"'sval': {name!r}" in named or f"'ival': {{'ival': {number + 1}}}" in named
        if "groupClause" in statement and not any(map(is_aggregate, inner_nodes({"in": value}, "FuncCall"))):
            referred = True  # what is grouped by may be this very expression
        if name is not None and type_name and not referred:
            yield name, type_name, value


def _type_name(node: Node) -> str:
    """'decimal(38,9)' of DECIMAL(38, 9), 'struct<a: int>' of "struct<a: int>"; '' for a type that the source's own cast makes."""
    names = [part["String"]["sval"] for part in node.get("names", ())]
    if len(names) == 1 and is_nested(names[0]):
        return nested_name(names[0]) or ""
    sizes = [size.get("A_Const", {}).get("ival", {}).get("ival", 0) for size in node.get("typmods", ())]
    if names != ["pg_catalog", "numeric"] or not sizes or node.get("arrayBounds"):
        return ""
    precision, scale = sizes[0], sizes[1] if len(sizes) > 1 else 0
    return f"decimal({precision},{scale})" if 0 <= scale <= precision <= MAX_PRECISION else ""
