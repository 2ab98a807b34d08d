"""How DuckDB calls the types of columns: written here, and nowhere else. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.program.type_names import TypeName, parsed

PRIMITIVE_NAMES: Mapping[str, str] = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "string": "VARCHAR",
    "uuid": "UUID",
    "binary": "BLOB",
}


@cache
def duckdb_type(type_name: str) -> str:
    """'list<decimal(10,2)>' ▸ 'DECIMAL(10,2)[]'. Raises ValueError for a text that names no type of a column."""
    return duckdb_name(parsed(type_name))


def duckdb_name(kind: TypeName) -> str:
    if kind.word == "list":
        return f"{duckdb_name(kind.parts[0])}[]"
    if kind.word == "map":
        return f"MAP({', '.join(map(duckdb_name, kind.parts))})"
    if kind.word == "struct":
        return f"STRUCT({', '.join(f'{identifier(field)} {duckdb_name(part)}' for field, part in kind.named())})"
    return str(kind).upper() if kind.sizes else PRIMITIVE_NAMES[kind.word]
