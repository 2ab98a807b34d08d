"""What is within a value: elements of lists and maps, fields of structs; and such values as they are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from language.sql.scope import NOTHING, Typed, refs_of
from shared_metadata.program.type_names import TypeName

if TYPE_CHECKING:
    from language.sql.listed.expressions import Expressions


def element(of: Expressions, node: exp.Bracket) -> Typed:
    """An element of a list, or a value of a map."""
    inner, at = of.typed(node.this), [of.typed(part) for part in node.expressions]
    refs = refs_of([inner, *at])
    if inner.kind is None or len(at) != 1 or at[0].kind is None:
        return Typed(None, refs)
    wanted = {"array": of.types.long, "map": inner.kind.parts[0] if inner.kind.parts else None}.get(inner.kind.word)
    if wanted is None or not of.types.becomes(at[0].kind, wanted):
        cause = f"there is no {of.types.said(inner.kind)}[{of.types.said(at[0].kind)}]"
        of.findings.problem(node, cause, "write list[1], or map['key'], each with a key of its type")
        return Typed(None, refs)
    return Typed(inner.kind.parts[-1], refs)


def variable(of: Expressions, node: exp.Identifier) -> Typed:
    """A parameter of a lambda."""
    return of.variables.get(node.name.lower(), NOTHING)


def dotted(of: Expressions, node: exp.Dot) -> Typed:
    """A field of what is no column: of an element, of what a function gives, of a parameter."""
    inner, name = of.typed(node.this), node.expression.name.lower()
    if inner.kind is None:
        return inner
    kind = field(inner.kind, (name,))
    if kind is None:
        names = ", ".join(inner.kind.fields)
        cause = f"{of.types.said(inner.kind)} has no field `{name}`"
        of.findings.problem(node, cause, f"name one of {names}" if names else "name a field of a struct")
    return Typed(kind, inner.refs)


def field(kind: TypeName | None, names: Sequence[str]) -> TypeName | None:
    """The type of a field by the names that lead to it; None where there is none."""
    for name in names:
        kind = {each.lower(): part for each, part in kind.named()}.get(name) if kind is not None and kind.fields else None
    return kind


def array(of: Expressions, node: exp.Array) -> Typed:
    """A list as it is written, ARRAY[…]."""
    found = [of.typed(part) for part in node.expressions]
    kind = of.together(node, found, "this holds") if found else TypeName("unknown")
    return Typed(TypeName("array", (kind,)) if kind is not None else None, refs_of(found), False)
