"""Which of a function's overloads DuckDB takes for the arguments given: the one that costs the least implicit casting."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sqlglot import exp

from language.duckdb_kinds import INTEGERS, LISTS, NUMBERS, SIGNED, TEXTS, T, Type, array, fits, is_text_literal, kind_of, plain
from language.functions import Overload, overloads

_ANY = frozenset(("ANY", "T", "K", "V"))
_COSTS = {T.BIGINT: 101, T.INT: 102, T.INT128: 103, T.DOUBLE: 104, T.DECIMAL: 105, T.TIMESTAMP: 120, T.TIMESTAMPTZ: 123, T.TEXT: 149}
_OTHER, _NESTED, _LITERAL, _NOT_TEXT, _WHATEVER = 110, 160, 90, 20, 5
_LIKELY = ("VARCHAR", "DOUBLE", "TIMESTAMP", "BIGINT")
_PARAMETRIC = {"DECIMAL": T.DECIMAL, "STRUCT": T.STRUCT, "MAP": T.MAP, "UNION": T.UNION}
_WIDER_MOMENTS = {
    T.DATE: (T.TIMESTAMP, T.TIMESTAMPTZ, T.TIMESTAMP_NS, T.TIMESTAMP_S, T.TIMESTAMP_MS),
    T.TIMESTAMP: (T.TIMESTAMPTZ, T.TIMESTAMP_NS),
    T.TIMESTAMP_S: (T.TIMESTAMP_MS, T.TIMESTAMP, T.TIMESTAMP_NS, T.TIMESTAMPTZ),
    T.TIMESTAMP_MS: (T.TIMESTAMP, T.TIMESTAMP_NS, T.TIMESTAMPTZ),
    T.TIMESTAMP_NS: (T.TIMESTAMP,),
    T.TIME: (T.TIMETZ,),
}


class NoOverload(Exception):
    """No overload takes these arguments, or several take them equally well."""


def called(name: str, arguments: Sequence[exp.Expr]) -> Type:
    """The type that DuckDB's function returns for these arguments; None where that cannot be told. Raises NoOverload."""
    known = overloads("duckdb", name)
    if not known:
        return None
    costs = [(cost, overload) for overload in known if (cost := _total(overload, arguments)) is not None]
    if not costs:
        raise NoOverload(name)
    least = min(cost for cost, _ in costs)
    best = [overload for cost, overload in costs if cost == least]
    if any(kind_of(argument) == T.UNKNOWN and not isinstance(argument, exp.Lambda) for argument in arguments):
        returned = {overload.returns for _, overload in costs}
        return data_type(returned.pop()) if len(returned) == 1 else None
    if len(best) > 1:
        raise NoOverload(name)
    return _returned(best[0], arguments)


def fitting(name: str, arguments: Sequence[exp.Expr]) -> str:
    """What to do where `called` found no overload: the first argument that none takes is CAST, or else all are shown."""
    known = overloads("duckdb", name)
    taken = [parameters for overload in known if (parameters := overload.parameters(len(arguments))) is not None]
    for number, argument in enumerate(arguments):
        wanted = {parameters[number] for parameters in taken}
        if wanted and all(_cost(argument, parameter) is None for parameter in wanted):
            target = next((kind for kind in _LIKELY if kind in wanted), min(wanted))
            return f"write CAST({argument.name if isinstance(argument, exp.Column) else '…'} AS {target})"
    return f"it takes {', '.join(f'{name}{overload}' for overload in known[:4])}"


@cache
def data_type(name: str) -> Type:
    """Of a type's name in the catalogue; None for what depends on the arguments."""
    if name.endswith("[]"):
        return array(data_type(name[:-2]))
    if not name or name in _ANY or name in ("DECIMAL", "STRUCT", "MAP", "UNION", "LIST", "LAMBDA", "ARRAY") or not name[0].isalpha():
        return None
    try:
        return exp.DataType.build(name, dialect="duckdb")
    except ValueError:
        return None


def _total(overload: Overload, arguments: Sequence[exp.Expr]) -> int | None:
    parameters = overload.parameters(len(arguments))
    if parameters is None:
        return None
    total = 0
    for parameter, argument in zip(parameters, arguments, strict=True):
        cost = _cost(argument, parameter)
        if cost is None:
            return None
        total += cost
    return total


