"""Which of several functions or operators of one name PostgreSQL calls, and what it returns.

https://www.postgresql.org/docs/current/typeconv-oper.html and …/typeconv-func.html; the names of the steps are those of its
parse_func.c, parse_oper.c and parse_coerce.c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from language.dialects.postgres import catalogue
from language.dialects.postgres.catalogue import Function, Operator
from language.dialects.postgres.conversion import EXPLICIT, POLYMORPHIC, UNKNOWN, accepts, category, converts, is_preferred
from language.dialects.postgres.polymorphic import consistent


@dataclass(frozen=True)
class Candidate:
    """A function as it would be called: the declared types of just the arguments that are given."""

    arguments: tuple[str, ...]
    returns: str
    function: Function | None = None
    variadic: bool = False


@dataclass(frozen=True)
class Call:
    """What was found.  returns: '' where it cannot be told.  arguments: the declared types, made those that are given."""

    candidate: Candidate
    returns: str
    arguments: tuple[str, ...] = ()

    @property
    def function(self) -> Function | None:
        return self.candidate.function


def find_function(name: str, given: Sequence[str], names: Sequence[str] = (), *, variadic: bool = False) -> Call | str:
    """names: of the last arguments, as in f(a => 1).  variadic: whether the last is an array of them. Else 'none' or 'several'."""
    candidates = list(_shadowed(_called(function, len(given), names, variadic) for function in catalogue.functions(name)))
    exact = [candidate for candidate in candidates if candidate.arguments == tuple(given)]
    if exact:
        return _call(exact[0], given)
    if len(given) == 1 and not names and name in catalogue.types() and _is_cast(given[0], name):
        return Call(Candidate((given[0],), name), name)
    return _chosen(candidates, given)


def find_operator(name: str, left: str, right: str) -> Call | str:
    """left: '' for a prefix operator."""
    found = [operator for operator in catalogue.operators(name) if bool(operator.left) == bool(left)]
    candidates = [Candidate(_operands(operator), operator.result) for operator in found]
    given = (left, right) if left else (right,)
    alike = (left if left != UNKNOWN else right, right if right != UNKNOWN else left) if left else given
    exact = [candidate for candidate in candidates if candidate.arguments == alike and UNKNOWN not in alike]
    return _call(exact[0], given) if exact else _chosen(candidates, given)


def _operands(operator: Operator) -> tuple[str, ...]:
    return (operator.left, operator.right) if operator.left else (operator.right,)


def _is_cast(given: str, target: str) -> bool:
    """Whether f(x) is x as the type f: only where no function has to run for it."""
    if given == UNKNOWN:
        return True
    cast = catalogue.casts().get((given, target))
    if cast is not None:
        return cast[1] in "bi"
    return converts(given, target, EXPLICIT) and not (given == "record" and category(target) == "S")


def _called(function: Function, count: int, names: Sequence[str], variadic: bool) -> Candidate | None:
    """The function as called with so many arguments; None where it cannot be."""
    declared = function.arguments
    if names:
        ordered = _by_name(function, count, names)
        return Candidate(ordered, function.returns, function) if ordered is not None else None
    if function.variadic and not variadic:
        fixed = len(declared) - 1
        if count > fixed:
            return Candidate((*declared[:fixed], *[function.variadic] * (count - fixed)), function.returns, function, True)
        return None
    if variadic and not function.variadic:
        return None
    if len(declared) - function.defaults <= count <= len(declared):
        return Candidate(declared[:count], function.returns, function)
    return None


def _by_name(function: Function, count: int, names: Sequence[str]) -> tuple[str, ...] | None:
    """The declared types of the arguments in the order in which they are given."""
    first = count - len(names)
    known = list(function.argument_names)
    if any(name not in known[first:] for name in names) or len(set(names)) < len(names):
        return None
    places = [*range(first), *(known.index(name) for name in names)]
    needed = range(len(function.arguments) - function.defaults)
    return tuple(function.arguments[place] for place in places) if set(needed) <= set(places) else None


def _shadowed(candidates: Iterable[Candidate | None]) -> Iterable[Candidate]:
    """The one of two with the same arguments that needs no filling up."""
    found: dict[tuple[str, ...], Candidate] = {}
    for candidate in candidates:
        if candidate is not None:
            former = found.get(candidate.arguments)
            if former is None or (former.variadic and not candidate.variadic):
                found[candidate.arguments] = candidate
    return found.values()


def _chosen(candidates: Sequence[Candidate], given: Sequence[str]) -> Call | str:
    able = [c for c in candidates if all(map(accepts, c.arguments, given)) and consistent(c.arguments, given) is not None]
    if not able:
        return "none"
    best = able[0] if len(able) == 1 else select_candidate(able, given)
    return _call(best, given) if best is not None else "several"


def _call(candidate: Candidate, given: Sequence[str]) -> Call:
    meaning = consistent(candidate.arguments, given) or {}
    arguments = tuple(meaning.get(declared, declared) for declared in candidate.arguments)
    returns = candidate.returns
    if returns in POLYMORPHIC:
        returns = meaning.get(returns, "")
    return Call(candidate, returns, arguments)


def select_candidate(candidates: Sequence[Candidate], given: Sequence[str]) -> Candidate | None:
    """PostgreSQL's func_select_candidate."""
    known = [number for number, kind in enumerate(given) if kind != UNKNOWN]
    unknown = [number for number, kind in enumerate(given) if kind == UNKNOWN]
    found = _best(candidates, lambda c: sum(c.arguments[n] == given[n] for n in known))
    if len(found) > 1:
        found = _best(
            found, lambda c: sum(c.arguments[n] == given[n] or is_preferred(c.arguments[n], category(given[n])) for n in known)
        )
    if len(found) == 1:
        return found[0]
    if not unknown:
        return None
    kept = _by_category(found, unknown)
    if kept is not None:
        found = kept or found
        if len(found) == 1:
            return found[0]
    kinds = {given[number] for number in known}
    if len(kinds) == 1:
        (kind,) = kinds
        same = [kind] * len(given)
        able = [c for c in found if all(map(accepts, c.arguments, same)) and consistent(c.arguments, same) is not None]
        if len(able) == 1:
            return able[0]
    return None


def _best(candidates: Sequence[Candidate], matches: Callable[[Candidate], int]) -> list[Candidate]:
    most = max(map(matches, candidates))
    return [candidate for candidate in candidates if matches(candidate) == most]


def _by_category(candidates: Sequence[Candidate], unknown: Sequence[int]) -> list[Candidate] | None:
    """Those whose arguments are of the category in which all agree about an unknown literal, text before others."""
    wanted: dict[int, tuple[str, bool]] = {}
    for number in unknown:
        categories = [category(c.arguments[number]) for c in candidates]
        chosen = "S" if "S" in categories else categories[0]
        if chosen != "S" and len(set(categories)) > 1:
            return None
        preferred = any(is_preferred(c.arguments[number], chosen) for c in candidates)
        wanted[number] = (chosen, preferred)
    return [
        c
        for c in candidates
        if all(
            category(c.arguments[n]) == chosen and (not preferred or is_preferred(c.arguments[n], chosen))
            for n, (chosen, preferred) in wanted.items()
        )
    ]
