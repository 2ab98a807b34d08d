"""PostgreSQL's own catalogue, as a server has it: its types, casts, operators and functions, by name. `__main__` writes the file."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).with_name("catalogue.json")


class Type(NamedTuple):
    """name: in pg_type ('int4', '_int4').  kind: typtype ('b' base, 'p' pseudo, 'r' range, 'm' multirange).

    element: of an array.  array: of which this is the element.  subtype: of a range; of a multirange its range.
    """

    name: str
    category: str
    preferred: bool
    kind: str
    element: str
    array: str
    subtype: str
    multirange: str


class Function(NamedTuple):
    """kind: 'f' function, 'a' aggregate, 'w' window function.  variadic: the type of the arguments without number.

    defaults: how many of the last arguments may be left out.  out_names, out_types: of OUT and TABLE arguments.
    aggregate: 'n' plain, 'o' ordered-set, 'h' hypothetical-set.  direct: its arguments before WITHIN GROUP.
    """

    name: str
    kind: str
    returns_set: bool
    returns: str
    variadic: str
    defaults: int
    arguments: tuple[str, ...]
    out_names: tuple[str, ...]
    out_types: tuple[str, ...]
    argument_names: tuple[str, ...]
    aggregate: str
    direct: int
    volatility: str


class Operator(NamedTuple):
    """left: '' of a prefix."""

    name: str
    left: str
    right: str
    result: str


@cache
def _catalogue() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


@cache
def types() -> dict[str, Type]:
    return {row[0]: Type(*row) for row in _catalogue()["types"]}


@cache
def casts() -> dict[tuple[str, str], tuple[str, str]]:
    """(source, target) ▸ context ('i' implicit, 'a' assignment, 'e' explicit) and method ('b' for the same bytes)."""
    return {(source, target): (context, method) for source, target, context, method in _catalogue()["casts"]}


@cache
def _rows_by_name(what: str) -> dict[str, list[list[Any]]]:
    found: dict[str, list[list[Any]]] = {}
    for row in _catalogue()[what]:
        found.setdefault(row[0], []).append(row)
    return found


@cache
def functions(name: str) -> tuple[Function, ...]:
    rows = _rows_by_name("functions").get(name, ())
    return tuple(Function._make(tuple(value) if isinstance(value, list) else value for value in row) for row in rows)


@cache
def operators(name: str) -> tuple[Operator, ...]:
    return tuple(Operator(*row) for row in _rows_by_name("operators").get(name, ()))


def function_names() -> list[str]:
    return list(_rows_by_name("functions"))


def similar_functions(name: str) -> list[str]:
    """Those whose names could be meant by a misspelled one."""
    return [known for known in function_names() if known[:1] == name[:1] and abs(len(known) - len(name)) <= 2]


def operator_names() -> list[str]:
    return list(_rows_by_name("operators"))


@cache
def compared(name: str) -> str:
    """'b' where values of a type can be sorted, 'h' where they can be told apart by a hash."""
    return str(dict(_catalogue()["compared"]).get(name, ""))


@cache
def keywords() -> frozenset[str]:
    """Words that are no plain names everywhere."""
    return frozenset(_catalogue()["keywords"])


@cache
def reserved() -> frozenset[str]:
    """Words that name no table and no column unless they are quoted."""
    return frozenset(_catalogue()["reserved"])