def _cost(argument: exp.Expr, parameter: str) -> int | None:
    kind = kind_of(argument)
    if parameter == "LAMBDA":
        return 0 if isinstance(argument, exp.Lambda) else None
    if isinstance(argument, exp.Lambda):
        return None
    if parameter in _ANY:
        return _WHATEVER
    if kind == T.UNKNOWN:
        return 0
    if parameter.endswith("]"):
        return _list_cost(argument.type, kind, parameter[: parameter.rindex("[")])
    target = _target(parameter)
    if target == kind:
        return 0
    if kind == T.NULL:
        return _COSTS.get(target, _OTHER)
    if is_text_literal(argument):
        return 1 if target == T.TEXT else _NOT_TEXT if target not in (T.STRUCT, T.MAP, T.UNION) else None
    if isinstance(argument, exp.Literal) and argument.is_int:
        if fits(argument, target):
            return _COSTS.get(target, _OTHER) - _LITERAL
        return _COSTS.get(target, _OTHER) if target in NUMBERS and target not in INTEGERS else None
    return _COSTS.get(target, _OTHER) if _widens(kind, target) else None


def _list_cost(given: Type, kind: exp.DType, element: str) -> int | None:
    if kind == T.NULL:
        return _NESTED
    if kind not in LISTS or given is None:
        return None
    inner = given.expressions[0] if given.expressions else None
    if element in _ANY or inner is None or inner.this in (T.UNKNOWN, T.NULL):
        return _WHATEVER
    if element.endswith("[]"):
        return _list_cost(inner, inner.this, element[:-2])
    target = _target(element)
    return 0 if plain(inner) == target else _COSTS.get(target, _OTHER) if _widens(plain(inner), target) else None


def _widens(kind: exp.DType, target: exp.DType) -> bool:
    """Whether DuckDB casts the one to the other by itself."""
    if kind in TEXTS:
        return target in TEXTS or target == T.JSON
    if kind == T.JSON or target == T.JSON:
        return target in TEXTS
    if kind in INTEGERS:
        return target in (T.FLOAT, T.DOUBLE, T.DECIMAL) or _widens_integer(kind, target)
    if kind == T.DECIMAL:
        return target in (T.FLOAT, T.DOUBLE)
    if kind == T.FLOAT:
        return target == T.DOUBLE
    return target in _WIDER_MOMENTS.get(kind, ())


def _widens_integer(kind: exp.DType, target: exp.DType) -> bool:
    unsigned = (T.UTINYINT, T.USMALLINT, T.UINT, T.UBIGINT, T.UINT128)
    if target in unsigned:
        return kind in unsigned and unsigned.index(kind) < unsigned.index(target)
    if target not in SIGNED:
        return False
    return (unsigned if kind in unsigned else SIGNED).index(kind) < SIGNED.index(target)


@cache
def _target(name: str) -> exp.DType:
    if name in _PARAMETRIC:
        return _PARAMETRIC[name]
    found = data_type(name)
    return plain(found) if found is not None else T.USERDEFINED


def _returned(overload: Overload, arguments: Sequence[exp.Expr]) -> Type:
    if (found := data_type(overload.returns)) is not None:
        return found
    parameters = overload.parameters(len(arguments)) or ()
    by_parameter = list(zip(parameters, arguments, strict=True))
    if overload.returns == "DECIMAL":
        return next((a.type for p, a in by_parameter if p == "DECIMAL" and kind_of(a) == T.DECIMAL), None)
    if overload.returns in _ANY:
        elements = (_element(a.type) for p, a in by_parameter if p == f"{overload.returns}[]")
        return next((a.type for p, a in by_parameter if p == overload.returns), None) or next(elements, None)
    if overload.returns in ("ANY[]", "T[]"):
        found = next((a.type for p, a in by_parameter if p == overload.returns), None)
        found = found or next((_element(a.type) for p, a in by_parameter if p == f"{overload.returns}[]"), None)
        return found or array(next((a.type for p, a in by_parameter if f"{p}[]" == overload.returns), None))
    return None


def _element(given: Type) -> Type:
    return given.expressions[0] if given is not None and given.this in LISTS and given.expressions else None
