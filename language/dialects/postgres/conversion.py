"""Which of PostgreSQL's types become which: https://www.postgresql.org/docs/current/typeconv.html."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from language.dialects.postgres import catalogue

IMPLICIT, ASSIGNMENT, EXPLICIT = "iae"
UNKNOWN = "unknown"
ANY_OF_ONE = frozenset({"anyelement", "anyarray", "anynonarray", "anyenum", "anyrange", "anymultirange"})
ANY_IN_COMMON = frozenset(
    {"anycompatible", "anycompatiblearray", "anycompatiblenonarray", "anycompatiblerange", "anycompatiblemultirange"}
)
POLYMORPHIC = ANY_OF_ONE | ANY_IN_COMMON
_STRINGS = "S"
_NOT_CAST_AS_ARRAYS = ("int2vector", "oidvector")


def category(name: str) -> str:
    found = catalogue.types().get(name)
    return found.category if found is not None else "U"


def is_preferred(name: str, among: str) -> bool:
    found = catalogue.types().get(name)
    return found is not None and found.category == among and found.preferred


@cache
def converts(source: str, target: str, context: str = IMPLICIT) -> bool:
    """Whether a value of a known type becomes one of another in this context, as find_coercion_pathway finds it."""
    if source == target:
        return True
    found = catalogue.casts().get((source, target))
    if found is not None:
        return "iae".index(found[0]) <= "iae".index(context)
    one, other = catalogue.types().get(source), catalogue.types().get(target)
    if one is None or other is None:
        return context == EXPLICIT  # of a type of the database's own nothing is known
    if one.element and other.element and one.category == other.category == "A" and target not in _NOT_CAST_AS_ARRAYS:
        return converts(one.element, other.element, context)
    if one.kind == "p" or other.kind == "p":
        return False
    if context != IMPLICIT and other.category == _STRINGS:
        return True
    return context == EXPLICIT and one.category == _STRINGS


def accepts(declared: str, given: str, context: str = IMPLICIT) -> bool:
    """Whether an argument of this declared type takes a value of that one, polymorphic types one by one."""
    if declared in (given, "any") or given == UNKNOWN:
        return True
    if declared in POLYMORPHIC:
        return fits_polymorphic(declared, given)
    if declared == "record":
        return given == "record"
    return converts(given, declared, context)


def fits_polymorphic(declared: str, given: str) -> bool:
    found = catalogue.types().get(given)
    base = declared.removeprefix("anycompatible").removeprefix("any")
    if found is None:  # a type of the database's own: it may be an enum or a range, but for all that is known no array
        return (base == "array") == given.endswith("[]") or base in ("element", "")
    if base == "array":
        return found.category == "A" and bool(found.element)
    if base == "nonarray":
        return found.category != "A"
    if base == "enum":
        return found.category == "E"
    return {"range": "r", "multirange": "m"}.get(base, found.kind) == found.kind


def same_bytes(source: str, target: str) -> bool:
    """Whether a value of one type is taken for the other as it is."""
    if target in (source, "any", "anyelement", "anycompatible"):
        return True
    if target in POLYMORPHIC:
        return fits_polymorphic(target, source)
    return catalogue.casts().get((source, target)) == ("i", "b")


def common_type(kinds: Sequence[str]) -> str | None:
    """The common type of CASE, UNION and the like, in this order; None where there is none. Unknown literals take any."""
    found = kinds[0]
    for kind in kinds[1:]:
        if kind in (UNKNOWN, found):
            continue
        if found == UNKNOWN:
            found = kind
        elif category(kind) != category(found):
            return None
        elif not is_preferred(found, category(found)) and converts(found, kind) and not converts(kind, found):
            found = kind
    return "text" if found == UNKNOWN else found
