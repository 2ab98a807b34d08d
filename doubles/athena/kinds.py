"""Trino's types: how they are read, written, and held in DuckDB, and which of them become which by themselves.

https://trino.io/docs/current/language/types.html
"""

from __future__ import annotations

from pyiceberg.types import DecimalType, FixedType, IcebergType, ListType, MapType, StructType
from sqlglot import exp

from doubles.athena.errors import QueryFailed, unknown
from shared_metadata.program.type_names import TypeName as Kind

MOST_DIGITS = 38
WHOLE = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}  # digits of each as a decimal
NUMBERS = (*WHOLE, "decimal", "real", "double")  # each becomes those after it
INEXACT = ("real", "double")
MOMENTS = ("date", "timestamp", "timestamp with time zone")
BOOLEAN, VARCHAR, INTEGER, BIGINT, DOUBLE, REAL = map(Kind, ("boolean", "varchar", "integer", "bigint", "double", "real"))
DATE, VARBINARY, UNKNOWN = map(Kind, ("date", "varbinary", "unknown"))
DAYS, MONTHS = map(Kind, ("interval day to second", "interval year to month"))
ZONED = "timestamp with time zone"
_DUCK = {
    **{"boolean": "BOOLEAN", "tinyint": "TINYINT", "smallint": "SMALLINT", "integer": "INTEGER", "bigint": "BIGINT"},
    **{"real": "FLOAT", "double": "DOUBLE", "varchar": "VARCHAR", "varbinary": "BLOB", "date": "DATE", "time": "TIME"},
    **{"timestamp": "TIMESTAMP", ZONED: "TIMESTAMPTZ", "uuid": "UUID", "unknown": "INTEGER", "json": "JSON"},
}
_OF_ICEBERG = {
    **{"boolean": "boolean", "int": "integer", "long": "bigint", "float": "real", "double": "double", "string": "varchar"},
    **{"date": "date", "uuid": "uuid", "binary": "varbinary"},
}
_WRITTEN = {
    **{"BOOLEAN": "boolean", "TINYINT": "tinyint", "SMALLINT": "smallint", "INT": "integer", "BIGINT": "bigint", "FLOAT": "real"},
    **{"DOUBLE": "double", "VARCHAR": "varchar", "TEXT": "varchar", "VARBINARY": "varbinary", "DATE": "date", "UUID": "uuid"},
    "JSON": "json",
}
_PRECISE = {"TIME": "time", "TIMESTAMP": "timestamp", "TIMESTAMPTZ": ZONED}


def decimal(precision: int, scale: int) -> Kind:
    return Kind("decimal", sizes=(min(MOST_DIGITS, precision), scale))


_IN = f"{ZONED} in "


def zone_of(kind: Kind) -> str:
    """The zone of a moment that is shown in another than UTC; '' of any other value."""
    return kind.word.removeprefix(_IN) if kind.word.startswith(_IN) else ""


def of_zone(kind: Kind, zone: str) -> Kind:
    return Kind(_IN + zone, sizes=kind.sizes)


def plain(kind: Kind) -> Kind:
    """The type without a zone of its own."""
    return Kind(ZONED, sizes=kind.sizes) if zone_of(kind) else kind


def moment(word: str, digits: int) -> Kind:
    """digits: of a second, of which Iceberg has six."""
    return Kind(word, sizes=(digits,))


def of_iceberg(kind: IcebergType, *, fold: bool = True) -> Kind:
    """A column's, as Athena reads Iceberg's types; fold: the names of fields too, which Trino does.

    https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-supported-data-types.html
    """
    if isinstance(kind, DecimalType):
        return decimal(kind.precision, kind.scale)
    if isinstance(kind, ListType):
        return Kind("array", (of_iceberg(kind.element_type, fold=fold),))
    if isinstance(kind, MapType):
        return Kind("map", (of_iceberg(kind.key_type, fold=fold), of_iceberg(kind.value_type, fold=fold)))
    if isinstance(kind, StructType):
        names = tuple(field.name.lower() if fold else field.name for field in kind.fields)
        return Kind("row", tuple(of_iceberg(field.field_type, fold=fold) for field in kind.fields), names)
    if isinstance(kind, FixedType):
        return VARBINARY
    word = {"time": "time", "timestamp": "timestamp", "timestamptz": ZONED}.get(str(kind))
    if word is None and str(kind) not in _OF_ICEBERG:
        raise unknown(f"a column of the type {kind}")
    return moment(word, 6) if word else Kind(_OF_ICEBERG[str(kind)])


