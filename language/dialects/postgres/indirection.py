"""What is taken out of a value: (row).field, array[1], array[1:2], document['key']."""

from __future__ import annotations

from language.dialects.postgres.context import Context
from language.dialects.postgres.conversion import converts
from language.dialects.postgres.kinds import RECORD, UNKNOWN, element_of
from language.dialects.postgres.operators import cast_remedy
from language.dialects.postgres.parser import Node
from language.dialects.postgres.scope import Expr, Scope


def indirect(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    found = context.expression(scope, inner["arg"])
    for step in inner["indirection"]:
        ((tag, what),) = step.items()
        if tag == "String":
            found = _field(context, node, found, what["sval"])
        elif tag == "A_Indices":
            found = _subscript(context, scope, node, found, what)
        else:
            return context.failed(node, "a row's columns can only be taken apart in the SELECT", "name one of them")
    return found


def _field(context: Context, node: Node, row: Expr, name: str) -> Expr:
    if row.kind is None:
        return context.made(node, None, ("field", name), [row])
    if row.kind.fields is None:
        if row.kind.is_own or row.kind == RECORD:
            return context.untold(node, f"the type of the field `{name}` cannot be told", [row])
        return context.failed(node, f"{context.describe(row)} has no fields", "leave the field out", [row])
    if name not in dict(row.kind.fields):
        known = ", ".join(field for field, _ in row.kind.fields)
        return context.failed(node, f"the row has no field `{name}`", f"it has {known}", [row])
    return context.made(node, dict(row.kind.fields)[name], ("field", name), [row])


def _subscript(context: Context, scope: Scope, node: Node, found: Expr, indices: Node) -> Expr:
    parts = [context.expression(scope, indices[name]) for name in ("lidx", "uidx") if name in indices]
    for part in parts:
        context_name = found.kind.name if found.kind is not None else ""
        if context_name != "jsonb" and part.kind not in (None, UNKNOWN) and not converts(part.kind.name, "int4", "a"):
            context.problem(
                part.place, f"an array's elements are numbered, and this is {part.kind}", cast_remedy(context, part, None, "int4")
            )
    key = ("element", bool(indices.get("is_slice")))
    if found.kind is None or found.kind.name == "jsonb" or indices.get("is_slice"):
        return context.made(node, found.kind, key, [found, *parts])
    element = element_of(found.kind)
    if element is None:
        return context.failed(node, f"{context.describe(found)} has no elements", "take an array or jsonb", [found, *parts])
    return context.made(node, element, key, [found, *parts])
