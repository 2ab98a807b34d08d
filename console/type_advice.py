"""Advises on types that the program may declare better than the source does."""

from __future__ import annotations

from collections.abc import Mapping

from shared_metadata.program.schema import Schema, SchemaColumn


def advice(tables: Mapping[str, Schema | None]) -> dict[str, str]:
    """'table.column' ▸ the type it is collected as, and the way to a better one."""
    found = {}
    for table, schema in sorted(tables.items()):
        for column in schema.columns if schema is not None else ():
            if column.source_type == "numeric" and column.type == "string":
                found[f"{table}.{column.name}"] = f"numeric without digits: text; {_cast(column)} makes it a number"
    return found


def _cast(column: SchemaColumn) -> str:
    name = column.source or column.name
    plain = name.isidentifier() and name == name.lower()
    quoted = name if plain else '"' + name.replace('"', '""') + '"'
    return f"CAST({quoted} AS DECIMAL(38, 9))"
