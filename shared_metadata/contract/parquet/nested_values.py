"""The SQL of what is wrong within a list, a map or a struct: each value in it is looked at as one of a column is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.contract.parquet.duckdb_types import duckdb_name
from shared_metadata.program.type_names import TypeName

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

NESTED = ("struct", "list", "map")
# An expression, the type that is wanted of it, and its type in DuckDB ▸ the condition of what is none, '' for never.
Unfit = Callable[[str, TypeName, str], str]


def as_texts(kind: TypeName) -> str:
    """DuckDB's type of the same shape, in which all that is no list, map or struct is a text, as JSON has it."""
    return duckdb_name(_texts(kind))


def of_json(text: str, kind: TypeName, *, more: bool) -> str:
    """A text's JSON as a value of `as_texts`; null where it is of another shape, or has a key twice. What an object lacks is null.

    more: whether an object may have fields that the type has not.
    """
    value = f"TRY_CAST({text} AS JSON)"
    shaped = f"CASE WHEN {_has_shape(value, kind, more, 0)} THEN {value} END"
    return f"json_transform({shaped}, {literal(json.dumps(as_texts(kind)))})"


def unfit_within(value: str, kind: TypeName, found: str, unfit: Unfit) -> str:
    """The condition of a value with a part that is none. found: its type in DuckDB; 'VARCHAR' for one of `as_texts`."""
    import duckdb

    return _within(value, kind, None if found == "VARCHAR" else duckdb.sqltype(found), unfit, 0)


def _has_shape(value: str, kind: TypeName, more: bool, depth: int) -> str:
    """The condition that JSON is null or has a type's shape, whatever its texts are."""
    inner, item = [], f"x{depth}"
    if kind.word == "struct":
        names = f"[{', '.join(literal(name) for name, _ in kind.named())}]"
        keys = f"json_keys({value})"
        inner = [f"len(list_distinct({keys})) = len({keys})"]
        inner += [] if more else [f"len(list_filter({keys}, lambda {item}: NOT list_contains({names}, {item}))) = 0"]
        nested = [(name, part) for name, part in kind.named() if part.word in NESTED]
        inner += [_has_shape(f"json_extract({value}, {literal(_path(name))})", part, more, depth) for name, part in nested]
    elif kind.word == "map":
        inner = [f"len(list_distinct(json_keys({value}))) = len(json_keys({value}))"]
    if kind.word != "struct" and kind.parts[-1].word in NESTED:
        items = f"json_extract({value}, '$.*')" if kind.word == "map" else f"CAST({value} AS JSON[])"
        inner.append(f"len(list_filter({items}, lambda {item}: NOT {_has_shape(item, kind.parts[-1], more, depth + 1)})) = 0")
    word, found = "ARRAY" if kind.word == "list" else "OBJECT", f"coalesce(json_type({value}), 'NULL')"
    return f"CASE {found} WHEN 'NULL' THEN true WHEN '{word}' THEN {' AND '.join(inner) or 'true'} ELSE false END"


def _path(name: str) -> str:
    """A field as a path of JSON."""
    return '$."' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _texts(kind: TypeName) -> TypeName:
    return replace(kind, parts=tuple(map(_texts, kind.parts))) if kind.word in NESTED else TypeName("string")


def _within(value: str, kind: TypeName, found: DuckDBPyType | None, unfit: Unfit, depth: int) -> str:
    """found: None for texts."""
    if kind.word not in NESTED:
        return unfit(value, kind, "VARCHAR" if found is None else str(found))
    if found is not None and found.id not in ((kind.word, "array") if kind.word == "list" else (kind.word,)):
        return ""
    children: dict[str, Any] = dict(found.children) if found is not None else {}
    if kind.word == "struct":
        there = {str(name).lower(): (str(name), part) for name, part in children.items()}
        each = []
        for name, part in kind.named():
            if found is None or name.lower() in there:
                own, inner = there.get(name.lower(), (name, None))
                each.append(_within(f"struct_extract({value}, {literal(own)})", part, inner, unfit, depth))
        return " OR ".join(f"({one})" for one in each if one)
    if kind.word == "map":
        sides = zip(("key", "value"), kind.parts, strict=True)
        parts = [(f"map_{side}s({value})", part, children.get(side)) for side, part in sides]
    else:
        parts = [(value, kind.parts[0], children.get("child"))]
    conditions = []
    for items, part, inner in parts:
        item = f"x{depth}"
        if one := _within(item, part, inner, unfit, depth + 1):
            conditions.append(f"len(list_filter({items}, lambda {item}: {one})) > 0")
    return " OR ".join(f"({one})" for one in conditions)