def read(node: exp.DataType) -> Kind:
    """The type of a CAST. A number of digits that is not written is that of Trino: 3 of a second, (38, 0) of a decimal."""
    word = node.this.name if isinstance(node.this, exp.DType) else ""
    sizes = [int(part.name) for part in node.expressions if isinstance(part, exp.DataTypeParam)]
    if word == "DECIMAL":
        return Kind("decimal", sizes=(*sizes, *(MOST_DIGITS, 0)[len(sizes) :]))
    if word in _PRECISE:
        digits = sizes[0] if sizes else 3
        if digits > 6:
            raise unknown(f"a moment with {digits} digits of a second")
        return moment(_PRECISE[word], digits)
    if word in ("ARRAY", "MAP"):
        return Kind(word.lower(), tuple(read(part) for part in node.expressions))
    if word == "STRUCT" and all(isinstance(part, exp.ColumnDef) for part in node.expressions):
        parts = node.expressions
        return Kind("row", tuple(read(part.args["kind"]) for part in parts), tuple(part.name.lower() for part in parts))
    if word not in _WRITTEN or (sizes and word != "VARCHAR"):
        raise unknown(f"the type {node.sql('trino')}")
    return Kind(_WRITTEN[word], sizes=tuple(sizes))


def said(kind: Kind) -> str:
    """As Trino writes it."""
    if kind.fields:
        return f"row({', '.join(f'{name} {said(part)}'.strip() for name, part in kind.named())})"
    if plain(kind).word == ZONED:
        return f"timestamp({kind.sizes[0]}) with time zone"
    if kind.parts or kind.sizes:
        return f"{kind.word}({', '.join(map(said, kind.parts)) or ','.join(map(str, kind.sizes))})"
    return kind.word


def duck(kind: Kind) -> str:
    """As DuckDB writes it."""
    if kind.word == "decimal":
        return f"DECIMAL({kind.sizes[0]},{kind.sizes[1]})"
    if kind.word == "array":
        return f"{duck(kind.parts[0])}[]"
    if kind.word == "map":
        return f"MAP({duck(kind.parts[0])}, {duck(kind.parts[1])})"
    if kind.word == "row":
        fields = zip(field_names(kind), kind.parts, strict=True)
        return "STRUCT({})".format(", ".join(f"{quoted(name)} {duck(part)}" for name, part in fields))
    word = plain(kind).word
    if word not in _DUCK:
        raise unknown(f"a value of the type {said(kind)} here")
    return _DUCK[word]


def field_names(kind: Kind) -> tuple[str, ...]:
    """The fields' of a row as DuckDB has them: those of ROW(…) have none of their own."""
    return tuple(name or f"field{number}" for number, name in enumerate(kind.fields))


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def common(one: Kind, other: Kind) -> Kind | None:
    """The type that values of both become by themselves; None where there is none."""
    if one == other or other == UNKNOWN:
        return one
    if one == UNKNOWN:
        return other
    if zone_of(one) != zone_of(other):
        raise unknown("moments of several zones together")
    if one.word in NUMBERS and other.word in NUMBERS:
        return _wider(one, other)
    if one.word in MOMENTS and other.word in MOMENTS:
        word = max(one.word, other.word, key=MOMENTS.index)
        return moment(word, max((*one.sizes, *other.sizes)))
    if one.word == other.word and not one.parts:  # of a text or a time with other digits
        return moment(one.word, max(one.sizes[0], other.sizes[0])) if one.word == "time" else Kind(one.word)
    if one.word == other.word and len(one.parts) == len(other.parts):
        parts = [common(*pair) for pair in zip(one.parts, other.parts, strict=True)]
        known = [part for part in parts if part is not None]
        return Kind(one.word, tuple(known), one.fields if any(one.fields) else other.fields) if len(known) == len(parts) else None
    return None


def becomes(kind: Kind, wanted: Kind) -> bool:
    return common(plain(kind), plain(wanted)) == plain(wanted)


def as_decimal(kind: Kind) -> tuple[int, int]:
    """Precision and scale of a decimal or a whole number."""
    return (kind.sizes[0], kind.sizes[1]) if kind.word == "decimal" else (WHOLE[kind.word], 0)


def _wider(one: Kind, other: Kind) -> Kind:
    word = max(one.word, other.word, key=NUMBERS.index)
    if word != "decimal":
        return Kind(word)
    (precision, scale), (more, other_scale) = as_decimal(one), as_decimal(other)
    scale, whole = max(scale, other_scale), max(precision - scale, more - other_scale)
    return decimal(whole + scale, scale)


def mismatch(message: str) -> QueryFailed:
    return QueryFailed("TYPE_MISMATCH", message)
