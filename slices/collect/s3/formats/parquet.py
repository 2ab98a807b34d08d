"""Parquet: the file itself says its columns and their types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared_metadata.contract.parquet.duckdb_session import literal
from slices.collect.s3.formats.shape import Shape
from slices.collect.s3.types import iceberg_type

if TYPE_CHECKING:
    import duckdb

ROW = "file_row_number"


class Parquet:
    name = "Parquet"
    exact = True
    extensions: tuple[str, ...] = ()

    def shape(self, connection: duckdb.DuckDBPyConnection, url: str, head: bytes, wanted: Sequence[str] = ()) -> Shape:
        relation = f"read_parquet({literal(url)}, hive_partitioning=false)"
        found = connection.sql(f"SELECT * FROM {relation}")
        columns = dict(zip(found.columns, found.types, strict=True))
        rows = f"read_parquet({literal(url)}, file_row_number=true, hive_partitioning=false)"
        return Shape(relation, columns, f"(SELECT *, {ROW} + 1 AS atoll_row FROM {rows})")

    def typed(self, connection: duckdb.DuckDBPyConnection, shape: Shape) -> dict[str, str]:
        return {name: iceberg_type(kind) for name, kind in shape.columns.items()}
