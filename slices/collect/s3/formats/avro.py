"""Avro: the file's schema says its columns and their types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared_metadata.contract.own_columns import unlike
from shared_metadata.contract.parquet.duckdb_session import literal
from slices.collect.s3.formats.shape import ROW, Shape
from slices.collect.s3.types import iceberg_type

if TYPE_CHECKING:
    import duckdb


class Avro:
    name = "Avro"
    exact = True
    extensions: tuple[str, ...] = ("avro",)

    def shape(self, connection: duckdb.DuckDBPyConnection, url: str, head: bytes, wanted: Sequence[str] = ()) -> Shape:
        relation = f"read_avro({literal(url)})"
        found = connection.sql(f"SELECT * FROM {relation}")
        columns = dict(zip(found.columns, found.types, strict=True))
        row = unlike(columns, ROW)
        return Shape(relation, columns, f"(SELECT *, row_number() OVER () AS {row} FROM {relation})", row=row)

    def typed(self, connection: duckdb.DuckDBPyConnection, shape: Shape) -> dict[str, str]:
        return {name: iceberg_type(kind) for name, kind in shape.columns.items()}
