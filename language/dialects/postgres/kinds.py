"""The types of PostgreSQL's expressions, and as what the collect slice loads each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from language.dialects.postgres import catalogue

MAX_PRECISION = 38  # of an Iceberg decimal
_LOADED = {
    **{"bool": "boolean", "int2": "int", "int4": "int", "int8": "long", "oid": "long", "float4": "float", "float8": "double"},
    **{"uuid": "uuid", "bytea": "binary", "date": "date", "time": "time", "timestamp": "timestamp", "timestamptz": "timestamptz"},
}
_LIST_ELEMENTS = ("bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "uuid")
_VECTORS = ("int2vector", "oidvector")
# https://www.postgresql.org/docs/current/datatype.html: how the types are called in SQL, where pg_type calls them otherwise
_WRITTEN = {
    **{"bool": "boolean", "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real", "float8": "double precision"},
    **{"varchar": "character varying", "bpchar": "character", "timestamptz": "timestamp with time zone", "varbit": "bit varying"},
    **{"timetz": "time with time zone", "timestamp": "timestamp", "time": "time"},
}


@dataclass(frozen=True)
class Kind:
    """name: in pg_type; one that is not there is a type of the database's own, of which nothing more is known.

    modifier: of numeric(10, 2) its numbers; of others only whether two are the same.  fields: of a row, where they are known.
    """

    name: str
    modifier: tuple[int, ...] = ()
    fields: tuple[tuple[str, Kind | None], ...] | None = None

    @property
    def is_own(self) -> bool:
        return self.name not in catalogue.types()

    def plain(self) -> Kind:
        return replace(self, modifier=())

    def __str__(self) -> str:
        if is_array(self.name):
            return f"{Kind(catalogue.types()[self.name].element, self.modifier)}[]"
        sizes = f"({', '.join(map(str, self.modifier))})" if self.modifier else ""
        return _WRITTEN.get(self.name, self.name) + sizes


UNKNOWN, TEXT, BOOL, RECORD = Kind("unknown"), Kind("text"), Kind("bool"), Kind("record")


def is_array(name: str) -> bool:
    found = catalogue.types().get(name)
    return found is not None and bool(found.element) and found.category == "A"


def element_of(kind: Kind) -> Kind | None:
    if kind.name.endswith("[]"):
        return Kind(kind.name[:-2])
    found = catalogue.types().get(kind.name)
    return Kind(found.element, kind.modifier) if found is not None and found.element else None


def array_of(kind: Kind) -> Kind | None:
    """None for what has no arrays."""
    if is_array(kind.name) or kind.name.endswith("[]"):
        return kind
    if kind.is_own:
        return Kind(f"{kind.name}[]")
    found = catalogue.types().get(kind.name)
    return Kind(found.array, kind.modifier) if found is not None and found.array else None


def loaded(kind: Kind) -> str:
    """The Iceberg type as which a column of this type is loaded; the slice's type_mapping does it."""
    if "<" in kind.name:  # said by a CAST, in the schema's own words
        return kind.name
    if kind.name == "numeric":
        return _numeric(kind.modifier)
    if is_array(kind.name) and kind.name not in _VECTORS:
        element = catalogue.types()[kind.name].element
        return f"list<{_LOADED.get(element, 'string')}>" if element in _LIST_ELEMENTS else "string"
    return _LOADED.get(kind.name, "string")


def _numeric(modifier: Sequence[int]) -> str:
    if not modifier:
        return "string"
    precision, scale = modifier[0], modifier[1] if len(modifier) > 1 else 0
    wide = max(precision - min(scale, 0), scale)
    return f"decimal({wide},{max(scale, 0)})" if wide <= MAX_PRECISION else "string"


@cache
def is_sortable(name: str) -> bool:
    """Whether ORDER BY, DISTINCT and GROUP BY can tell its values apart, as far as the type is known."""
    found = catalogue.types().get(name)
    if found is None or found.kind in "rmp" or found.category == "E":
        return True
    if found.element and found.category == "A":
        return is_sortable(found.element)
    alike = (
        target
        for (source, target), (context, method) in catalogue.casts().items()
        if source == name and (context, method) == ("i", "b")
    )
    return any(catalogue.compared(each) for each in (name, *alike))
