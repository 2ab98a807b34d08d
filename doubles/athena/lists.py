"""Functions of arrays and maps whose SQL follows from the types of their arguments alone.

https://trino.io/docs/current/functions/array.html, https://trino.io/docs/current/functions/map.html
"""

from __future__ import annotations

from doubles.athena.casts import error
from doubles.athena.kinds import literal
from doubles.athena.signatures import table

_ZERO = error("INVALID_FUNCTION_ARGUMENT", literal("SQL array indices start at 1"))
_STEP = error("INVALID_FUNCTION_ARGUMENT", literal("sequence stop value should be on the step's side of its start"))
_TOO_MANY = error("INVALID_FUNCTION_ARGUMENT", literal("result of sequence function must not have more than 10000 entries"))


def _distinct(sql: str) -> str:
    """The elements of a list, each once, in their order; NULL is one too."""
    first = "CASE WHEN v IS NULL THEN list_count(o[1:n - 1]) = n - 1 ELSE list_position(o, v) = n END"
    return f"list_transform([{sql}], lambda o: list_filter(o, lambda v, n: {first}))[1]"


def _those(sign: str) -> str:
    """The elements of the first list that are in the second one, or are not."""
    null, has = ("<>", "") if sign else ("=", "NOT ")
    kept = f"CASE WHEN e IS NULL THEN list_count({{1}}) {null} len({{1}}) ELSE {has}list_contains({{1}}, e) END"
    return _distinct(f"list_filter({{0}}, lambda e: {kept})")


def joined(one: str, sign: str) -> str:
    """The texts of a list with a sign between them, which need not be a constant; NULLs are left out."""
    pair = f"lambda a, b: a || {sign} || b"
    some = f"list_filter({one}, lambda e: e IS NOT NULL)"
    return f"CASE WHEN list_count({one}) = 0 THEN substr({sign}, 1, 0) ELSE list_reduce({some}, {pair}) END"


LISTS = table(
    f"""
    cardinality(array(T)) bigint :: len({{0}})
    cardinality(map(T, U)) bigint :: CAST(cardinality({{0}}) AS BIGINT)
    contains(array(T), T) boolean :: CASE WHEN list_contains({{0}}, {{1}}) THEN TRUE
        :: WHEN list_count({{0}}) <> len({{0}}) OR {{1}} IS NULL THEN NULL ELSE {{0}} IS NULL AND NULL END
    element_at(array(T), bigint) T :: CASE WHEN {{1}} = 0 THEN {_ZERO} ELSE {{0}}[{{1}}] END
    element_at(map(T, U), T) U :: map_extract_value({{0}}, {{1}})
    array_join(array(varchar), varchar) varchar :: {joined("{0}", "{1}")}
    array_max(array(T)) T :: CASE WHEN list_count({{0}}) <> len({{0}}) THEN NULL ELSE list_max({{0}}) END
    array_min(array(T)) T :: CASE WHEN list_count({{0}}) <> len({{0}}) THEN NULL ELSE list_min({{0}}) END
    array_position(array(T), T) bigint :: CASE WHEN {{0}} IS NULL OR {{1}} IS NULL THEN NULL
        :: ELSE coalesce(CAST(list_position({{0}}, {{1}}) AS BIGINT), 0) END
    array_sort(array(T)) array(T) :: list_sort({{0}}, 'ASC', 'NULLS LAST')
    array_distinct(array(T)) array(T) :: {_distinct("{0}")}
    array_union(array(T), array(T)) array(T) :: CASE WHEN {{0}} IS NULL OR {{1}} IS NULL THEN NULL
        :: ELSE {_distinct("list_concat({0}, {1})")} END
    array_intersect(array(T), array(T)) array(T) :: CASE WHEN {{0}} IS NULL OR {{1}} IS NULL THEN NULL
        :: ELSE {_those("in")} END
    array_except(array(T), array(T)) array(T) :: CASE WHEN {{0}} IS NULL OR {{1}} IS NULL THEN NULL
        :: ELSE {_those("")} END
    arrays_overlap(array(T), array(T)) boolean :: CASE WHEN list_has_any({{0}}, {{1}}) THEN TRUE
        :: WHEN list_count({{0}}) <> len({{0}}) OR list_count({{1}}) <> len({{1}}) THEN NULL
        :: WHEN {{0}} IS NULL OR {{1}} IS NULL THEN NULL ELSE FALSE END
    array_remove(array(T), T) array(T) :: list_filter({{0}}, lambda e: e IS NULL OR e <> {{1}})
    flatten(array(array(T))) array(T) :: flatten({{0}})
    slice(array(T), bigint, bigint) array(T) :: CASE WHEN {{1}} = 0 THEN {_ZERO} WHEN {{1}} > 0 THEN {{0}}[{{1}}:{{1}} + {{2}} - 1]
        :: ELSE {{0}}[len({{0}}) + {{1}} + 1:len({{0}}) + {{1}} + {{2}}] END
    repeat(T, bigint) array(T) :: list_transform(range({{1}}), lambda e: {{0}})
    sequence(bigint, bigint) array(bigint) :: CASE WHEN abs({{1}} - {{0}}) >= 10000 THEN {_TOO_MANY}
        :: ELSE generate_series({{0}}, {{1}}, CASE WHEN {{0}} <= {{1}} THEN 1 ELSE -1 END) END
    sequence(bigint, bigint, bigint) array(bigint) :: CASE WHEN {{2}} = 0 OR ({{1}} - {{0}}) * {{2}} < 0 THEN {_STEP}
        :: WHEN abs(({{1}} - {{0}}) // {{2}}) >= 10000 THEN {_TOO_MANY} ELSE generate_series({{0}}, {{1}}, {{2}}) END
    sequence(date, date) array(date) :: CASE WHEN {{0}} <= {{1}}
        :: THEN list_transform(range(0, {{1}} - {{0}} + 1), lambda e: {{0}} + CAST(e AS INTEGER))
        :: ELSE list_transform(range(0, {{0}} - {{1}} + 1), lambda e: {{0}} - CAST(e AS INTEGER)) END
    sequence(date, date, days) array(date) :: list_transform(
        :: generate_series(CAST({{0}} AS TIMESTAMP), CAST({{1}} AS TIMESTAMP), {{2}}), lambda e: CAST(e AS DATE))
    map(array(T), array(U)) map(T, U) :: map({{0}}, {{1}})
    map_keys(map(T, U)) array(T) :: map_keys({{0}})
    map_values(map(T, U)) array(U) :: map_values({{0}})
    map_concat(map(T, U), map(T, U)) map(T, U) :: CASE WHEN {{0}} IS NULL OR {{1}} IS NULL THEN NULL ELSE map_concat({{0}}, {{1}}) END
    """
)
