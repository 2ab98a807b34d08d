"""The metadata layer's schemas as pyiceberg's, and back."""

from __future__ import annotations

from collections.abc import Sequence

from pyiceberg.schema import Schema as IcebergSchema
from pyiceberg.table import Table
from pyiceberg.types import DecimalType, IcebergType, ListType, NestedField, PrimitiveType

from shared_metadata.records import Schema, SchemaColumn
from shared_metadata.type_widening import decimal
from slices.organize.iceberg import logic


def columns_of(schema: IcebergSchema) -> tuple[SchemaColumn, ...]:
    return tuple(SchemaColumn(field.name, _text(field.field_type), not field.required) for field in schema.fields)


def schema_of(table: Table, known: Sequence[SchemaColumn]) -> Schema:
    """The table's schema, with what is known of its columns' origin; without the hidden batch column."""
    origin = {c.name: c for c in known}
    return Schema(
        tuple(
            SchemaColumn(c.name, c.type, c.nullable, origin[c.name].source, origin[c.name].source_type) if c.name in origin else c
            for c in columns_of(table.schema())
            if c.name != logic.VIEW_BATCH
        )
    )


def iceberg_schema(columns: Sequence[SchemaColumn]) -> IcebergSchema:
    """Field ids count from 1; those of list elements after them."""
    fields = [NestedField(n, c.name, parsed_type(c.type, 10000 + 100 * n), required=False) for n, c in enumerate(columns, 1)]
    return IcebergSchema(*fields)


def parsed_type(type_name: str, element_id: int = 1) -> IcebergType:
    """'list<decimal(10,2)>' as pyiceberg's."""
    if type_name.startswith("list<"):
        return ListType(element_id, parsed_type(type_name[5:-1], element_id + 1), element_required=False)
    if found := decimal(type_name):
        return DecimalType(*found)
    return PrimitiveType.model_validate(type_name)


def _text(kind: IcebergType) -> str:
    return str(kind).replace(", ", ",")
