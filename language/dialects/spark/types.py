"""Spark's types and those of a schema, both ways, and which of them become which by themselves.

https://spark.apache.org/docs/3.5.6/sql-ref-ansi-compliance.html, https://iceberg.apache.org/docs/1.10.0/spark-getting-started/#type-compatibility
"""

from __future__ import annotations

from sqlglot import exp

from language.sql.scope import UNKNOWN
from shared_metadata.program.type_names import TypeName, list_of, map_of, parsed, struct_of

# A moment in UTC is Spark's TIMESTAMP, one of no zone its TIMESTAMP_NTZ; a uuid is read as a text; a table with a `time` not at all.
_OF_SCHEMA = {
    **{"boolean": "boolean", "int": "int", "long": "bigint", "float": "float", "double": "double", "string": "string"},
    **{"date": "date", "timestamp": "timestamp_ntz", "timestamptz": "timestamp", "uuid": "string", "time": "time"},
    **{"binary": "binary", "list": "array", "map": "map", "struct": "struct", "decimal": "decimal"},
}
_TO_SCHEMA = {spark: word for word, spark in _OF_SCHEMA.items() if word not in ("uuid", "time")} | {
    "tinyint": "int",
    "smallint": "int",
}
_WHOLE = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 20}  # digits of each as a decimal
_NUMBERS = (*_WHOLE, "decimal", "float", "double")
MOMENTS = ("date", "timestamp_ntz", "timestamp")
MAX_PRECISION, LEAST_SCALE = 38, 6  # the second: which a result that has too many digits keeps after its point
_KINDS = {
    **{"TINYINT": "tinyint", "SMALLINT": "smallint", "INT": "int", "BIGINT": "bigint", "FLOAT": "float", "DOUBLE": "double"},
    **{"BOOLEAN": "boolean", "TEXT": "string", "BINARY": "binary", "DATE": "date"},
    **{"TIMESTAMPTZ": "timestamp", "TIMESTAMPLTZ": "timestamp", "TIMESTAMPNTZ": "timestamp_ntz"},
}
BOOLEAN, STRING, INT, BIGINT, DOUBLE = map(TypeName, ("boolean", "string", "int", "bigint", "double"))
MOMENT = TypeName("timestamp")
# Of days alone, of what is shorter too, of months; what holds none of them as a column.
DAYS, DAY_TIME, MONTHS = map(TypeName, ("interval day", "interval day to second", "interval year to month"))
INTERVALS = (DAYS, DAY_TIME, MONTHS)


def spark_type(name: str) -> TypeName:
    """'list<long>' ▸ array<bigint>."""
    return _renamed(parsed(name))


def _renamed(found: TypeName) -> TypeName:
    return TypeName(_OF_SCHEMA[found.word], tuple(map(_renamed, found.parts)), found.fields, found.sizes)


def holds_time(kind: TypeName) -> bool:
    return kind.word == "time" or any(map(holds_time, kind.parts))


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
    """The type as Spark writes it."""
    if kind.fields:
        return f"struct<{', '.join(f'{name}: {said(part)}' for name, part in kind.named())}>"
    if kind.parts:
        return f"{kind.word}<{', '.join(map(said, kind.parts))}>"
    return f"{kind.word}({','.join(map(str, kind.sizes))})" if kind.sizes else "NULL" if kind == UNKNOWN else kind.word


def cast_type(node: exp.DataType) -> TypeName | None:
    """That of a CAST; None for one that is not known here."""
    word = node.this.name if isinstance(node.this, exp.DataType.Type) else ""
    if word == "DECIMAL":
        sizes = [int(size.name) for size in node.expressions]
        return TypeName("decimal", sizes=(*sizes, *(10, 0)[len(sizes) :]))
    if word in ("ARRAY", "MAP"):
        parts = [cast_type(part) for part in node.expressions if isinstance(part, exp.DataType)]
        return TypeName(word.lower(), tuple(filter(None, parts))) if parts and all(parts) else None
    if word == "STRUCT":
        fields = [(part.name, cast_type(part.args["kind"])) for part in node.expressions if isinstance(part, exp.ColumnDef)]
        known = [kind for _, kind in fields if kind is not None]
        return (
            TypeName("struct", tuple(known), tuple(n for n, _ in fields)) if known and len(known) == len(node.expressions) else None
        )
    return TypeName(_KINDS[word]) if word in _KINDS and not node.expressions else None


