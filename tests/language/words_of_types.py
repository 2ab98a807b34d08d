"""The types of a schema as another reads DuckDB's words for them: sqlglot, which the compiler does not ask."""

from __future__ import annotations

import re
from functools import cache

from sqlglot import exp

T = exp.DType

_NAMES: dict[exp.DType, str] = {
    T.BOOLEAN: "boolean",
    T.TINYINT: "int",
    T.SMALLINT: "int",
    T.INT: "int",
    T.UTINYINT: "int",
    T.USMALLINT: "int",
    T.UINT: "long",
    T.BIGINT: "long",
    T.UBIGINT: "decimal(20,0)",
    T.INT128: "decimal(38,0)",
    T.UINT128: "decimal(38,0)",
    T.FLOAT: "float",
    T.DOUBLE: "double",
    T.DATE: "date",
    T.TIME: "time",
    T.TIMESTAMP: "timestamp",
    T.TIMESTAMPNTZ: "timestamp",
    T.DATETIME: "timestamp",
    T.TIMESTAMP_S: "timestamp",
    T.TIMESTAMP_MS: "timestamp",
    T.TIMESTAMPTZ: "timestamptz",
    T.TEXT: "string",
    T.VARCHAR: "string",
    T.CHAR: "string",
    T.NAME: "string",
    T.JSON: "string",
    T.ENUM: "string",
    T.UUID: "uuid",
    T.VARBINARY: "binary",
    T.BINARY: "binary",
    T.NULL: "int",  # a column of nothing but NULL: as DuckDB makes it
}
_TYPES = {
    "boolean": "BOOLEAN",
    "int": "INT",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "string": "TEXT",
    "uuid": "UUID",
    "binary": "VARBINARY",
}
_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")
_DEFAULT_DECIMAL = "decimal(18,3)"  # DuckDB's DECIMAL without parameters


def iceberg_name(data_type: exp.DataType | None) -> str | None:
    """'DECIMAL(10, 2)[]' ▸ 'list<decimal(10,2)>'; None for a type that is not known or that no table can hold."""
    if data_type is None:
        return None
    if data_type.this in (T.ARRAY, T.LIST):
        element = iceberg_name(data_type.expressions[0]) if data_type.expressions else None
        return f"list<{element}>" if element else None
    if data_type.this == T.DECIMAL:
        sizes = [int(e.name) for e in data_type.expressions]
        return f"decimal({sizes[0]},{sizes[1] if len(sizes) > 1 else 0})" if sizes else _DEFAULT_DECIMAL
    return _NAMES.get(data_type.this)


@cache
def data_type(name: str) -> exp.DataType:
    """'list<long>' ▸ BIGINT[]; UNKNOWN for a name that is none of a schema's. Shared: never change it."""
    if name.startswith("list<") and name.endswith(">"):
        return exp.DataType(this=T.ARRAY, expressions=[data_type(name[5:-1]).copy()], nested=True)
    if found := _DECIMAL.fullmatch(name):
        return exp.DataType.build(f"DECIMAL({found[1]}, {found[2]})")
    return exp.DataType.build(_TYPES[name]) if name in _TYPES else exp.DataType.build(T.UNKNOWN)
