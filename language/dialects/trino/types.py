"""Trino's types and those of a schema, both ways, and which of them become which by themselves.

https://trino.io/docs/current/language/types.html
"""

from __future__ import annotations

from sqlglot import exp

from language.sql.scope import UNKNOWN
from shared_metadata.program.type_names import TypeName, list_of, map_of, parsed, struct_of

_OF_SCHEMA = {
    **{"boolean": "boolean", "int": "integer", "long": "bigint", "float": "real", "double": "double", "string": "varchar"},
    **{"date": "date", "time": "time", "timestamp": "timestamp", "timestamptz": "timestamp with time zone"},
    **{"uuid": "uuid", "binary": "varbinary", "list": "array", "map": "map", "struct": "row", "decimal": "decimal"},
}
_TO_SCHEMA = {trino: word for word, trino in _OF_SCHEMA.items()} | {"tinyint": "int", "smallint": "int"}
_WHOLE = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}  # digits of each as a decimal
_NUMBERS = (*_WHOLE, "decimal", "real", "double")  # each becomes those after it
MOMENTS = ("date", "timestamp", "timestamp with time zone")
MAX_PRECISION = 38
_KINDS = {
    **{"TINYINT": "tinyint", "SMALLINT": "smallint", "INT": "integer", "BIGINT": "bigint", "FLOAT": "real", "DOUBLE": "double"},
    **{"BOOLEAN": "boolean", "VARCHAR": "varchar", "TEXT": "varchar", "CHAR": "varchar", "VARBINARY": "varbinary", "DATE": "date"},
    **{"TIME": "time", "TIMESTAMP": "timestamp", "TIMESTAMPTZ": "timestamp with time zone", "UUID": "uuid", "JSON": "json"},
}
BOOLEAN, VARCHAR, INTEGER, BIGINT, DOUBLE = map(TypeName, ("boolean", "varchar", "integer", "bigint", "double"))
MOMENT = TypeName("timestamp with time zone")
INTERVAL = TypeName("interval")


def trino_type(name: str) -> TypeName:
    """'list<long>' ▸ array(bigint)."""
    return _renamed(parsed(name))


def _renamed(found: TypeName) -> TypeName:
    return TypeName(_OF_SCHEMA[found.word], tuple(map(_renamed, found.parts)), found.fields, found.sizes)


def schema_type(kind: TypeName) -> str | None:
    """None for a type that no table can hold."""
    try:
        return str(_as_schema(kind))
    except (KeyError, ValueError):
        return None


def _as_schema(kind: TypeName) -> TypeName:
    word, parts = _TO_SCHEMA[kind.word], tuple(map(_as_schema, kind.parts))
    if word == "list":
        return list_of(*parts)
    if word == "map":
        return map_of(*parts)
    return struct_of(tuple(zip(kind.fields, parts, strict=True))) if word == "struct" else TypeName(word, sizes=kind.sizes)


def said(kind: TypeName) -> str:
    """The type as Trino writes it."""
    if kind.fields:
        return f"row({', '.join(f'{name} {said(part)}' for name, part in kind.named())})"
    if kind.parts or kind.sizes:
        return f"{kind.word}({', '.join(map(said, kind.parts)) or ','.join(map(str, kind.sizes))})"
    return "NULL" if kind == UNKNOWN else kind.word


def cast_type(node: exp.DataType) -> TypeName | None:
    """That of a CAST; None for one that is not known here."""
    word = node.this.name if isinstance(node.this, exp.DataType.Type) else ""
    if word == "DECIMAL":
        sizes = [int(size.name) for size in node.expressions]
        return TypeName("decimal", sizes=(*sizes, *(MAX_PRECISION, 0)[len(sizes) :]))
    if word in ("ARRAY", "MAP"):
        parts = [cast_type(part) for part in node.expressions if isinstance(part, exp.DataType)]
        return TypeName(word.lower(), tuple(filter(None, parts))) if parts and all(parts) else None
    if word == "STRUCT":
        fields = [(part.name, cast_type(part.args["kind"])) for part in node.expressions if isinstance(part, exp.ColumnDef)]
        known = [kind for _, kind in fields if kind is not None]
        return TypeName("row", tuple(known), tuple(n for n, _ in fields)) if known and len(known) == len(node.expressions) else None
    return TypeName(_KINDS[word]) if word in _KINDS else None


def is_number(kind: TypeName) -> bool:
    return kind.word in _NUMBERS


def common(one: TypeName, other: TypeName) -> TypeName | None:
    """The type that values of both become by themselves; None where there is none."""
    if one == other or other == UNKNOWN:
        return one
    if one == UNKNOWN:
        return other
    if is_number(one) and is_number(other):
        return _wider(one, other)
    if one.word in MOMENTS and other.word in MOMENTS:
        return max(one, other, key=lambda kind: MOMENTS.index(kind.word))
    if one.word == other.word and one.parts and len(one.parts) == len(other.parts):
        parts = [common(*pair) for pair in zip(one.parts, other.parts, strict=True)]
        return TypeName(one.word, tuple(filter(None, parts)), one.fields) if all(parts) else None
    return None


def becomes(kind: TypeName, wanted: TypeName) -> bool:
    found = common(kind, wanted)
    return found is not None and (found == wanted or (wanted == TypeName("decimal") and found.word == "decimal"))


def _wider(one: TypeName, other: TypeName) -> TypeName:
    word = max(one.word, other.word, key=_NUMBERS.index)
    if word != "decimal":
        return TypeName(word)
    (precision, scale), (more, other_scale) = as_decimal(one), as_decimal(other)
    scale, whole = max(scale, other_scale), max(precision - scale, more - other_scale)
    return TypeName("decimal", sizes=(min(MAX_PRECISION, whole + scale), scale))


def as_decimal(kind: TypeName) -> tuple[int, int]:
    """Precision and scale of a decimal or a whole number."""
    if kind.word in _WHOLE:
        return _WHOLE[kind.word], 0
    return (kind.sizes[0], kind.sizes[1]) if kind.sizes else (MAX_PRECISION, 0)


def arithmetic(sign: str, one: TypeName, other: TypeName) -> TypeName | None:
    """https://trino.io/docs/current/functions/decimal.html#binary-arithmetic-decimal-operators; None where it is not defined."""
    if one.word in MOMENTS or other.word in MOMENTS or INTERVAL in (one, other):
        return _of_moments(sign, one, other)
    wide = common(one, other)
    if wide is None or not is_number(wide):
        return wide if wide == UNKNOWN else None
    if wide.word != "decimal":
        return wide
    (p1, s1), (p2, s2) = as_decimal(one), as_decimal(other)
    precision, scale = {
        "+": (max(p1 - s1, p2 - s2) + max(s1, s2) + 1, max(s1, s2)),
        "*": (p1 + p2, s1 + s2),
        "/": (p1 + s2 + max(s2 - s1, 0), max(s1, s2)),
        "%": (min(p1 - s1, p2 - s2) + max(s1, s2), max(s1, s2)),
    }["+" if sign == "-" else sign]
    return TypeName("decimal", sizes=(min(MAX_PRECISION, precision), scale))


def _of_moments(sign: str, one: TypeName, other: TypeName) -> TypeName | None:
    if sign == "-" and one.word in MOMENTS and other.word in MOMENTS:
        return INTERVAL
    if sign in "+-" and other == INTERVAL and (one.word in MOMENTS or one in (INTERVAL, TypeName("time"))):
        return one
    if sign == "+" and one == INTERVAL and other.word in MOMENTS:
        return other
    return INTERVAL if sign in "*/" and one == INTERVAL and is_number(other) else None
