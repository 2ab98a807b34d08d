"""The partition of a file's rows: given exactly by the engine that wrote the file, and kept as Iceberg keeps one value.

Nothing is taken from footers: they hold bounds, of which long texts are cut, floats lack NaN, and others may be left out.
https://iceberg.apache.org/spec/#binary-single-value-serialization
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pyiceberg.conversions import from_bytes, to_bytes
from pyiceberg.types import PrimitiveType

from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.errors import DefinitionError, RowError
from shared_metadata.program.schema import SchemaColumn
from systems.iceberg import relations
from systems.iceberg.iceberg_schema import parsed_type

Partition = dict[str, list[str | None]]  # column ▸ its type, and its value's bytes in hexadecimal digits; None for null

_INTERNAL = {  # what Iceberg counts in, of types that Python has others for
    "date": "CAST({} - DATE '1970-01-01' AS BIGINT)",
    "time": "epoch_us({})",
    "timestamp": "epoch_us({})",
    "timestamptz": "epoch_us({})",
    "uuid": "CAST({} AS VARCHAR)",
}


def digest(partition_by: Sequence[str], relation: str) -> str:
    """The expression by which rows are told apart: other values have other texts, also -0.0 and 0.0, which SQL takes for equal.

    It names the folder that a file is written to, so a value may be longer than a file's name.
    """
    texts = (f"coalesce('=' || md5(CAST({relation}.{identifier(name)} AS VARCHAR)), '-')" for name in partition_by)
    return f"md5({' || '.join(texts)})"


def values(files: Sequence[str], columns: Sequence[SchemaColumn]) -> str:
    """The query of each file's values, in the order of columns, and whether each has no other."""
    found = [_INTERNAL.get(c.type, "{}").format(f"r.c{number}") for number, c in enumerate(columns)]
    distinct = " AND ".join(
        f"count(DISTINCT CAST(r.c{number} AS VARCHAR)) + CAST(count(r.c{number}) < count(*) AS INTEGER) = 1"
        for number in range(len(columns))
    )
    picked = ", ".join(f"any_value({one})" for one in found)
    return f"SELECT r.atoll_file, {distinct}, {picked} FROM {relations.numbered(files, columns)} r GROUP BY r.atoll_file"


def encoded(
    rows: Sequence[tuple[Any, ...]], columns: Sequence[SchemaColumn], *, place: str
) -> dict[str, dict[str, list[str | None]]]:
    """File ▸ its Partition, as JSON takes it, of what `values` gives."""
    found: dict[str, dict[str, list[str | None]]] = {}
    for url, exact, *picked in rows:
        if not exact:
            raise RowError("a file was written with rows of two partitions", place=place, remedy="this is a fault of the slice: tell")
        found[url] = {c.name: kept(c.type, value) for c, value in zip(columns, picked, strict=True)}
    return found


def kept(type_name: str, value: Any) -> list[str | None]:
    """The type and the value of one column, as JSON takes them; value: as pyiceberg has it."""
    return [type_name, _bytes(type_name, value)]


def decoded(partition: Partition, column: str) -> Any:
    """The value of a column as pyiceberg has it."""
    type_name, value = partition[column]
    return None if value is None else from_bytes(_primitive(type_name or ""), bytes.fromhex(value))


def check(column: str, type_name: str, *, place: str) -> None:
    """Raises DefinitionError for a column that no table can be partitioned by."""
    if not isinstance(parsed_type(type_name), PrimitiveType):
        raise DefinitionError(
            f"PARTITION BY names {column}, which is a {type_name}", place=place, remedy="name a column that is no list, map or struct"
        )


def _primitive(type_name: str) -> PrimitiveType:
    kind = parsed_type(type_name)
    if not isinstance(kind, PrimitiveType):
        raise TypeError(f"{type_name} has no single value")
    return kind


def _bytes(type_name: str, value: Any) -> str | None:
    if value is None:
        return None
    return to_bytes(_primitive(type_name), UUID(value) if isinstance(value, str) and type_name == "uuid" else value).hex()
