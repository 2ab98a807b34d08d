"""CAST: what becomes a value of another type, and by way of which third one where it does not."""

from __future__ import annotations

from language.dialects.postgres.context import Context
from language.dialects.postgres.conversion import EXPLICIT, converts
from language.dialects.postgres.kinds import UNKNOWN, Kind, element_of, is_array
from language.dialects.postgres.parser import Node
from language.dialects.postgres.scope import Expr, Scope, Untold
from language.dialects.postgres.type_words import is_nested, named_kind


def cast(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    target = named_kind(context, inner["typeName"])
    argument = _cast_argument(context, scope, inner["arg"], target)
    if target is None:
        return context.broken(node, [argument])
    if isinstance(target, Untold):
        found = context.broken(node, [argument])
        found.untold = target
        return found
    context.read_as(argument, target.name)
    if argument.kind == target:
        return argument
    if is_nested(target.name) and argument.kind not in (None, Kind("jsonb")):
        remedy = f"make jsonb of it first: CAST({context.said(argument.place)} AS jsonb)"
        return context.failed(node, f"only jsonb becomes a list, map or struct, not {context.describe(argument)}", remedy, [argument])
    known = argument.kind if argument.kind != UNKNOWN else None
    if known is not None and not _casts(known, target):
        cause = f"{context.describe(argument)} cannot be cast to {target}"
        return context.failed(node, cause, _cast_ways(context, argument, known, target), [argument])
    return context.made(node, target, ("cast", target), [argument])


def _casts(source: Kind, target: Kind) -> bool:
    if source.name in ("record", "_record"):
        return target.name in (source.name, "text", "varchar", "bpchar", "name")
    return source.is_own or converts(source.name, target.name, EXPLICIT)


def _cast_ways(context: Context, argument: Expr, source: Kind, target: Kind) -> str:
    """What to do where one type does not become another: by way of a third, if there is one."""
    said = context.said(argument.place)
    for way in ("integer", "text", "numeric", "timestamp"):
        between = {"integer": "int4"}.get(way, way)
        if way != "text" and converts(source.name, between, EXPLICIT) and converts(between, target.name, EXPLICIT):
            return f"write CAST(CAST({said} AS {way}) AS {target})"
    return f"cast it to another type; its text is CAST({said} AS text)"


def _cast_argument(context: Context, scope: Scope, node: Node, target: Kind | Untold | None) -> Expr:
    """An array that is written out takes the type to which it is cast."""
    if "A_ArrayExpr" in node and isinstance(target, Kind) and is_array(target.name):
        element = element_of(target)
        parts = [
            _cast_argument(context, scope, each, target if "A_ArrayExpr" in each else element)
            for each in node["A_ArrayExpr"].get("elements", ())
        ]
        for part in parts:
            context.read_as(part, target.name)
        return context.made(node, target.plain(), ("array",), parts)
    return context.expression(scope, node)
