"""The types of MySQL and MariaDB, as the catalog describes them, and of Iceberg."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_PRECISION = 38  # of an Iceberg decimal
SPATIAL = frozenset(
    {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"}
    | {"geomcollection", "geometrycollection"}
)
BINARY = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"})
TEXT = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"})
# What is not here is text.
_ICEBERG: Mapping[str, str] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "year"), "int"),
    "float": "float",
    "double": "double",
    "date": "date",
    "datetime": "timestamp",
    "timestamp": "timestamptz",
    "uuid": "uuid",
    **dict.fromkeys(BINARY, "binary"),
}
UNSIGNED_LONG = "decimal(20,0)"  # a long ends where half of an unsigned one does


@dataclass(frozen=True)
class SourceType:
    """name: 'bigint' (DATA_TYPE).  written: 'bigint(20) unsigned' (COLUMN_TYPE).  precision, scale: of a decimal; bits of a BIT."""

    name: str
    written: str = ""
    precision: int = 0
    scale: int = 0

    @property
    def unsigned(self) -> bool:
        return " unsigned" in self.written

    @property
    def is_boolean(self) -> bool:
        """BOOLEAN is a TINYINT(1), and says no more of itself."""
        return self.written == "tinyint(1)" or (self.name == "bit" and self.precision == 1)


def iceberg_type(source: SourceType) -> str:
    """What the values of a type are in a warehouse; of what is not known, text."""
    if source.is_boolean:
        return "boolean"
    if source.name == "int":
        return "long" if source.unsigned else "int"
    if source.name == "bigint":
        return UNSIGNED_LONG if source.unsigned else "long"
    if source.name == "bit":
        return "long" if source.precision < 64 else UNSIGNED_LONG
    if source.name == "decimal":
        return f"decimal({source.precision},{source.scale})" if source.precision <= MAX_PRECISION else "string"
    return _ICEBERG.get(source.name, "string")


def type_word(written: str) -> str:
    """'decimal(12,2)' ▸ 'decimal', 'bigint unsigned' ▸ 'bigint'."""
    return re.split(r"[( ]", written, maxsplit=1)[0].lower()
