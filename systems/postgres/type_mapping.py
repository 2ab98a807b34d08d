"""The types of PostgreSQL and of Iceberg, in both directions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_PRECISION = 38  # of an Iceberg decimal
# PostgreSQL's own types ▸ Iceberg's; what is not here is text
_ICEBERG: Mapping[str, str] = {
    "bool": "boolean",
    "int2": "int",
    "int4": "int",
    "int8": "long",
    "oid": "long",
    "float4": "float",
    "float8": "double",
    "text": "string",
    "varchar": "string",
    **{name: name for name in ("uuid", "date", "time", "timestamp", "timestamptz")},
    "bytea": "binary",
}
_LIST_ELEMENTS = frozenset({"bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "uuid"})
# Iceberg's types ▸ those of the columns of a table that Atoll makes; what is not here is text
_MADE: Mapping[str, str] = {
    "boolean": "boolean",
    "int": "integer",
    "long": "bigint",
    "float": "real",
    "double": "double precision",
    **{name: name for name in ("date", "time", "timestamp", "timestamptz", "uuid")},
    "binary": "bytea",
}
# As a statement writes them ▸ as the catalog calls them
_CATALOG_NAMES = {"boolean": "bool", "integer": "int4", "bigint": "int8", "real": "float4", "double precision": "float8"}


@dataclass(frozen=True)
class SourceType:
    """A type as pg_type describes it.

    name: its name where it is PostgreSQL's own ('int4'), else ''.  kind: typtype ('b' base, 'c' composite, 'e' enum …).
    element: for arrays: the element's type.  modifier: the column's typmod, -1 for none.  dimensions: as declared, 0 if unknown.
    """

    name: str
    kind: str = "b"
    element: SourceType | None = None
    modifier: int = -1
    dimensions: int = 0


def iceberg_type(source: SourceType) -> str:
    """What the values of a PostgreSQL type are in a warehouse; of what is not known, text."""
    if source.kind == "c":
        return "string"
    if source.element is not None:
        is_list = source.dimensions <= 1 and source.element.name in _LIST_ELEMENTS
        return f"list<{_ICEBERG[source.element.name]}>" if is_list else "string"
    if source.name == "numeric":
        digits = decimal_digits(source.modifier)
        return "decimal({},{})".format(*digits) if digits else "string"
    return _ICEBERG.get(source.name, "string")


def decimal_digits(modifier: int) -> tuple[int, int] | None:
    """The precision and scale of the decimal that holds all of a numeric(p, s), also with PostgreSQL 15's negative scales and scales
    above the precision; None where there is none: text is exact then."""
    if modifier < 0:
        return None
    precision, scale = (modifier - 4) >> 16 & 0xFFFF, ((modifier - 4 & 0x7FF) ^ 1024) - 1024
    wide = max(precision - min(scale, 0), scale)
    return (wide, max(scale, 0)) if wide <= MAX_PRECISION else None


def postgres_type(iceberg: str) -> str:
    """The PostgreSQL type for a new column."""
    head = type_head(iceberg)
    if head == "decimal":
        return iceberg.replace("decimal", "numeric")
    if head == "list":
        inner = iceberg[len("list<") : -1]
        return "jsonb" if re.match(r"(list|struct|map)<", inner) else postgres_type(inner) + "[]"
    return "jsonb" if head in ("struct", "map") else _MADE.get(head, "text")


def type_head(iceberg: str) -> str:
    """'decimal(4,2)' ▸ 'decimal'."""
    return re.split(r"[(<]", iceberg, maxsplit=1)[0]


def catalog_name(kind: str) -> str:
    """'integer[]' ▸ '_int4': what the catalog calls a type that a statement writes."""
    if kind.endswith("[]"):
        return "_" + catalog_name(kind.removesuffix("[]"))
    return _CATALOG_NAMES.get(kind, kind.split("(")[0])