def is_number(kind: TypeName) -> bool:
    return kind.word in _NUMBERS


def is_whole(kind: TypeName) -> bool:
    return kind.word in _WHOLE


def common(one: TypeName, other: TypeName) -> TypeName | None:
    """The type that values of both become by themselves; None where there is none, and where a text would become a value.

    https://spark.apache.org/docs/3.5.6/sql-ref-ansi-compliance.html#least-common-type-resolution
    """
    if one == other or other == UNKNOWN:
        return one
    if one == UNKNOWN:
        return other
    if is_number(one) and is_number(other):
        return _wider(one, other)
    if one.word in MOMENTS and other.word in MOMENTS:
        return max(one, other, key=lambda kind: MOMENTS.index(kind.word))
    if one.word == other.word and one.parts and one.fields == other.fields and len(one.parts) == len(other.parts):
        parts = [common(*pair) for pair in zip(one.parts, other.parts, strict=True)]
        return TypeName(one.word, tuple(filter(None, parts)), one.fields) if all(parts) else None
    return None


def becomes(kind: TypeName, wanted: TypeName) -> bool:
    found = common(kind, wanted)
    return found is not None and (found == wanted or (wanted == TypeName("decimal") and found.word == "decimal"))


def _wider(one: TypeName, other: TypeName) -> TypeName:
    word = max(one.word, other.word, key=_NUMBERS.index)
    if word == "float":  # of a float and what is none, all digits are kept
        return DOUBLE if {one.word, other.word} - {"float", "tinyint", "smallint"} else TypeName("float")
    if word != "decimal":
        return TypeName(word)
    (precision, scale), (more, other_scale) = as_decimal(one), as_decimal(other)
    scale, whole = max(scale, other_scale), max(precision - scale, more - other_scale)
    return TypeName("decimal", sizes=(min(MAX_PRECISION, whole + scale), min(scale, MAX_PRECISION)))


def as_decimal(kind: TypeName) -> tuple[int, int]:
    """Precision and scale of a decimal or a whole number."""
    if kind.word in _WHOLE:
        return _WHOLE[kind.word], 0
    return (kind.sizes[0], kind.sizes[1]) if kind.sizes else (MAX_PRECISION, 0)


def fitted(precision: int, scale: int) -> TypeName:
    """A decimal of these digits; of too many, the whole ones stay as far as six stay after the point."""
    if precision > MAX_PRECISION:
        whole = precision - scale
        precision, scale = MAX_PRECISION, max(MAX_PRECISION - whole, min(scale, LEAST_SCALE))
    return TypeName("decimal", sizes=(precision, scale))


def arithmetic(sign: str, one: TypeName, other: TypeName) -> TypeName | None:
    """What an operator gives; None where it is not defined.

    https://github.com/apache/spark/blob/v3.5.6/sql/catalyst/src/main/scala/org/apache/spark/sql/catalyst/analysis/DecimalPrecision.scala
    """
    if one.word in MOMENTS or other.word in MOMENTS or one in INTERVALS or other in INTERVALS:
        return _of_moments(sign, one, other)
    wide = common(one, other)
    if wide is None or not is_number(wide):
        return wide if wide == UNKNOWN else None
    if sign == "DIV":
        return BIGINT if wide.word in (*_WHOLE, "decimal") else None
    if wide.word != "decimal":
        return DOUBLE if sign == "/" else wide
    (p1, s1), (p2, s2) = as_decimal(one), as_decimal(other)
    scale = max(s1, s2)
    if sign in "+-":
        return fitted(max(p1 - s1, p2 - s2) + scale + 1, scale)
    if sign == "*":
        return fitted(p1 + p2 + 1, s1 + s2)
    if sign == "%":
        return fitted(min(p1 - s1, p2 - s2) + scale, scale)
    scale = max(LEAST_SCALE, s1 + p2 + 1)
    return fitted(p1 - s1 + s2 + scale, scale)


def _of_moments(sign: str, one: TypeName, other: TypeName) -> TypeName | None:
    if sign == "-" and one.word in MOMENTS and other.word in MOMENTS:
        return DAYS if one.word == other.word == "date" else DAY_TIME
    if sign == "+" and one in INTERVALS:
        one, other = other, one
    if sign in "+-" and one.word in MOMENTS and other in INTERVALS:
        return MOMENT if one.word == "date" and other == DAY_TIME else one
    if sign in "+-" and one in INTERVALS and one == other:
        return one
    return None
