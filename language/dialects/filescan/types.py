"""The types that a CAST over files may name, in DuckDB's words, and what they are called in a schema."""

from __future__ import annotations

from sqlglot import exp

from shared_metadata.program.type_names import TypeName, list_of, map_of, struct_of

_Kind = exp.DataType.Type
_WORDS = {
    _Kind.BOOLEAN: "boolean",
    **dict.fromkeys((_Kind.TINYINT, _Kind.SMALLINT, _Kind.INT), "int"),
    _Kind.BIGINT: "long",
    _Kind.FLOAT: "float",
    _Kind.DOUBLE: "double",
    _Kind.DATE: "date",
    _Kind.TIME: "time",
    _Kind.TIMESTAMP: "timestamp",
    _Kind.TIMESTAMPTZ: "timestamptz",
    **dict.fromkeys((_Kind.TEXT, _Kind.VARCHAR), "string"),
    _Kind.UUID: "uuid",
}
NAMES = "BOOLEAN, INTEGER, BIGINT, FLOAT, DOUBLE, DECIMAL(p,s), DATE, TIME, TIMESTAMP, TIMESTAMPTZ, VARCHAR, UUID, …[], STRUCT, MAP"


def named(kind: exp.DataType) -> TypeName | None:
    """The type as a schema calls it; None for one that no column may be cast to."""
    inner = kind.expressions
    if kind.this == _Kind.DECIMAL:
        sizes = tuple(int(size.name) for size in inner)
        return TypeName("decimal", sizes=(*sizes, 0)[:2] if sizes else (18, 3)) if all(size <= 38 for size in sizes) else None
    if kind.this in (_Kind.ARRAY, _Kind.LIST) and len(inner) == 1:
        element = named(inner[0])
        return list_of(element) if element else None
    if kind.this == _Kind.MAP and len(inner) == 2:
        key, value = map(named, inner)
        return map_of(key, value) if key and value else None
    if kind.this == _Kind.STRUCT:
        parts = [(part.this.name, named(part.args["kind"])) for part in inner if isinstance(part, exp.ColumnDef)]
        try:
            found = tuple((name, of) for name, of in parts if of)
            return struct_of(found) if len(found) == len(inner) else None
        except ValueError:
            return None
    return TypeName(_WORDS[kind.this]) if kind.this in _WORDS and not inner else None
