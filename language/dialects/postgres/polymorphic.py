"""What the polymorphic types among a function's arguments stand for: anyelement, anyarray, anycompatible and their like.

https://www.postgresql.org/docs/current/extend-type-system.html#EXTEND-TYPES-POLYMORPHIC
"""

from __future__ import annotations

from collections.abc import Sequence

from language.dialects.postgres import catalogue
from language.dialects.postgres.conversion import ANY_IN_COMMON, ANY_OF_ONE, POLYMORPHIC, UNKNOWN, common_type, converts


def consistent(declared: Sequence[str], given: Sequence[str]) -> dict[str, str] | None:
    """What the polymorphic types among the arguments stand for; None where they contradict each other."""
    pairs = [(name, kind) for name, kind in zip(declared, given, strict=False) if name in POLYMORPHIC]
    if not pairs:
        return {}
    one = _of_one([(name, kind) for name, kind in pairs if name in ANY_OF_ONE])
    other = _in_common([(name, kind) for name, kind in pairs if name in ANY_IN_COMMON])
    return {**one, **other} if one is not None and other is not None else None


def _of_one(pairs: Sequence[tuple[str, str]]) -> dict[str, str] | None:
    elements: set[str] = set()
    found: dict[str, set[str]] = {"array": set(), "range": set(), "multirange": set()}
    for name, kind in pairs:
        if kind == UNKNOWN:
            continue
        base = name.removeprefix("any")
        if base in found:
            found[base].add(kind)
            elements |= {_inner(kind)}
        else:
            elements.add(kind)
    if any(len(kinds) > 1 for kinds in found.values()) or len(elements) > 1:
        return None
    if not elements:
        return {}
    return _family("any", elements.pop(), found)


def _in_common(pairs: Sequence[tuple[str, str]]) -> dict[str, str] | None:
    elements: list[str] = []
    found: dict[str, set[str]] = {"array": set(), "range": set(), "multirange": set()}
    for name, kind in pairs:
        base = name.removeprefix("anycompatible")
        if kind != UNKNOWN:
            elements.append(_inner(kind) if base in found else kind)
            if base in ("range", "multirange"):
                found[base].add(kind)
    if any(len(kinds) > 1 for kinds in found.values()):
        return None
    common = common_type(elements) if elements else ("text" if pairs else "")
    if not common:
        return None if pairs else {}
    if not all(converts(kind, common) for kind in elements):
        return None
    return _family("anycompatible", common, found)


def _inner(kind: str) -> str:
    """The element of an array, range or multirange."""
    found = catalogue.types().get(kind)
    if found is None:
        return kind.removesuffix("[]")
    if found.kind == "m":
        return _inner(found.subtype)
    return found.subtype if found.kind == "r" else found.element


def _family(prefix: str, element: str, found: dict[str, set[str]]) -> dict[str, str]:
    """The types that belong to one element; '' for what is not known."""
    one = catalogue.types().get(element)
    ranges, several = next(iter(found["range"]), ""), next(iter(found["multirange"]), "")
    if several and not ranges:
        ranges = catalogue.types()[several].subtype if several in catalogue.types() else ""
    if ranges and not several:
        several = catalogue.types()[ranges].multirange if ranges in catalogue.types() else ""
    plain = {"any": "anyelement", "anycompatible": "anycompatible"}[prefix]
    array = one.array if one is not None else f"{element}[]"
    meaning = {plain: element, f"{prefix}array": array, f"{prefix}nonarray": element, f"{prefix}enum": element}
    return {**meaning, f"{prefix}range": ranges, f"{prefix}multirange": several}
