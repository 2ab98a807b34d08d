"""The compiler's types and the ones that the Iceberg slice makes tables with are the same."""

from __future__ import annotations

import duckdb
import pytest
from sqlglot import exp

from language.iceberg_types import data_type, iceberg_name
from slices.organize.iceberg.column_types import duckdb_type, iceberg_type

EVERY_TYPE = [
    *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
    *("FLOAT", "DOUBLE", "DECIMAL", "DECIMAL(9,4)", "DECIMAL(38,0)", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"),
    *("TIMESTAMP_NS", "TIMESTAMPTZ", "VARCHAR", "JSON", "UUID", "BLOB", "INTEGER[]", "VARCHAR[][]", "INTEGER[3]", "DECIMAL(5,1)[]"),
    *("INTERVAL", "BIT", "TIMETZ", "ENUM('x', 'y')"),
    *(pytest.param(name, marks=pytest.mark.xfail(strict=True)) for name in ("STRUCT(a INTEGER)", "MAP(VARCHAR, INTEGER)")),
]  # the last are known to the table only, so far


@pytest.mark.parametrize("name", EVERY_TYPE)
def test_a_type_becomes_the_same_in_the_compiler_and_in_the_table(name: str) -> None:
    described = duckdb.sql(f"DESCRIBE SELECT CAST(NULL AS {name}) AS c").fetchall()[0][1]
    assert iceberg_name(exp.DataType.build(name, dialect="duckdb")) == iceberg_type(described)


PLAIN = ["boolean", "int", "long", "float", "double", "date", "time", "timestamp", "timestamptz", "string", "uuid", "binary"]


@pytest.mark.parametrize("name", [*PLAIN, "decimal(18,3)", "list<long>", "list<list<decimal(4,1)>>"])
def test_a_table_s_type_is_read_back_as_it_was_written(name: str) -> None:
    assert iceberg_name(data_type(name)) == name == iceberg_type(duckdb_type(name))
