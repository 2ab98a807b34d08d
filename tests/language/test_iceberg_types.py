"""The compiler's types, DuckDB's and the ones that the Iceberg slice makes tables with are the same."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from language.dialects.duckdb.types import duckdb_type
from shared_metadata.program import type_names
from shared_metadata.program.type_names import TypeName, list_of, map_of, parsed, struct_of
from systems.iceberg import column_types
from tests.language.typed_query import typed

EVERY_TYPE = [
    *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
    *("FLOAT", "DOUBLE", "DECIMAL", "DECIMAL(9,4)", "DECIMAL(38,0)", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"),
    *("TIMESTAMP_NS", "TIMESTAMPTZ", "VARCHAR", "JSON", "UUID", "BLOB", "INTEGER[]", "VARCHAR[][]", "INTEGER[3]", "DECIMAL(5,1)[]"),
    *("INTERVAL", "BIT", "TIMETZ", "ENUM('x', 'y')", "UNION(a INTEGER)", "VARINT", "INTERVAL[]", "STRUCT(a BIT)"),
    *("STRUCT(a INTEGER)", "MAP(VARCHAR, INTEGER)", 'STRUCT("b c" STRUCT(d DATE[]), e MAP(INTEGER, DECIMAL(4,1)))'),
]


@pytest.mark.parametrize("name", EVERY_TYPE)
def test_a_type_becomes_the_same_in_the_compiler_and_in_the_table(name: str) -> None:
    described = duckdb.sql(f"DESCRIBE SELECT CAST(NULL AS {name}) AS c").fetchall()[0][1]
    found = typed(f"SELECT CAST(NULL AS {name}) AS c FROM t", {"t": {"a": "int"}})
    assert (found.columns[0].type or None) == column_types.iceberg_type(described)
    assert bool(found.problems) == (not found.columns[0].type)


_PLAIN = st.sampled_from([*map(parsed, sorted(type_names.PRIMITIVES)), TypeName("decimal", sizes=(18, 3))])
_FIELDS = st.lists(st.sampled_from(["a", "b c", "select", "Upper", 'q"uote', "x,y"]), min_size=1, max_size=3, unique=True)


def _nested(inner: st.SearchStrategy[TypeName]) -> st.SearchStrategy[TypeName]:
    structs = _FIELDS.flatmap(
        lambda names: st.tuples(*[inner] * len(names)).map(lambda p: struct_of(tuple(zip(names, p, strict=True))))
    )
    return st.one_of(inner.map(list_of), st.tuples(_PLAIN, inner).map(lambda pair: map_of(*pair)), structs)


@given(kind=st.recursive(_PLAIN, _nested, max_leaves=5))
def test_a_columns_type_of_any_nesting_goes_through_the_engine_unchanged(kind: TypeName) -> None:
    name = str(kind)
    assert [column.type for column in typed("SELECT c, [c] AS several FROM t", {"t": {"c": name}}).columns] == [name, f"list<{name}>"]
    assert column_types.iceberg_type(duckdb_type(name)) == name
