"""Tells why values of a type cannot be published to a column of PostgreSQL, as one that would change them in silence. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from slices.harness.postgres.column_types import TAKEN_BY, takes
from systems.postgres.type_mapping import catalog_name, type_head

# Types of which a text such as 'now' or 'today' is read by the clock, as a time with the name of a zone is.
MOMENTS = frozenset({"date", "time", "timetz", "timestamp", "timestamptz"})
# Types that keep the beginning of a longer text: 63 bytes, and one.
CUTS = frozenset({"name", "char"})
BY_THE_CLOCK = "in which a text such as 'now' or 'today' would be the moment of publishing"
CUT = "which keeps no more than the beginning of a longer text"
ROUNDS = "which would round it"
# Type of PostgreSQL's own ▸ the types of its parts, where it is not known from the catalog.
_BOUNDS: Mapping[str, str] = {
    "daterange": "date", "tsrange": "timestamp", "tstzrange": "timestamptz",
    "datemultirange": "date", "tsmultirange": "timestamp", "tstzmultirange": "timestamptz",
}  # fmt: skip
_WORDS = {
    "character varying": "varchar", "character": "bpchar", '"char"': "char", "smallint": "int2", "bit varying": "varbit",
    "timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp",
    "time with time zone": "timetz", "time without time zone": "time",
}  # fmt: skip
_KNOWN = frozenset[str]().union(*TAKEN_BY.values()) | CUTS | _BOUNDS.keys() | {"interval"}


def why_not(column_type: str, base: str, parts: AbstractSet[str], iceberg_type: str) -> str:
    """Why a column takes no values of a type, in words that follow its own; '' where it takes them.

    column_type: with its modifiers.  base: as the catalog calls it.  parts: the types of elements, bounds and fields, and its own.
    """
    head = type_head(iceberg_type)
    if head == "list" and base.startswith("_"):
        return why_not(column_type.removesuffix("[]"), base[1:], parts - {base}, _innermost(iceberg_type))
    if not takes(base, iceberg_type):
        return f"which takes no {iceberg_type}"
    if _is_text(head) and parts & MOMENTS:
        return BY_THE_CLOCK
    if parts & CUTS and (_is_text(head) or head in ("list", "struct", "map")):
        return CUT
    return ROUNDS if _rounds(column_type, base, head, iceberg_type) else ""


def fits(source_type: str, iceberg_type: str) -> str:
    """The same by the word for a column's type in a snapshot, of types whose parts are known; '' where it cannot be told."""
    element = source_type.removesuffix("[]")
    plain = re.sub(r"\(.*?\)", "", element).strip()
    name = "interval" if plain.startswith("interval") else _WORDS.get(plain, catalog_name(plain))
    if name not in _KNOWN:
        return ""
    base = "_" + name if source_type.endswith("[]") else name
    return why_not(source_type, base, frozenset({base, name, _BOUNDS.get(name, name)}), iceberg_type)


def _is_text(head: str) -> bool:
    return head not in TAKEN_BY and head not in ("list", "struct", "map")


def _innermost(iceberg_type: str) -> str:
    """'list<list<int>>' ▸ 'int'; lists in lists are one array of more dimensions."""
    while (found := re.fullmatch(r"list<(.*)>", iceberg_type)) is not None:
        iceberg_type = found[1]
    return iceberg_type


def _rounds(column_type: str, base: str, head: str, iceberg_type: str) -> bool:
    """Whether it has fewer digits than the values may have. Of real and double precision everybody expects the nearest value."""
    if base == "interval":
        return column_type != "interval"
    digits = _digits_after_point(column_type, base)
    if digits is None or (head not in ("int", "long", "float", "double", "decimal") and not _is_text(head)):
        return False
    decimal = re.fullmatch(r"decimal\(\d+,\s*(\d+)\)", iceberg_type)
    ours = int(decimal[1]) if decimal else 0 if head in ("int", "long") else None
    return ours is None or ours > digits


def _digits_after_point(column_type: str, base: str) -> int | None:
    """Those of a numeric(p, s) or of money; None for a type that has no such bound."""
    if base == "money":
        return 2
    found = re.fullmatch(r"numeric\(\d+(?:,\s*(-?\d+))?\)", column_type)
    return int(found[1] or 0) if found else None
