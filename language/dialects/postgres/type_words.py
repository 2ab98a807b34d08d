"""The types that a query's text names."""

from __future__ import annotations

from functools import cache

from language.dialects.postgres.context import Context
from language.dialects.postgres.kinds import Kind, array_of
from language.dialects.postgres.parser import Node, NotRead, Text, parse
from language.dialects.postgres.scope import Untold
from language.text.diagnostics import did_you_mean
from shared_metadata.program.type_names import TypeName, parsed

_SIZED = frozenset({"numeric", "varchar", "bpchar", "bit", "varbit", "timestamp", "timestamptz", "time", "timetz", "interval"})
_IN_DOCUMENTS = frozenset({"boolean", "int", "long", "double", "string"})
_NESTED = (
    'write it as in "struct<a: int, b: list<string>>" or "map<string, double>", of boolean, int, long, double and string: '
    "a date or a decimal in a document is a string there"
)
# What a misspelled name may have meant, as SQL writes it.
_KNOWN = (
    *("integer", "int", "bigint", "smallint", "numeric", "decimal", "real", "boolean", "text", "varchar", "char", "date", "time"),
    *("timestamp", "timestamptz", "interval", "uuid", "json", "jsonb", "bytea", "float", "int4", "int8", "float8", "inet", "xml"),
)


def named_kind(context: Context, node: Node) -> Kind | Untold | None:
    """The type of a TypeName; Untold for a type of the database's own, None and a problem for what is no type."""
    place = context.places.of({"typeName": node})
    if node.get("setof") or node.get("pct_type"):
        context.problem(place, "this is no type of a value", "name a type, as in integer")
        return None
    found = _kind(node)
    if not found.is_own:
        return found
    written = names_of(node)
    if len(written) == 1 and is_nested(written[0]):
        name = nested_name(written[0])
        if name is None:
            context.problem(place, "this names no list, map or struct", _NESTED)
        return Kind(name) if name is not None else None
    close = did_you_mean(written[-1], _KNOWN) if len(written) == 1 else ""
    if close:
        context.problem(place, f"there is no type `{written[-1]}`", close + "write a type that PostgreSQL has")
        return None
    name = ".".join(written)
    return Untold(
        place, f"`{name}` is none of PostgreSQL's own types", "CAST it further to the type that it is to have, as in CAST(… AS text)"
    )


def is_nested(name: str) -> bool:
    return "<" in name


def nested_name(written: str) -> str | None:
    """'struct<a:int>' ▸ 'struct<a: int>', of parts that a document can have; None for what is no such type."""
    try:
        found = parsed(written)
    except ValueError:
        return None
    return str(found) if found.parts and _possible(found) else None


def _possible(found: TypeName) -> bool:
    if found.word == "map" and found.parts[0].word != "string":
        return False
    return all(map(_possible, found.parts)) if found.parts else found.word in _IN_DOCUMENTS


def names_of(node: Node) -> list[str]:
    return [part["String"]["sval"] for part in node["names"]]


def _kind(node: Node) -> Kind:
    written = names_of(node)
    name = written[-1] if len(written) == 1 or written[0] == "pg_catalog" else ".".join(written)
    kind = Kind(name, _modifier(name, node))
    if node.get("arrayBounds") and not kind.is_own:
        return array_of(kind) or Kind(f"{name}[]")
    return Kind(f"{name}[]") if node.get("arrayBounds") else kind


def _modifier(name: str, node: Node) -> tuple[int, ...]:
    if name not in _SIZED:
        return ()
    found = [sizes.get("A_Const", {}).get("ival") for sizes in node.get("typmods", ())]
    return tuple(int(size.get("ival", 0)) for size in found if size is not None)


@cache
def source_kind(source_type: str) -> Kind:
    """A column's type, by the word that the catalog has for its type."""
    text = Text(f"SELECT NULL::{source_type}")
    try:
        node = parse(text)["SelectStmt"]["targetList"][0]["ResTarget"]["val"]["TypeCast"]["typeName"]
    except (NotRead, KeyError, IndexError):
        return Kind(source_type)
    found = _kind(node)
    return found if not found.is_own else Kind(source_type)
