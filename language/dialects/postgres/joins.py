"""Joins: which columns USING and NATURAL make one, and what the condition may name."""

from __future__ import annotations

from language.dialects.postgres.context import Context
from language.dialects.postgres.conversion import common_type
from language.dialects.postgres.kinds import Kind
from language.dialects.postgres.operators import condition, operate
from language.dialects.postgres.parser import Node
from language.dialects.postgres.places import Place
from language.dialects.postgres.scope import NO_REFS, Column, Expr, Item, Scope
from language.dialects.postgres.spelling import spelled
from shared_metadata.program.lineage import Use


def join(context: Context, scope: Scope, node: Node, inner: Node, before: list[Item]) -> list[Item]:
    """The items of both sides; of a join with an alias that alone."""
    from language.dialects.postgres.from_clause import refuse_twins, source

    left = source(context, scope, inner["larg"], before)
    within = [*before, *left] if inner["jointype"] in ("JOIN_INNER", "JOIN_LEFT") else before
    right = source(context, scope, inner["rarg"], within)
    refuse_twins(context, inner["rarg"], left, right)
    if "quals" in inner:
        with scope.reading("join", [*left, *right]):
            found = context.expression(scope, inner["quals"])
        condition(context, found)
        context.use(found, Use.JOIN)
    merged = _merged(context, scope, inner, left, right)
    alias = inner.get("alias", {}).get("aliasname")
    using_alias = inner.get("join_using_alias", {}).get("aliasname")
    if not merged and alias is None:
        return [*left, *right]
    rest = [column for side in (left, right) for item in side if item.by_column for column in item.columns]
    joined = Item((alias,) if alias else (), [*merged, *(c for c in rest if c.name not in {m.name for m in merged})], scope)
    if alias is not None:
        return [_aliased(joined, alias, inner)]
    for item in (*left, *right):
        item.by_column = False
    extra = [Item((using_alias,), list(merged), scope, by_column=False)] if using_alias else []
    return [joined, *left, *right, *extra]


def _aliased(joined: Item, alias: str, inner: Node) -> Item:
    called = [each["String"]["sval"] for each in inner["alias"].get("colnames", ())]
    copied = [Column(c.name, c.kind, c.refs, c.origin, "", c.untold, c.is_input, c) for c in joined.columns]
    for column, renamed in zip(copied, called, strict=False):
        column.name = renamed
    for column in copied:
        column.spelled = f"{spelled(alias)}.{spelled(column.name)}"
    return Item((alias,), copied, joined.scope)


def _merged(context: Context, scope: Scope, inner: Node, left: list[Item], right: list[Item]) -> list[Column]:
    """The columns that both sides have, each once."""
    places: dict[str, Place] = {}
    if "usingClause" in inner:
        names = [each["String"]["sval"] for each in inner["usingClause"]]
        places = _using_places(context, inner, names)
    elif inner.get("isNatural"):
        others = _names(right)
        names = [name for name in _names(left) if name in others]
    else:
        return []
    found = []
    for name in names:
        place = places.get(name) or context.places.of(inner["rarg"])
        sides = [_only(context, side, name, place) for side in (left, right)]
        if sides[0] is not None and sides[1] is not None:
            found.append(_one(context, inner, name, place, sides[0], sides[1]))
    return found


def _names(items: list[Item]) -> list[str]:
    return list(dict.fromkeys(column.name for item in items if item.by_column for column in item.columns))


def _only(context: Context, items: list[Item], name: str, place: Place) -> Column | None:
    found = [column for item in items if item.by_column for column in item.get(name)]
    if not found:
        context.problem(place, f"not both sides of the join have `{name}`", "join ON a condition")
    elif len(found) > 1:
        context.problem(place, f"`{name}` is ambiguous: one side of the join has several", "join ON a condition")
    return found[0] if len(found) == 1 else None


def _one(context: Context, inner: Node, name: str, place: Place, left: Column, right: Column) -> Column:
    for column in (left, right):
        for ref in column.refs:
            if column.is_input:
                context.name(ref, place)
            context.use_ref(ref, Use.JOIN, place)
    one, other = (Expr(c.kind, place, ("column", id(c)), untold=c.untold, tag="column") for c in (left, right))
    operate(context, {"A_Expr": {"args": [inner["larg"], inner["rarg"]]}}, "=", one, other)
    kept = {"JOIN_RIGHT": right, "JOIN_FULL": None}.get(inner["jointype"], left)
    if kept is not None:
        return Column(name, kept.kind, kept.refs, kept.origin, spelled(name), kept.untold, kept.is_input, kept)
    kind = left.kind
    if left.kind is not None and right.kind is not None and left.kind != right.kind:
        both = common_type([left.kind.name, right.kind.name])
        kind = Kind(both) if both is not None else None
    return Column(name, kind, NO_REFS.union(left.refs, right.refs), None, spelled(name), left.untold)


def _using_places(context: Context, inner: Node, names: list[str]) -> dict[str, Place]:
    """Where USING names each; the tree does not tell."""
    words = context.text.words
    end = context.places.of(inner["rarg"])[1]
    first = next((n for n, word in enumerate(words) if word.start >= end and word.upper == "USING"), None)
    if first is None:
        return {}
    inside = [word for word in words[first + 2 : first + 2 + 2 * len(names)] if word.text not in ",)"]
    return {name: (word.start, word.end) for name, word in zip(names, inside, strict=False)}
