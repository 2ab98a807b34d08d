"""Parquet: the file itself says its columns and their types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared_metadata.contract.own_columns import unlike
from shared_metadata.contract.parquet.duckdb_session import literal
from slices.collect.s3.formats.shape import ROW, Shape, Unreadable
from slices.collect.s3.types import iceberg_type

if TYPE_CHECKING:
    import duckdb
    from duckdb.sqltypes import DuckDBPyType

MOST_DIGITS = 38


class Parquet:
    name = "Parquet"
    exact = True
    extensions: tuple[str, ...] = ()

    def shape(self, connection: duckdb.DuckDBPyConnection, url: str, head: bytes, wanted: Sequence[str] = ()) -> Shape:
        relation = f"read_parquet({literal(url)}, hive_partitioning=false)"
        found = connection.sql(f"SELECT * FROM {relation}")
        columns = dict(zip(found.columns, found.types, strict=True))
        read = {name.lower() for name in wanted}
        for name, why in self._changed(connection, url, columns).items():
            if name.lower() in read:
                raise Unreadable(f"its column {name} {why}; name the others in a query, or write it otherwise")
        row = unlike(columns, ROW)  # DuckDB's own file_row_number is none of a file that has such a column
        return Shape(relation, columns, f"(SELECT *, row_number() OVER () AS {row} FROM {relation})", row=row)

    def _changed(self, connection: duckdb.DuckDBPyConnection, url: str, columns: Mapping[str, DuckDBPyType]) -> dict[str, str]:
        """Columns of which DuckDB makes other values without a word: https://github.com/duckdb/duckdb/pull/25058, and nanoseconds."""
        if not any(sign in str(kind) for kind in columns.values() for sign in ("DOUBLE", "TIME")):
            return {}
        sql = f"SELECT name, num_children, precision, logical_type::VARCHAR FROM parquet_schema({literal(url)})"
        (_, left, *_), *elements = connection.execute(sql).fetchall()
        found, waiting, column = dict[str, str](), [int(left or 0)], ""
        for name, children, precision, kind in elements:  # a tree, each node before its parts
            column = name if len(waiting) == 1 else column
            if precision and int(precision) > MOST_DIGITS:
                found[column] = f"is a decimal of {precision} digits, of which no more than {MOST_DIGITS} can be read"
            elif kind and kind.startswith("TimeType(") and "NANOS=Nano" in kind:
                found[column] = "has nanoseconds, of which a time keeps none"
            waiting[-1] -= 1
            waiting += [int(children)] if children else []
            while waiting and not waiting[-1]:
                waiting.pop()
        return found

    def typed(self, connection: duckdb.DuckDBPyConnection, shape: Shape) -> dict[str, str]:
        return {name: iceberg_type(kind) for name, kind in shape.columns.items()}
