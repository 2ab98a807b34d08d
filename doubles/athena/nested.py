"""What is within a value, and what is made of its parts: elements, fields, rows, and functions that take a lambda.

https://trino.io/docs/current/functions/lambda.html, https://trino.io/docs/current/functions/array.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.expressions.builders import apply_index_offset

from doubles.athena.casts import coerced, error, once
from doubles.athena.errors import QueryFailed, unknown
from doubles.athena.kinds import BIGINT, BOOLEAN, UNKNOWN, becomes, common, duck, field_names, literal, mismatch, said
from doubles.athena.scope import Value
from shared_metadata.program.type_names import TypeName as Kind

if TYPE_CHECKING:
    from doubles.athena.expressions import Expressions

_START = error("INVALID_FUNCTION_ARGUMENT", literal("SQL array indices start at 1"))
_NEGATIVE = error("INVALID_FUNCTION_ARGUMENT", literal("Array subscript is negative"))
_BEYOND = error("INVALID_FUNCTION_ARGUMENT", literal("Array subscript must be less than or equal to array length"))
_NO_KEY = error("INVALID_FUNCTION_ARGUMENT", literal("Key not present in map"))


def element(of: Expressions, node: exp.Bracket) -> Value:
    """An element of an array, or a value of a map; there must be one."""
    value = of.of(node.this)
    (index,) = apply_index_offset(node.this, node.expressions, 1, dialect="trino")  # the parser counts from 0
    at = of.of(index)
    if value.kind.word == "map" and becomes(at.kind, value.kind.parts[0]):

        def of_map(one: str, key: str) -> str:
            none = f"{one} IS NOT NULL AND NOT map_contains({one}, {key})"
            return f"(CASE WHEN {none} THEN {_NO_KEY} ELSE map_extract_value({one}, {key}) END)"

        return Value(once(of_map, value.sql, coerced(at, value.kind.parts[0])), value.kind.parts[1])
    if value.kind.word != "array" or not becomes(at.kind, BIGINT):
        raise mismatch(f"line 1:1: Cannot use {said(at.kind)} for subscript of {said(value.kind)}")

    def of_array(one: str, number: str) -> str:
        return (
            f"(CASE WHEN {one} IS NULL THEN NULL WHEN {number} = 0 THEN {_START} WHEN {number} < 0 THEN {_NEGATIVE} "
            f"WHEN {number} > len({one}) THEN {_BEYOND} ELSE {one}[{number}] END)"
        )

    return Value(once(of_array, value.sql, coerced(at, BIGINT)), value.kind.parts[0])


def field_of(value: Value, name: str) -> Value:
    found = dict(value.kind.named()).get(name) if value.kind.fields else None
    if found is None:
        raise mismatch(f"line 1:1: Expression is not of type ROW with a field {name}")
    return Value(f"struct_extract({value.sql}, {literal(name)})", found)


def row(given: Sequence[Value], nodes: Sequence[exp.Expr]) -> Value:
    """ROW(1, 'a'), whose fields have no names."""
    kind = Kind("row", tuple(value.kind for value in given), ("",) * len(given))
    pairs = zip(field_names(kind), given, strict=True)
    return Value("{" + ", ".join(f"{literal(name)}: {coerced(value, value.kind)}" for name, value in pairs) + "}", kind)


# -- lambdas


Body = Callable[..., Value]  # of the values of its parameters


def _body(of: Expressions, node: exp.Expr) -> Body:
    if not isinstance(node, exp.Lambda):
        raise QueryFailed("FUNCTION_NOT_FOUND", "line 1:1: a lambda is expected")
    names = [part.name.lower() for part in node.expressions]

    def body(*given: Value) -> Value:
        if len(given) != len(names):
            raise QueryFailed("INVALID_PARAMETER_USAGE", f"line 1:1: a lambda of {len(names)} where one of {len(given)} is wanted")
        former = of.variables
        of.variables = {**former, **dict(zip(names, given, strict=True))}
        found = of.of(node.this)
        of.variables = former
        return found

    return body


def _names(of: Expressions, number: int) -> list[str]:
    """Parameters' that none around has; the same for the same text, so that two columns of it are one to GROUP BY."""
    return [f"p{len(of.variables)}_{each}" for each in range(number)]


def _is(value: Value, word: str, name: str) -> Value:
    if value.kind.word != word:
        raise QueryFailed("FUNCTION_NOT_FOUND", f"line 1:1: Unexpected parameters ({said(value.kind)}) for function {name}")
    return value


def _condition(value: Value) -> str:
    if not becomes(value.kind, BOOLEAN):
        raise QueryFailed("FUNCTION_NOT_FOUND", f"line 1:1: a lambda gives {said(value.kind)}, not a boolean")
    return coerced(value, BOOLEAN)


def _transform(of: Expressions, nodes: Sequence[exp.Expr]) -> Value:
    values, (each,) = _is(of.of(nodes[0]), "array", "transform"), _names(of, 1)
    given = _body(of, nodes[1])(Value(each, values.kind.parts[0]))
    return Value(f"list_transform({values.sql}, lambda {each}: {given.sql})", Kind("array", (given.kind,)))


def _filter(of: Expressions, nodes: Sequence[exp.Expr]) -> Value:
    values, (each,) = _is(of.of(nodes[0]), "array", "filter"), _names(of, 1)
    kept = _condition(_body(of, nodes[1])(Value(each, values.kind.parts[0])))
    return Value(f"list_filter({values.sql}, lambda {each}: {kept})", values.kind)


