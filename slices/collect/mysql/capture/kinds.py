"""The kind of literal of SQL as which a column's values are told, by its type; no I/O."""

from __future__ import annotations

from systems.mysql.type_mapping import SPATIAL, TEXT, SourceType

_NUMBERS = frozenset({"tinyint", "smallint", "mediumint", "int", "year"})
_WORDS = {
    "decimal": "decimal",
    "float": "float",
    "double": "float",
    "date": "date",
    "datetime": "datetime",
    "timestamp": "timestamp",
    "time": "time",
}
_BLOBS = frozenset({"varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
# Of what a key may be: the same value has one literal, and the server compares it as it stands.
KEYS = ("number", "unsigned", "decimal", "text", "binary", "date", "datetime", "timestamp")
_NULLS = {
    **{"number": "CAST(NULL AS SIGNED)", "unsigned": "CAST(NULL AS UNSIGNED)", "float": "(NULL + 0e0)"},
    **{"text": "CAST(NULL AS CHAR)", "binary": "CAST(NULL AS BINARY)", "": "CAST(NULL AS CHAR)"},
    **{"decimal": "CAST(NULL AS DECIMAL(65,0))", "date": "CAST(NULL AS DATE)", "time": "CAST(NULL AS TIME)"},
    **{"datetime": "CAST(NULL AS DATETIME(6))", "timestamp": "CAST(NULL AS DATETIME(6))", "shape": "ST_GeomFromText(NULL)"},
}


def kind_of(source: SourceType, charset: str, length: int) -> str:
    """'number', 'text latin1', 'binary 16' …; no literal says a value of "" and of a shape, but null. length: of BINARY, in bytes."""
    if source.name == "bit" or (source.name == "bigint" and source.unsigned):
        return "unsigned"  # together with others a server would make decimals of them
    if source.name in _NUMBERS or source.name == "bigint":
        return "number"
    if source.name in TEXT - {"enum", "set"}:
        return f"text {charset}" if charset else ""
    if source.name in SPATIAL:
        return "shape"
    if source.name == "binary":
        return f"binary {length}"
    return "binary" if source.name in _BLOBS else _WORDS.get(source.name, "")


def null_of(kind: str) -> str:
    """A null of the kind's type, since one alone has none."""
    return _NULLS[kind.partition(" ")[0]]


def may_be_key(kind: str, source: SourceType) -> bool:
    return kind.partition(" ")[0] in KEYS and source.name != "bit"
