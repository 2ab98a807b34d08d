"""What DuckDB answers to a query's text: its errors, its columns and its plan, out of the JSON in which it tells them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from language.dialects.duckdb.recursion import deep_recursion
from language.dialects.duckdb.text import as_counted
from language.dialects.duckdb.types import iceberg_type, lacks_names, sql_type, type_of

Tree = dict[str, Any]
_IN_CHARACTERS = "SYNTAX_ERROR"  # of which its parser counts the place in characters, unlike its binder
_PASSING = {
    **dict.fromkeys(("LOGICAL_LIMIT", "LOGICAL_ORDER_BY", "LOGICAL_DISTINCT"), 0),
    **dict.fromkeys(("LOGICAL_UNION", "LOGICAL_EXCEPT", "LOGICAL_INTERSECT"), 0),
    "LOGICAL_MATERIALIZED_CTE": 1,
}


@dataclass
class EngineError(Exception):
    """What DuckDB has against a query.  kind: its own ('parser', 'binder', 'catalog' …), subtype too ('COLUMN_NOT_FOUND' …).

    position: in bytes of the text, None where it tells none.
    """

    kind: str
    message: str
    position: int | None = None
    subtype: str = ""
    name: str = ""


class BoundColumn(NamedTuple):
    """An output column.  type: a schema's, None for one that no table can hold.  nameless: for its fields' sake.  said: DuckDB's."""

    name: str
    type: str | None
    said: str
    nameless: bool = False


@dataclass(frozen=True)
class Bound:
    """A query that binds: its output columns, and its logical plan.

    plan: None for one that has no JSON form.  impure: whether the plan may call a function that is none of its arguments alone.
    casts: whether it makes a value one of another type.
    """

    columns: tuple[BoundColumn, ...]
    plan: Tree | None
    impure: bool = False
    casts: bool = False


def parsed_answer(answer: str, asked: str) -> Tree:
    """DuckDB's answer to a text that it was asked for. Raises EngineError."""
    with deep_recursion():
        found: Tree = json.loads(answer)
    if found.get("error"):
        position, subtype = found.get("position"), str(found.get("error_subtype", ""))
        at = int(position) if position is not None else None
        if at is not None and subtype == _IN_CHARACTERS:
            at = len(as_counted(asked)[:at].encode())
        raise EngineError(
            str(found.get("error_type", "")), str(found.get("error_message", "")), at, subtype, str(found.get("name", ""))
        )
    return found


def columns_of(plan: Tree, names: Sequence[str]) -> tuple[BoundColumn, ...] | None:
    """The outputs of a plan; None where it does not tell their types, or as many as there are names."""
    while plan["type"] in _PASSING:
        plan = plan["children"][_PASSING[plan["type"]]]
    expressions = plan.get("expressions", ())
    if plan["type"] != "LOGICAL_PROJECTION" or len(names) != len(expressions):
        return None
    found = []
    for name, expression in zip(names, expressions, strict=True):
        kind = type_of(expression)
        if kind is None:
            return None
        found.append(BoundColumn(name, iceberg_type(kind), sql_type(kind), lacks_names(kind)))
    return tuple(found)
