"""Names of columns at their source."""

from __future__ import annotations

from shared_metadata.program.schema import SchemaColumn


def source_name(column: SchemaColumn) -> str:
    """The column's name at the source, without quotes."""
    name = column.source or column.name
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
