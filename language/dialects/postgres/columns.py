"""Columns and whole rows, by their names."""

from __future__ import annotations

from collections.abc import Iterable

from language.dialects.postgres.context import Context
from language.dialects.postgres.kinds import Kind
from language.dialects.postgres.parser import Node
from language.dialects.postgres.scope import Column, Expr, Item, Scope
from language.sql.misplaced import is_date_part
from language.text.diagnostics import did_you_mean

_SHOWN = 12


def column(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    names = [part["String"]["sval"] for part in inner["fields"] if "String" in part]
    if any("A_Star" in part for part in inner["fields"]):
        return _whole_row(context, scope, node, tuple(names))
    return _unqualified(context, scope, node, names[0]) if len(names) == 1 else _qualified(context, scope, node, names)


def _unqualified(context: Context, scope: Scope, node: Node, name: str) -> Expr:
    for around in scope.around():
        found = [(item, each) for item in around.visible if item.by_column for each in item.get(name)]
        if len(found) > 1:
            holders = sorted(item.name or "a subquery" for item, _ in found)
            cause = f"`{name}` is ambiguous: {', '.join(holders)} have it"
            return context.failed(node, cause, f"write {holders[0]}.{name}")
        if found:
            return column_expr(context, scope, node, *found[0])
    if any(item.is_called((name,)) for around in scope.around() for item in around.visible):
        return _whole_row(context, scope, node, (name,))
    hidden = next((item for around in scope.around() for item in around.hidden if item.get(name)), None)
    if hidden is not None:
        return context.failed(node, f"`{name}` cannot be read here: it is a column of `{hidden.name}` beside this", _lateral(hidden))
    if is_date_part(context.text.text, *context.places.of(node)):
        return context.failed(node, f"there is no column `{name}` here", f"write it as a text: '{name}'")
    known = [each.name for around in scope.around() for item in around.visible if item.by_column for each in item.columns]
    return context.failed(node, f"there is no column `{name}` here", did_you_mean(name, known) + _listed(known))


def _qualified(context: Context, scope: Scope, node: Node, names: list[str]) -> Expr:
    qualifier, name = tuple(names[:-1]), names[-1]
    item = find_item(scope, qualifier)
    if item is None and len(names) > 2:  # a field of a row
        item = find_item(scope, qualifier[:-1])
        if item is not None and item.get(qualifier[-1]):
            remedy = f"write ({'.'.join(qualifier)}).{name}"
            return context.failed(node, f"a field of a column is written in parentheses: `{'.'.join(names)}` is no column", remedy)
    if item is None:
        return context.failed(node, *_no_table(scope, qualifier))
    found = item.get(name)
    if len(found) > 1:
        return context.failed(
            node, f"`{name}` is ambiguous: `{item.name}` has several of this name", "rename one by AS where it is made"
        )
    if not found:
        known = [each.name for each in item.columns]
        return context.failed(node, f"`{item.name}` has no column `{name}`", did_you_mean(name, known) + _listed(known))
    return column_expr(context, scope, node, item, found[0])


def find_item(scope: Scope, names: tuple[str, ...]) -> Item | None:
    for around in scope.around():
        for item in around.visible:
            if item.is_called(names):
                return item
    return None


def _no_table(scope: Scope, qualifier: tuple[str, ...]) -> tuple[str, str]:
    said = ".".join(qualifier)
    hidden = next((item for around in scope.around() for item in around.hidden if item.is_called(qualifier)), None)
    if hidden is not None:
        return f"`{said}` cannot be read here: it stands beside this", _lateral(hidden)
    known = [item.name for around in scope.around() for item in around.visible if item.name]
    return f"there is no table `{said}` here", did_you_mean(qualifier[-1], known) + "name one that FROM names"


def _lateral(item: Item) -> str:
    return f"write LATERAL before the subquery, and after `{item.name}`"


def column_expr(context: Context, scope: Scope, node: Node, item: Item, found: Column) -> Expr:
    place = context.places.of(node)
    key = ("column", found.identity)
    made = Expr(found.kind, place, key, (), found.refs, found.origin, "column", item.scope, found.is_input, untold=found.untold)
    if found.is_input:
        for ref in found.refs:
            context.name(ref, place)
    _remember_outer(scope, item, made)
    return made


def _remember_outer(scope: Scope, item: Item, made: Expr) -> None:
    for around in scope.around():
        if around is item.scope:
            return
        around.outer.append(made)


def _whole_row(context: Context, scope: Scope, node: Node, names: tuple[str, ...]) -> Expr:
    item = find_item(scope, names)
    if item is None:
        return context.failed(node, *_no_table(scope, names))
    parts = [column_expr(context, scope, node, item, each) for each in item.columns]
    if item.is_value:
        return parts[0]
    kind = Kind("record", fields=tuple((each.name, each.kind) for each in item.columns))
    made = context.made(node, kind, ("whole", id(item)), parts)
    made.untold = None
    return made


def _listed(known: Iterable[str]) -> str:
    names = sorted(dict.fromkeys(known))
    shown = ", ".join(names[:_SHOWN])
    return f"it has {shown}{' …' if len(names) > _SHOWN else ''}" if names else "name one that there is"
