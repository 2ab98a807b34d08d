"""Leaves out the files of a table that can hold no key of a batch: between their bounds lies none.

A batch's keys are seldom one range: rows of today come beside one of years ago, and of composite keys each part says something.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema
from pyiceberg.types import PrimitiveType

from shared_metadata.program.schema import SchemaColumn
from systems.iceberg.engine import Engine

# Types of keys whose bounds are worth comparing, as expressions of what Iceberg counts in.
COUNTED = {"int": "{}", "long": "{}", "string": "{}", "date": "CAST({} - DATE '1970-01-01' AS BIGINT)"}


def pruned(engine: Engine, files: Sequence[DataFile], schema: Schema, key: Sequence[SchemaColumn]) -> list[DataFile]:
    """Those files that may hold a key of the table `incoming` (merging.py)."""
    left = list(files)
    for number, column in enumerate(key):
        if len(left) > 1 and column.type in COUNTED:
            left = _by_column(engine, left, schema, column, f"k{number}")
    return left


def _by_column(engine: Engine, files: list[DataFile], schema: Schema, column: SchemaColumn, name: str) -> list[DataFile]:
    infinite = f" OR isinf({name})" if column.type == "date" else ""
    if engine.fetch(f"SELECT count(*) FROM incoming WHERE {name} IS NULL{infinite}")[0][0]:
        return files
    bounds = {number: _bounds(file, schema, column.name) for number, file in enumerate(files)}
    known = {number: one for number, one in bounds.items() if one is not None}
    if not known:
        return files
    keys = f"SELECT DISTINCT {COUNTED[column.type].format(name)} AS key FROM incoming"
    lists = [list(known), [low for low, _ in known.values()], [high for _, high in known.values()]]
    met = engine.fetch(
        f"SELECT b.number FROM (SELECT unnest(?) AS number, unnest(?) AS low, unnest(?) AS high) b "
        f"ASOF JOIN ({keys}) n ON n.key >= b.low WHERE n.key <= b.high",
        lists,
    )
    stay = {number for (number,) in met} | (bounds.keys() - known.keys())
    return [file for number, file in enumerate(files) if number in stay]


def _bounds(file: DataFile, schema: Schema, column: str) -> tuple[object, object] | None:
    """The least and the greatest value of a column as Iceberg counts them; None where the file does not tell."""
    field = schema.find_field(column)
    low, high = ((bounds or {}).get(field.field_id) for bounds in (file.lower_bounds, file.upper_bounds))
    if low is None or high is None or not isinstance(field.field_type, PrimitiveType):
        return None
    return from_bytes(field.field_type, low), from_bytes(field.field_type, high)
