"""Column types between DuckDB and Iceberg."""

import duckdb
import pytest
from hypothesis import given

from shared_metadata.contract.evolution import evolution
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import TypeName
from shared_metadata.program.type_widening import widened
from systems.iceberg.column_types import iceberg_type, result_columns
from systems.iceberg.iceberg_schema import columns_of, iceberg_schema
from tests.metadata.test_type_names import TYPES


def described(expression: str) -> str:
    """DuckDB's own name of the expression's type."""
    with duckdb.connect() as connection:
        return str(connection.execute(f"DESCRIBE SELECT {expression} AS c").fetchall()[0][1])


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("expression", "kept"),
    [
        ("1::UTINYINT", "int"),
        ("1::UINTEGER", "long"),
        ("1::UBIGINT", "decimal(20,0)"),
        ("1::HUGEINT", "decimal(38,0)"),
        ("1.5", "decimal(2,1)"),
        ("'a'::ENUM('a', 'b')", "string"),
        ("'{}'::JSON", "string"),
        ("TIMESTAMP_MS '2026-01-01'", "timestamp"),
        ("now()", "timestamptz"),
        ("uuid()", "uuid"),
        ("'x'::BLOB", "binary"),
        ("[[1.5]]", "list<list<decimal(2,1)>>"),
        ("[1]::INTEGER[1]", "list<int>"),
        ("NULL", "int"),
        ("{'a': 1, 'b c': [1.5]}", 'struct<a: int, "b c": list<decimal(2,1)>>'),
        ("MAP {'k': {'v': 'a'::ENUM('a', 'b,)')}}", "map<string, struct<v: string>>"),
        ("[{'a': TIMESTAMP_S '2026-01-01'}]", "list<struct<a: timestamp>>"),
    ],
)
def test_what_duckdb_gives_becomes_a_type_that_reads_back(expression: str, kept: str) -> None:
    assert iceberg_type(described(expression)) == kept
    assert iceberg_type(described(f"CAST({expression} AS {duckdb_type(kept)})")) == kept


@pytest.mark.parametrize(
    "expression",
    ["row(1, 2)", "union_value(a := 1)", "INTERVAL 1 DAY", "'10:00+00'::TIMETZ", "[{'a': BIT '1'}]", "TIMESTAMP_NS '2026-01-01'"],
)
def test_a_type_without_a_place_in_a_table_says_to_cast(expression: str) -> None:
    with pytest.raises(DefinitionError, match=r"p:1:1: the column c .* CAST\(c AS VARCHAR\)"):
        result_columns([("c", described(expression))], place="p:1:1")


@given(TYPES)
def test_a_schema_of_any_nesting_is_the_same_as_icebergs_and_as_duckdbs(kind: TypeName) -> None:
    name = str(kind)
    assert columns_of(iceberg_schema([SchemaColumn("c", name)])) == (SchemaColumn("c", name),)
    assert iceberg_type(duckdb_type(name)) == name


def test_two_columns_of_one_folded_name_are_refused() -> None:
    with pytest.raises(DefinitionError, match="two columns are named day"):
        result_columns([("Day", "DATE"), ("day", "DATE")], place="p:1:1")


@pytest.mark.parametrize(
    ("former", "new", "expected"),
    [
        ("int", "long", "long"),
        ("long", "int", "long"),
        ("float", "double", "double"),
        ("decimal(5,2)", "decimal(9,2)", "decimal(9,2)"),
        ("decimal(9,2)", "decimal(5,2)", "decimal(9,2)"),
        ("decimal(5,2)", "decimal(9,3)", None),
        ("long", "double", None),
        ("string", "int", None),
    ],
)
def test_a_column_becomes_only_what_holds_both(former: str, new: str, expected: str | None) -> None:
    assert widened(former, new) == expected


def test_evolution_adds_and_widens_and_leaves_the_rest() -> None:
    known = [SchemaColumn("a", "int"), SchemaColumn("gone", "string"), SchemaColumn("wide", "long")]
    rows = [SchemaColumn("a", "long"), SchemaColumn("wide", "int"), SchemaColumn("new", "date")]
    assert evolution(known, rows, "lake.a.b", place="") == {"a": "long", "new": "date"}
