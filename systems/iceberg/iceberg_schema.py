"""The metadata layer's schemas as pyiceberg's, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count

from pyiceberg.schema import Schema as IcebergSchema
from pyiceberg.table import Table
from pyiceberg.table.update.schema import UpdateSchema
from pyiceberg.types import DecimalType, IcebergType, ListType, MapType, NestedField, PrimitiveType, StructType

from shared_metadata.contract.own_columns import VIEW_BATCH
from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.type_names import TypeName, list_of, map_of, parsed, struct_of

VALUE = {"list": "element", "map": "value"}  # what pyiceberg calls the part that can change
# Between a nested column and its parts: as Iceberg joins their names, and as Parquet does.
WITHIN = {"list": (("element",), ("list.element",)), "map": (("key", "value"), ("key_value.key", "key_value.value"))}


def columns_of(schema: IcebergSchema) -> tuple[SchemaColumn, ...]:
    """Raises DefinitionError for a column that another engine added, of a type that is none of ours."""
    return tuple(SchemaColumn(field.name, _type_of(field), not field.required) for field in schema.fields)


def _type_of(field: NestedField) -> str:
    try:
        return str(_named(field.field_type))
    except ValueError:
        raise DefinitionError(
            f"the table has a column {field.name} of the type {field.field_type}, which another engine gave it",
            remedy="drop the column there: tables are written by Atoll only",
        ) from None


def check_names(columns: Sequence[SchemaColumn], dataset: str, *, place: str) -> None:
    """Raises DefinitionError for a column that is called as a part of another is: Iceberg and Parquet join names by dots."""
    for way in (0, 1):
        seen: dict[str, str] = {}
        for column in columns:
            for name in _names_in(column.name, parsed(column.type), way):
                if name in seen and seen[name] != column.name:
                    raise DefinitionError(
                        f"the columns {seen[name]} and {column.name} of {dataset} both have a part that Iceberg calls {name}",
                        place=place,
                        remedy="give one of the two another name, without the dot",
                    )
                seen[name] = column.name


def _names_in(name: str, kind: TypeName, way: int) -> Iterator[str]:
    yield name
    inner = kind.fields if kind.word == "struct" else WITHIN.get(kind.word, ((), ()))[way]
    for part, of in zip(inner, kind.parts, strict=True):
        yield from _names_in(f"{name}.{part}", of, way)


def schema_of(table: Table, known: Sequence[SchemaColumn]) -> Schema:
    """The table's schema, with what is known of its columns' origin; without the hidden batch column."""
    origin = {c.name: c for c in known}
    return Schema(
        tuple(
            SchemaColumn(c.name, c.type, c.nullable, origin[c.name].source, origin[c.name].source_type) if c.name in origin else c
            for c in columns_of(table.schema())
            if c.name != VIEW_BATCH
        )
    )


def iceberg_schema(columns: Sequence[SchemaColumn]) -> IcebergSchema:
    """Field ids count from 1; those of what is nested follow."""
    nested = count(len(columns) + 1)
    fields = [NestedField(n, c.name, _iceberg(parsed(c.type), nested.__next__), required=False) for n, c in enumerate(columns, 1)]
    return IcebergSchema(*fields)


def parsed_type(type_name: str) -> IcebergType:
    """'list<decimal(10,2)>' as pyiceberg's."""
    return _iceberg(parsed(type_name), count(1).__next__)


def evolve(update: UpdateSchema, known: Sequence[SchemaColumn], changes: Sequence[tuple[str, str]]) -> None:
    """Adds columns, and what is new within them, and widens what is narrower. changes: column, type, as `evolution` says."""
    former = {c.name: parsed(c.type) for c in known}
    for name, type_name in changes:
        if name in former:
            _widen(update, (name,), former[name], parsed(type_name))
        else:
            update.add_column((name,), parsed_type(type_name))


def _widen(update: UpdateSchema, path: tuple[str, ...], former: TypeName, wide: TypeName) -> None:
    if former == wide:
        return
    if wide.word in VALUE:
        return _widen(update, (*path, VALUE[wide.word]), former.parts[-1], wide.parts[-1])
    if wide.word != "struct":
        update.update_column(path, field_type=_iceberg(wide, count(1).__next__))
        return
    fields = dict(former.named())
    for name, part in wide.named():
        if name in fields:
            _widen(update, (*path, name), fields[name], part)
        else:
            update.add_column((*path, name), _iceberg(part, count(1).__next__))


def _iceberg(kind: TypeName, next_id: Callable[[], int]) -> IcebergType:
    if kind.word == "list":
        return ListType(next_id(), _iceberg(kind.parts[0], next_id), element_required=False)
    if kind.word == "map":
        key, value = (_iceberg(part, next_id) for part in kind.parts)
        return MapType(next_id(), key, next_id(), value, value_required=False)
    if kind.word == "struct":
        return StructType(*(NestedField(next_id(), name, _iceberg(part, next_id), required=False) for name, part in kind.named()))
    return DecimalType(*kind.sizes) if kind.sizes else PrimitiveType.model_validate(kind.word)


def _named(kind: IcebergType) -> TypeName:
    if isinstance(kind, ListType):
        return list_of(_named(kind.element_type))
    if isinstance(kind, MapType):
        return map_of(_named(kind.key_type), _named(kind.value_type))
    if isinstance(kind, StructType):
        return struct_of(tuple((field.name, _named(field.field_type)) for field in kind.fields))
    return parsed(str(kind).replace(", ", ","))
