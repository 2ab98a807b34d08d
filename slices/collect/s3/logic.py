"""Decides what columns a table has: those of its files, those in its objects' paths, and which object each row is of; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import unquote

from shared_metadata.contract.projection import place_of, projected
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Table
from shared_metadata.program.schema import Schema, SchemaColumn
from slices.collect.s3.objects import Found

MOST_PARTS = 40
PART_BYTES, PART_OBJECTS = 256 << 20, 2000
OBJECT = SchemaColumn("_object", "string", False, "_object", "key")
MODIFIED = SchemaColumn("_modified", "timestamptz", False, "_modified", "LastModified")
OWN = (OBJECT, MODIFIED)
PATH = "path"  # the type of a column that objects' paths hold
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # what Hive and Spark write for NULL


def path_values(prefix: str, key: str) -> dict[str, str | None]:
    """'orders/', 'orders/day=2026-01-01/x.csv' ▸ {'day': '2026-01-01'}: the folders that are named as Hive names partitions."""
    found: dict[str, str | None] = {}
    for folder in key[len(prefix) :].split("/")[:-1]:
        name, equals, value = folder.partition("=")
        if name and equals:
            found[unquote(name).lower()] = None if value == NO_VALUE else unquote(value)
    return found


def described(columns: Mapping[str, tuple[str, str]], path: Iterable[str]) -> Schema:
    """The columns of a file with these, name ▸ type in the warehouse and in the file, in a path with those."""
    found = {name.lower(): SchemaColumn(name.lower(), kind, True, name, word) for name, (kind, word) in columns.items()}
    for name in path:
        found.setdefault(name, SchemaColumn(name, "string", True, name, PATH))
    for column in OWN:
        found.pop(column.name, None)
    return Schema((*found.values(), *OWN))


def in_files(columns: Iterable[SchemaColumn]) -> list[str]:
    """The names of the columns that the files themselves hold."""
    elsewhere = {PATH, *(column.source_type for column in OWN)}
    return [column.source for column in columns if column.source and column.source_type not in elsewhere]


def with_types(found: Schema, known: Schema | None) -> Schema:
    """The columns of files of texts with the types that are known of them: another sample is no other type."""
    types = {column.source.lower(): (column.type, column.source_type) for column in known.columns} if known else {}
    columns = []
    for column in found.columns:
        kind, word = types.get(column.source.lower(), (column.type, column.source_type))
        columns.append(replace(column, type=kind if word == column.source_type else column.type))
    return Schema(tuple(columns))


def collected(flow: Flow, table: Table, known: Schema) -> Schema:
    """The columns that a flow collects, and `_batch`. Raises DefinitionError for one that is not there."""
    sources = {column.source.lower(): column for column in known.columns}

    def find(name: str, source: str) -> SchemaColumn:
        if (found := sources.get(source.lower())) is None:
            cause = f"the files of {table.source} have no column {source}"
            raise DefinitionError(cause, place=place_of(flow, table), remedy="change the program")
        return found

    return projected(flow, table, known, find)


def cut(objects: Iterable[Found], count: int, size: int) -> list[int]:
    """Where parts begin and end, in objects.  count, size: how many there are, and of how many bytes."""
    parts = min(MOST_PARTS, max(size // PART_BYTES, count // PART_OBJECTS) + 1)
    bounds, in_part, bytes_in_part = [0], 0, 0
    for at, found in enumerate(objects):
        full = bytes_in_part + found.size > size / parts * 1.05 or in_part >= count / parts * 2
        if in_part and len(bounds) < parts and full:
            bounds.append(at)
            in_part = bytes_in_part = 0
        in_part, bytes_in_part = in_part + 1, bytes_in_part + found.size
    return [*bounds, count]
