"""Which of a function's overloads DuckDB takes for the arguments given: the one that costs the least implicit casting."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from sqlglot import exp

from language.duckdb_kinds import INTEGERS, LISTS, NUMBERS, SIGNED, TEXTS, T, Type, array, bits_of, kind_of, plain
from language.functions import Overload, overloads

_ANY = frozenset(("ANY", "T", "K", "V"))
_COSTS = {T.BIGINT: 101, T.INT: 102, T.INT128: 103, T.DOUBLE: 104, T.DECIMAL: 105, T.TIMESTAMP: 120, T.TIMESTAMPTZ: 123, T.TEXT: 149}
_OTHER, _NESTED, _LITERAL, _NOT_TEXT, _WHATEVER = 110, 160, 90, 20, 5
_LIKELY = ("VARCHAR", "DOUBLE", "TIMESTAMP", "BIGINT")
_NONE = "none"
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


class _Shape(NamedTuple):
    """What of an argument decides.  literal: 'text' or 'lambda'; bits: of a whole number written out, 0 for anything else."""

    kind: exp.DType
    literal: str = ""
    bits: int = 0
    element: _Shape | None = None


def called(name: str, arguments: Sequence[exp.Expr]) -> Type:
    """The type that DuckDB's function returns for these arguments; None where that cannot be told. Raises NoOverload."""
    overload = _chosen(name, tuple(map(_shape, arguments)))
    if isinstance(overload, Overload):
        return _returned(overload, arguments)
    if overload == _NONE:
        raise NoOverload(name)
    return data_type(overload)


@cache
def _chosen(name: str, shapes: tuple[_Shape, ...]) -> Overload | str:
    """_NONE where none can be chosen; the name of a type where only that is known."""
    known = overloads("duckdb", name)
    if not known:
        return ""
    costs = [(cost, overload) for overload in known if (cost := _total(overload, shapes)) is not None]
    if not costs:
        return _NONE
    if any(shape.kind == T.UNKNOWN and not shape.literal for shape in shapes):
        returned = {overload.returns for _, overload in costs}
        return returned.pop() if len(returned) == 1 else ""
    least = min(cost for cost, _ in costs)
    best = [overload for cost, overload in costs if cost == least]
    return best[0] if len(best) == 1 else _NONE


def _shape(argument: exp.Expr) -> _Shape:
    if isinstance(argument, exp.Lambda):
        return _Shape(T.UNKNOWN, "lambda")
    kind = kind_of(argument)
    if isinstance(argument, exp.Literal):
        return _Shape(kind, "text") if argument.is_string else _Shape(kind, "", _bits(argument))
    return _Shape(kind, element=_inner(argument.type)) if kind in LISTS else _Shape(kind)


def _bits(number: exp.Literal) -> int:
    return max(int(number.this).bit_length(), 1) if number.is_int else 0


def _inner(given: Type) -> _Shape | None:
    if given is None or not given.expressions:
        return None
    inner = given.expressions[0]
    return _Shape(plain(inner), element=_inner(inner) if inner.this in LISTS else None)


def fitting(name: str, arguments: Sequence[exp.Expr]) -> str:
    """What to do where `called` found no overload: the first argument that none takes is CAST, or else all are shown."""
    known = overloads("duckdb", name)
    taken = [parameters for overload in known if (parameters := overload.parameters(len(arguments))) is not None]
    for number, argument in enumerate(arguments):
        wanted = {parameters[number] for parameters in taken}
        if wanted and all(_cost(_shape(argument), parameter) is None for parameter in wanted):
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


def _total(overload: Overload, shapes: Sequence[_Shape]) -> int | None:
    parameters = overload.parameters(len(shapes))
    if parameters is None:
        return None
    total = 0
    for parameter, shape in zip(parameters, shapes, strict=True):
        cost = _cost(shape, parameter)
        if cost is None:
            return None
        total += cost
    return total


def _cost(shape: _Shape, parameter: str) -> int | None:
    if parameter == "LAMBDA" or shape.literal == "lambda":
        return 0 if parameter == "LAMBDA" and shape.literal == "lambda" else None
    if parameter in _ANY:
        return _WHATEVER
    if shape.kind == T.UNKNOWN:
        return 0
    if parameter.endswith("]"):
        return _list_cost(shape, parameter[: parameter.rindex("[")])
    target = _target(parameter)
    if target == shape.kind:
        return 0
    cost = _COSTS.get(target, _OTHER)
    if shape.kind == T.NULL:
        return cost
    if shape.literal == "text":
        return 1 if target == T.TEXT else _NOT_TEXT if target not in (T.STRUCT, T.MAP, T.UNION) else None
    if shape.bits:
        if target in INTEGERS and shape.bits <= bits_of(target):
            return cost - _LITERAL
        return cost if target in NUMBERS and target not in INTEGERS else None
    return cost if _widens(shape.kind, target) else None


def _list_cost(shape: _Shape, element: str) -> int | None:
    if shape.kind == T.NULL:
        return _NESTED
    if shape.kind not in LISTS:
        return None
    inner = shape.element
    if element in _ANY or inner is None or inner.kind in (T.UNKNOWN, T.NULL):
        return _WHATEVER
    if element.endswith("[]"):
        return _list_cost(inner, element[:-2])
    target = _target(element)
    return 0 if inner.kind == target else _COSTS.get(target, _OTHER) if _widens(inner.kind, target) else None


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
