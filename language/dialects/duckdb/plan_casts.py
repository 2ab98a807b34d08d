"""Casts in DuckDB's bound plan, those of the text and those that it adds: what becomes a value of another type, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from language.dialects.duckdb.types import sql_type, type_of

Kind = Mapping[str, Any]  # a type, as DuckDB's JSON has it
NOWHERE = 2**64 - 1  # what DuckDB says of something that the text does not say
_PLAIN = ("BOUND_REF", "BOUND_CONSTANT", "BOUND_COLUMN_REF")
_NO_EXPRESSIONS = frozenset(("return_type", "arguments", "value", "arg_orders_types", "returned_types", "column_indexes", "names"))
_NO_EXPRESSIONS |= {"function_data", "extra_info"}
_NESTED = frozenset((dict, list))
# Of which the first alone is computed for each row: of a CASE the condition of its first WHEN, of COALESCE the first value.
_BRANCHING = {"CASE_EXPR": "case_checks", "OPERATOR_COALESCE": "children"}


class Cast(NamedTuple):
    """One cast.  at: its place, where the text has one.  column: the name of what is cast, '' of what has none."""

    source: Kind
    target: Kind
    at: int
    column: str


@dataclass
class Casts:
    """All but those of TRY_CAST and within TRY, of which nothing comes but NULL.

    types: by source, target and place; one that there is not is wrong in a branch that no row reaches too.
    texts: (text, type, place) of each that is written out where the type is wanted, and is read there whatever the rows are.
    calls: (place, type) of each call that gives a text there.
    """

    types: dict[tuple[str, str, int], Cast] = field(default_factory=dict)
    texts: set[tuple[str, str, int]] = field(default_factory=set)
    calls: dict[tuple[int, str], Kind] = field(default_factory=dict)


def casts_in(plan: Any) -> Casts:
    found = Casts()
    for node, reached in _cast_nodes(plan):
        child = node["child"]
        source, target = type_of(child), type_of(node)
        if source and target:
            places = node.get("query_location", NOWHERE), child.get("query_location", NOWHERE)
            said = sql_type(source), sql_type(target)
            found.types[(*said, min(places))] = Cast(source, target, places[0], str(child.get("alias", "")))
            if reached and source["id"] == "VARCHAR":
                _add_text(found, child, target, places[1] if places[1] < NOWHERE else places[0])
    return found


def _cast_nodes(plan: Any) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Each with whether it is computed whatever comes of the rest of its expression."""
    later: list[Any] = []
    for stack, reached in (([plan], True), (later, False)):
        while stack:
            value = stack.pop()
            if value.__class__ is list:
                stack += value
            elif value.__class__ is dict:
                kind = value.get("expression_class")
                operator = value.get("type", "") if kind is not None else ""
                if kind in _PLAIN or operator == "OPERATOR_TRY":
                    continue
                if operator in _BRANCHING:
                    first, *others = value[_BRANCHING[operator]]
                    stack.append(first.get("when_expr", first))
                    later += [first.get("then_expr"), *others, value.get("else_expr")]
                    continue
                if kind == "BOUND_CAST" and not value.get("try_cast"):
                    yield value, reached
                stack += [v for key, v in value.items() if v.__class__ in _NESTED and key not in _NO_EXPRESSIONS]
                if "lambda_expr" in value.get("function_data", ()):
                    stack.append(value["function_data"]["lambda_expr"])


def _add_text(found: Casts, value: Mapping[str, Any], target: Kind, at: int) -> None:
    constant = value.get("value", {})
    if constant and not constant.get("is_null"):
        found.texts.add((str(constant.get("value", "")), sql_type(target), at))  # DuckDB's JSON leaves out an empty text
    elif value["expression_class"] == "BOUND_FUNCTION":
        found.calls[at, sql_type(target)] = target
