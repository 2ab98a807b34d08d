"""Whether what a function in Python gives is what it was declared to give: names, types and nulls, each error naming the column."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pyarrow as pa

from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import TypeName, parsed

_PLAIN = {
    **{"boolean": pa.bool_(), "int": pa.int32(), "long": pa.int64(), "float": pa.float32(), "double": pa.float64()},
    **{"date": pa.date32(), "time": pa.time64("us"), "timestamp": pa.timestamp("us"), "timestamptz": pa.timestamp("us", "UTC")},
    **{"string": pa.string(), "binary": pa.binary()},
}


class Misfit(Exception):
    """What a function gives is not what it was declared to give. No value is in its text."""


@cache
def arrow_type(kind: str) -> pa.DataType:
    """A schema's type as Arrow has it. Raises KeyError for one that functions are not given."""
    return _arrow(parsed(kind))


def arrow_schema(columns: Sequence[SchemaColumn]) -> pa.Schema:
    return pa.schema([pa.field(column.name, arrow_type(column.type)) for column in columns])


def conformed(table: pa.Table, columns: Sequence[SchemaColumn]) -> pa.Table:
    """The table with these columns in their order and of their types. Raises Misfit."""
    found = [name.lower() for name in table.column_names]
    wanted = [column.name for column in columns]
    if missing := [name for name in wanted if name not in found]:
        raise Misfit(f"gave no column {missing[0]}, which RETURNS has")
    if more := [name for name in found if name not in wanted]:
        raise Misfit(f"gave a column {more[0] if more[0].isidentifier() else 'of another name'}, which RETURNS has not")
    if twice := [name for number, name in enumerate(found) if name in found[:number]]:
        raise Misfit(f"gave the column {twice[0]} twice")
    made = [_conformed(table.column(found.index(column.name)), column) for column in columns]
    return pa.table(made, schema=arrow_schema(columns))


def _conformed(values: pa.ChunkedArray, column: SchemaColumn) -> pa.ChunkedArray:
    wanted = arrow_type(column.type)
    if not column.nullable and values.null_count:
        raise Misfit(f"gave {values.null_count} nulls in {column.name}, which is NOT NULL")
    if values.type == wanted:
        return values
    if not _becomes(values.type, wanted):
        raise Misfit(f"gave {values.type} in {column.name}, which is {column.type}")
    try:
        return values.cast(wanted)
    except pa.ArrowInvalid:  # whose text quotes the value
        raise Misfit(f"gave a value of {values.type} in {column.name} that no {column.type} holds") from None


def _becomes(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether values of the one are of the other, each of them without loss or else refused by itself."""
    kinds = pa.types
    if found == wanted or kinds.is_null(found):
        return True
    if kinds.is_dictionary(found):
        return _becomes(found.value_type, wanted)
    if kinds.is_timestamp(wanted):
        return kinds.is_timestamp(found) and (found.tz is None) == (wanted.tz is None)
    if kinds.is_list(wanted):
        return (kinds.is_list(found) or kinds.is_large_list(found)) and _becomes(found.value_type, wanted.value_type)
    if kinds.is_struct(wanted):
        same = kinds.is_struct(found) and [field.name for field in found] == [field.name for field in wanted]
        return same and all(_becomes(one.type, other.type) for one, other in zip(found, wanted, strict=True))
    families = (
        (kinds.is_integer, lambda kind: kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind)),
        (lambda kind: kinds.is_float16(kind) or kinds.is_float32(kind), kinds.is_floating),
        (kinds.is_decimal, kinds.is_decimal),
        (lambda kind: kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind), kinds.is_string),
        (lambda kind: kinds.is_binary(kind) or kinds.is_large_binary(kind) or kinds.is_fixed_size_binary(kind), kinds.is_binary),
        (kinds.is_date, kinds.is_date),
        (kinds.is_time, kinds.is_time),
    )
    return any(of(found) and into(wanted) for of, into in families)


def _arrow(kind: TypeName) -> pa.DataType:
    if kind.word == "decimal":
        return pa.decimal128(*kind.sizes)
    if kind.word == "list":
        return pa.list_(_arrow(kind.parts[0]))
    if kind.word == "struct":
        return pa.struct([(name, _arrow(part)) for name, part in kind.named()])
    return _PLAIN[kind.word]
