"""Operators, what they take, and which CAST helps where they do not take it."""

from __future__ import annotations

from collections.abc import Sequence

from language.dialects.postgres import catalogue
from language.dialects.postgres.context import Context
from language.dialects.postgres.conversion import EXPLICIT, accepts, common_type, converts
from language.dialects.postgres.kinds import BOOL, TEXT, UNKNOWN, Kind, element_of
from language.dialects.postgres.parser import Node
from language.dialects.postgres.resolution import Call, find_operator
from language.dialects.postgres.scope import Expr, Scope

_TRUE_OR_FALSE = frozenset({"AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT", "AEXPR_IN", "AEXPR_OP_ANY", "AEXPR_OP_ALL"})
_BETWEEN = frozenset({"AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN", "AEXPR_BETWEEN_SYM", "AEXPR_NOT_BETWEEN_SYM"})
_WRITTEN = {"~~": "LIKE", "!~~": "NOT LIKE", "~~*": "ILIKE", "!~~*": "NOT ILIKE"}
# To which types a CAST is advised, the likeliest first.
_SENSIBLE = (
    "numeric",
    "int4",
    "int8",
    "float8",
    "text",
    "date",
    "timestamptz",
    "timestamp",
    "interval",
    "bool",
    "jsonb",
    "uuid",
    "int2",
)
_NUMBERS, _TIMES = (
    frozenset({"int2", "int4", "int8", "numeric", "float4", "float8"}),
    frozenset({"interval", "time", "timestamp", "timestamptz", "date"}),
)