def _match(found: str, otherwise: str) -> Callable[[Expressions, Sequence[exp.Expr]], Value]:
    """found: what is given where an element is so, of whether it is: TRUE of one that matches, FALSE of one that does not."""

    def of_elements(of: Expressions, nodes: Sequence[exp.Expr]) -> Value:
        values, (each,) = _is(of.of(nodes[0]), "array", "any_match"), _names(of, 1)
        told = f"list_transform({values.sql}, lambda {each}: {_condition(_body(of, nodes[1])(Value(each, values.kind.parts[0])))})"

        def sql(one: str) -> str:
            return (
                f"(CASE WHEN {one} IS NULL THEN NULL WHEN list_contains({one}, {found}) THEN {otherwise} "
                f"WHEN list_count({one}) <> len({one}) THEN NULL ELSE NOT {otherwise} END)"
            )

        return Value(once(sql, told), BOOLEAN)

    return of_elements


def _reduce(of: Expressions, nodes: Sequence[exp.Expr]) -> Value:
    """Through a list of structs, since DuckDB's own reduces to a value of the elements' type alone."""
    values, first = _is(of.of(nodes[0]), "array", "reduce"), of.of(nodes[1])
    step, last, kind, item = _body(of, nodes[2]), _body(of, nodes[3]), first.kind, values.kind.parts[0]
    state, each, one, other = _names(of, 4)
    for _ in range(3):  # until it gives what it is given
        given = step(Value(f"{one}.s", kind), Value(f"{other}.x", item))
        wider = common(kind, given.kind)
        if wider is None:
            raise QueryFailed("FUNCTION_NOT_FOUND", "line 1:1: Unexpected parameters for function reduce")
        if wider == kind:
            break
        kind = wider
    none = {"s": f"CAST(NULL AS {duck(kind)})", "x": f"CAST(NULL AS {duck(item)})"}
    begun = f"[{{'s': {coerced(first, kind)}, 'x': {none['x']}}}]"
    rest = f"list_transform({values.sql}, lambda {each}: {{'s': {none['s']}, 'x': {each}}})"
    reduced = f"list_reduce(list_concat({begun}, {rest}), lambda {one}, {other}: {{'s': {coerced(given, kind)}, 'x': {none['x']}}}).s"
    result = last(Value(state, kind))
    found = f"list_transform([{reduced}], lambda {state}: {result.sql})[1]"
    return Value(f"(CASE WHEN {values.sql} IS NULL THEN NULL ELSE {found} END)", result.kind)


def _zip_with(of: Expressions, nodes: Sequence[exp.Expr]) -> Value:
    left, right = (_is(of.of(node), "array", "zip_with") for node in nodes[:2])
    body, (at,), kinds = _body(of, nodes[2]), _names(of, 1), (left.kind.parts[0], right.kind.parts[0])
    given: list[Kind] = []

    def sql(one: str, other: str) -> str:
        found = body(Value(f"{one}[{at}]", kinds[0]), Value(f"{other}[{at}]", kinds[1]))
        given.append(found.kind)
        numbers = f"range(1, greatest(len({one}), len({other})) + 1)"
        none = f"{one} IS NULL OR {other} IS NULL"
        return f"(CASE WHEN {none} THEN NULL ELSE list_transform({numbers}, lambda {at}: {found.sql}) END)"

    written = once(sql, left.sql, right.sql)
    return Value(written, Kind("array", (given[-1],)))


def _of_map(name: str, kept: bool, keys: bool) -> Callable[[Expressions, Sequence[exp.Expr]], Value]:
    """kept: whether the lambda says which entries stay; otherwise it gives their keys or their values."""

    def of_entries(of: Expressions, nodes: Sequence[exp.Expr]) -> Value:
        values, (each,) = _is(of.of(nodes[0]), "map", name), _names(of, 1)
        key, value = (Value(f"{each}.{part}", kind) for part, kind in zip(("key", "value"), values.kind.parts, strict=True))
        given = _body(of, nodes[1])(key, value)
        if kept:
            return Value(f"map_from_entries(list_filter(map_entries({values.sql}), lambda {each}: {_condition(given)}))", values.kind)
        key, value = (given, value) if keys else (key, given)
        if UNKNOWN in (key.kind, value.kind):
            raise unknown(f"{name} to NULL")
        pair = f"struct_pack(k := {key.sql}, v := {value.sql})"
        sql = f"map_from_entries(list_transform(map_entries({values.sql}), lambda {each}: {pair}))"
        return Value(sql, Kind("map", (key.kind, value.kind)))

    return of_entries


LAMBDAS: Mapping[tuple[str, int], Callable[[Expressions, Sequence[exp.Expr]], Value]] = {
    ("transform", 2): _transform,
    ("filter", 2): _filter,
    ("any_match", 2): _match("TRUE", "TRUE"),
    ("all_match", 2): _match("FALSE", "FALSE"),
    ("none_match", 2): _match("TRUE", "FALSE"),
    ("reduce", 4): _reduce,
    ("zip_with", 3): _zip_with,
    ("map_filter", 2): _of_map("map_filter", kept=True, keys=False),
    ("transform_keys", 2): _of_map("transform_keys", kept=False, keys=True),
    ("transform_values", 2): _of_map("transform_values", kept=False, keys=False),
}