def operation(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    names = [part["String"]["sval"] for part in inner["name"]]
    kind = inner.get("kind", "AEXPR_OP")
    left = context.expression(scope, inner["lexpr"]) if "lexpr" in inner else None
    if kind in _BETWEEN:
        return _between(context, scope, node, inner, left)
    if kind == "AEXPR_IN":
        return _listed(context, scope, node, inner, left, names[-1])
    right = context.expression(scope, inner["rexpr"])
    if len(names) > 1 and names[0] != "pg_catalog":
        return context.untold(node, f"what the operator {'.'.join(names)} gives cannot be told", [e for e in (left, right) if e])
    if kind in ("AEXPR_OP_ANY", "AEXPR_OP_ALL"):
        return _any(context, node, names[-1], left, right)
    made = operate(context, node, names[-1], left, right)
    if kind == "AEXPR_NULLIF":
        return _nullif(context, node, left, right, made)
    if kind in _TRUE_OR_FALSE:
        made.kind = BOOL
    made.key = (kind, made.key)
    return made


def operate(context: Context, node: Node, name: str, left: Expr | None, right: Expr) -> Expr:
    """left: None of a prefix operator."""
    parts = [part for part in (left, right) if part is not None]
    if left is not None and _are_rows(left, right):
        return _compared_rows(context, node, name, left, right)
    kind, problem = _result(context, name, left, right)
    if problem is not None:
        problem = _as_written_elsewhere(context, node, name, *problem)
        return context.failed(node, *problem, parts)
    if kind is None and all(part.kind is not None for part in parts):
        return context.untold(node, f"what `{name}` gives of these cannot be told", parts)
    return context.made(node, kind, ("operator", name), parts)


def _result(context: Context, name: str, left: Expr | None, right: Expr) -> tuple[Kind | None, tuple[str, str] | None]:
    """The type, or what is wrong; neither where it cannot be told."""
    known = [part.kind for part in (left, right) if part is not None]
    if any(kind is None for kind in known):
        return _only_result(name, left is None), None
    found = find_operator(name, left.kind.name if left is not None and left.kind else "", right.kind.name if right.kind else "")
    if isinstance(found, Call):
        for part, taken in zip((part for part in (left, right) if part is not None), found.arguments, strict=False):
            context.read_as(part, taken)
        return (Kind(found.returns) if found.returns else None), None
    if not catalogue.operators(name):
        return None, (f"there is no operator `{name}` in PostgreSQL", "write one that it has")
    if any(kind is not None and kind.is_own for kind in known):
        return _only_result(name, left is None), None
    return None, _refusal(context, name, left, right, found)


def _as_written_elsewhere(context: Context, node: Node, name: str, cause: str, remedy: str) -> tuple[str, str]:
    """What is wrong with an operator; the remedy for one that another engine has by that name is what says the same here."""
    from language.dialects.postgres.misread import foreign

    found = foreign(f"SELECT {context.said(context.places.of(node))}") if not name.isalpha() else None
    return cause, found.remedy if found is not None and name in found.words else remedy


def _only_result(name: str, prefix: bool) -> Kind | None:
    """What an operator gives whatever it takes, if that is one type."""
    found = {operator.result for operator in catalogue.operators(name) if bool(operator.left) != prefix}
    return Kind(found.pop()) if len(found) == 1 else None


def _refusal(context: Context, name: str, left: Expr | None, right: Expr, found: str) -> tuple[str, str]:
    parts = [part for part in (left, right) if part is not None]
    said = " and ".join(map(context.describe, parts))
    if name in ("=", "<>", "<", ">", "<=", ">=") and left is not None:
        cause = f"{context.describe(left)} cannot be compared with {context.describe(right)}"
    else:
        cause = f"`{_WRITTEN.get(name, name)}` does not take {said}"
    if found == "several":
        cause = f"`{name}` of {said} may mean several things"
    signatures = [
        ((o.left, o.right) if o.left else (o.right,)) for o in catalogue.operators(name) if bool(o.left) == (left is not None)
    ]
    return cause, casts_remedy(context, parts, signatures)


def casts_remedy(context: Context, parts: Sequence[Expr], signatures: Sequence[tuple[str, ...]]) -> str:
    """The fewest CASTs with which one of the signatures takes the parts; of several, to the type of what stands beside."""
    given = [part.kind.name if part.kind is not None else UNKNOWN.name for part in parts]
    best: tuple[tuple[int, int], list[str]] | None = None
    for declared in (each for each in signatures if len(each) == len(parts)):
        changed = [n for n, (wanted, name) in enumerate(zip(declared, given, strict=True)) if not accepts(wanted, name)]
        if not changed or not all(declared[n] in _SENSIBLE and converts(given[n], declared[n], EXPLICIT) for n in changed):
            continue
        apart = sum(_SENSIBLE.index(declared[n]) + 20 * (declared[n] not in given) for n in changed)
        rank = (len(changed), apart + 50 * sum(wanted not in (name, "any") for wanted, name in zip(declared, given, strict=True)))
        if best is None or rank < best[0]:
            best = rank, [_cast_of(context, parts[n], Kind(declared[n])) for n in changed]
    if best is not None and len(best[1]) < max(len(parts), 2):
        return f"write {' and '.join(best[1])}"
    return _seconds(context, parts) or "CAST them to types that it takes" * bool(signatures) or "write another"


def _seconds(context: Context, parts: Sequence[Expr]) -> str:
    """Times and numbers go together as seconds."""
    kinds = [part.kind.name if part.kind is not None else "" for part in parts]
    times = [part for part, kind in zip(parts, kinds, strict=True) if kind in _TIMES]
    if len(times) == 1 and any(kind in _NUMBERS for kind in kinds):
        return f"make seconds of it: extract(epoch FROM {context.said(times[0].place)})"
    return ""


def _cast_of(context: Context, part: Expr, kind: Kind) -> str:
    return f"CAST({context.said(part.place)} AS {kind})"


def cast_remedy(context: Context, part: Expr, beside: Expr | None, wanted: str = "") -> str:
    """The CAST by which one expression goes with another, or has the type that is wanted."""
    kind = Kind(wanted) if wanted else beside.kind if beside is not None else None
    if kind is None or part.kind is None:
        return "CAST it to the type that it is to have"
    if converts(part.kind.name, kind.name, EXPLICIT) and not (beside is not None and kind.name in ("text", "varchar", "bpchar")):
        return f"write {_cast_of(context, part, kind.plain())}"
    if beside is not None and converts(kind.name, part.kind.name, EXPLICIT) and part.kind != TEXT and beside.place != (0, 0):
        return f"write {_cast_of(context, beside, part.kind.plain())}"
    if converts(part.kind.name, kind.name, EXPLICIT):
        return f"write {_cast_of(context, part, kind.plain())}"
    if beside is not None and (found := _seconds(context, [part, beside])):
        return found
    both = [each for each in (part, beside) if each is not None and each.kind != TEXT]
    return f"write {' and '.join(_cast_of(context, each, TEXT) for each in both)}"


def condition(context: Context, part: Expr) -> None:
    """A problem where it is neither true nor false."""
    if part.kind in (None, BOOL, UNKNOWN) or (part.kind is not None and part.kind.is_own):
        return
    said = context.said(part.place)
    name = part.kind.name if part.kind is not None else ""
    remedy = f"compare it, as in {said} <> 0" if name in _NUMBERS else "compare it with something"
    if name in ("text", "varchar", "bpchar"):
        remedy = f"compare it with something, or write CAST({said} AS boolean)"
    context.problem(part.place, f"a condition is true or false, and this is {context.describe(part)}", remedy)


def _between(context: Context, scope: Scope, node: Node, inner: Node, left: Expr | None) -> Expr:
    assert left is not None
    ends = context.expressions(scope, inner["rexpr"]["List"]["items"])
    for end, name in zip(ends, (">=", "<="), strict=True):
        operate(context, {"A_Expr": {"args": [inner["lexpr"], inner["rexpr"]["List"]["items"][name == "<="]]}}, name, left, end)
    return context.made(node, BOOL, ("between", inner["kind"]), [left, *ends])


def _listed(context: Context, scope: Scope, node: Node, inner: Node, left: Expr | None, name: str) -> Expr:
    assert left is not None
    items = inner["rexpr"]["List"]["items"]
    parts = context.expressions(scope, items)
    for item, part in zip(items, parts, strict=True):
        if part.kind == UNKNOWN:
            context.read_as(part, left.kind.name if left.kind is not None else "")
        else:
            operate(context, {"A_Expr": {"args": [inner["lexpr"], item]}}, "=", left, part)
    return context.made(node, BOOL, ("in", name), [left, *parts])


def _any(context: Context, node: Node, name: str, left: Expr | None, right: Expr) -> Expr:
    assert left is not None
    parts = [left, right]
    if right.kind is None or left.kind is None or right.kind == UNKNOWN or right.kind.is_own:
        context.read_as(right, left.kind.name if left.kind is not None else "")
        return context.made(node, BOOL, ("any", name), parts)
    element = element_of(right.kind)
    if element is None:
        remedy = "give ANY an array, as in ANY(ARRAY[1, 2]), or a subquery; one value is compared without ANY"
        return context.failed(node, f"ANY and ALL take an array, not {context.describe(right)}", remedy, parts)
    operate(context, node, name, left, Expr(element, right.place, ("element", right.key)))
    return context.made(node, BOOL, ("any", name), parts)


def _nullif(context: Context, node: Node, left: Expr | None, right: Expr, made: Expr) -> Expr:
    """The type of the left side, as the comparison takes it."""
    assert left is not None
    if made.kind is None or left.kind is None or right.kind is None:
        return context.made(node, left.kind if made.kind is not None else None, ("nullif",), [left, right])
    found = find_operator("=", left.kind.name, right.kind.name)
    taken = found.arguments[0] if isinstance(found, Call) and found.arguments else left.kind.name
    return context.made(node, left.kind if taken == left.kind.name or taken == "record" else Kind(taken), ("nullif",), [left, right])


def _are_rows(left: Expr, right: Expr) -> bool:
    rows = [part.kind is not None and part.kind.fields is not None and part.key[0] == "row" for part in (left, right)]
    return all(rows)


def _compared_rows(context: Context, node: Node, name: str, left: Expr, right: Expr) -> Expr:
    if len(left.parts) != len(right.parts):
        cause = f"a row of {len(left.parts)} values is compared with one of {len(right.parts)}"
        return context.failed(node, cause, "compare rows of the same width", [left, right])
    for one, other in zip(left.parts, right.parts, strict=True):
        operate(context, node, name, one, other)
    return context.made(node, BOOL, ("rows", name), [left, right])


def united(context: Context, name: str, one: Expr, other: Expr) -> Kind | None:
    """The type of a set operation's column."""
    if one.kind is None or other.kind is None:
        return None
    found = common_type([one.kind.name, other.kind.name])
    if found is None or not all(kind == UNKNOWN or kind.is_own or converts(kind.name, found) for kind in (one.kind, other.kind)):
        cause = f"`{name}` is {one.kind} on one side and {other.kind} on the other"
        context.problem(other.place, cause, cast_remedy(context, other, one))
        return None
    return one.kind if one.kind == other.kind and one.kind != UNKNOWN else Kind(found)
