"""A value of a file becomes exactly its column's, or is none: nothing is rounded, cut, or taken for another, at any depth."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from shared_metadata.contract.parquet.exact_values import Value

TEXT = "VARCHAR"
# The value, its type in the file, the column's, and its text there; None where it is no value of the column.
CASES: list[tuple[str, str, str, str | None]] = [
    # Of texts DuckDB's casts take the beginning: duckdb/duckdb#14387 and its like of numbers, here of days, zones and fractions.
    ("'2026-01-01'", TEXT, "date", "2026-01-01"),
    ("' 2026-1-1 '", TEXT, "date", "2026-01-01"),
    ("'2026-01-01T00:00:00.000Z'", TEXT, "date", "2026-01-01"),
    ("'2026-01-01T00:00:00+02:00'", TEXT, "date", None),
    ("'2026-01-01 12:30:00'", TEXT, "date", None),
    ("'2026-01-01T12:30:00Z'", TEXT, "date", None),
    ("'2026-01-01x'", TEXT, "date", None),
    ("'epoch'", TEXT, "date", None),
    ("'2026-01-01'", TEXT, "timestamp", "2026-01-01 00:00:00"),
    ("'2026-01-01T10:00:00Z'", TEXT, "timestamp", "2026-01-01 10:00:00"),
    ("'2026-01-01 10:00:00.123456000'", TEXT, "timestamp", "2026-01-01 10:00:00.123456"),
    ("'2026-01-01T10:00:00+02:00'", TEXT, "timestamp", None),
    ("'2026-01-01 10:00:00.1234567'", TEXT, "timestamp", None),
    ("'2026-01-01T10:00:00.123456+02:00'", TEXT, "timestamptz", "2026-01-01 08:00:00.123456+00"),
    ("'2026-01-01T10:00:00+0530'", TEXT, "timestamptz", "2026-01-01 04:30:00+00"),
    ("'2026-01-01 10:00:00'", TEXT, "timestamptz", "2026-01-01 10:00:00+00"),
    ("'2026-01-01 10:00:00 Europe/Berlin'", TEXT, "timestamptz", "2026-01-01 09:00:00+00"),
    ("'2026-01-01T10:00:00.1234567Z'", TEXT, "timestamptz", None),
    ("'12:00:00.123'", TEXT, "time", "12:00:00.123"),
    ("'12:00:00Z'", TEXT, "time", "12:00:00"),
    ("'12:00:00+02'", TEXT, "time", None),
    ("'2026-01-01 12:00:00'", TEXT, "time", None),
    ("'0.1'", TEXT, "double", "0.1"),
    ("'-Infinity'", TEXT, "double", "-inf"),
    ("'1e400'", TEXT, "double", None),
    ("'1e39'", TEXT, "float", None),
    ("'3.0'", TEXT, "int", "3"),
    ("'1.5'", TEXT, "int", None),
    # Of values that another file, or an older one, has in another type.
    ("TIMESTAMP '2026-01-01'", "TIMESTAMP", "date", "2026-01-01"),
    ("TIMESTAMP '2026-01-01 12:30:00'", "TIMESTAMP", "date", None),
    ("TIMESTAMP '2026-01-01 12:30:00'", "TIMESTAMP", "time", None),
    ("TIMESTAMP_NS '2026-01-01 12:30:00.123456'", "TIMESTAMP_NS", "timestamp", "2026-01-01 12:30:00.123456"),
    ("TIMESTAMP_NS '2026-01-01 12:30:00.123456789'", "TIMESTAMP_NS", "timestamp", None),
    ("DATE '2026-01-01'", "DATE", "timestamp", "2026-01-01 00:00:00"),
    ("1", "INTEGER", "boolean", "true"),
    ("2", "INTEGER", "boolean", None),
    ("5::BIGINT", "BIGINT", "double", "5.0"),
    ("9007199254740993", "BIGINT", "double", None),
    ("16777217", "INTEGER", "float", None),
    ("0.5::DOUBLE", "DOUBLE", "float", "0.5"),
    ("'nan'::DOUBLE", "DOUBLE", "float", "nan"),
    ("0.1::DOUBLE", "DOUBLE", "float", None),
    ("1.10::DECIMAL(10,2)", "DECIMAL(10,2)", "double", "1.1"),
    ("12345678901234567.25::DECIMAL(20,2)", "DECIMAL(20,2)", "double", None),
    ("5", "INTEGER", "string", "5"),
    # And of what lies within lists, maps and structs.
    ("[1::DOUBLE, NULL]", "DOUBLE[]", "list<int>", "[1, NULL]"),
    ("[1.5::DOUBLE]", "DOUBLE[]", "list<int>", None),
    ("[TIMESTAMP '2026-01-01 12:30:00']", "TIMESTAMP[]", "list<date>", None),
    ("{'A': 1}", 'STRUCT("A" INTEGER)', "struct<a: long, c: string>", "{'a': 1, 'c': NULL}"),
    ("{'a': 1.5::DOUBLE}", "STRUCT(a DOUBLE)", "struct<a: int>", None),
    ("MAP {'k': 2}", "MAP(VARCHAR, INTEGER)", "map<string, long>", "{k=2}"),
    ("MAP {'k': 1.5::DOUBLE}", "MAP(VARCHAR, DOUBLE)", "map<string, int>", None),
    ("""'{"a": 1, "b": ["2026-01-01", null]}'""", TEXT, "struct<a: int, b: list<date>>", "{'a': 1, 'b': [2026-01-01, NULL]}"),
    ("""'{"a": 1, "b": ["2026-01-01 10:00"]}'""", TEXT, "struct<a: int, b: list<date>>", None),
    ("""'{"a": 1.5}'""", TEXT, "struct<a: int>", None),
    ("""'{"a": 1.239}'""", TEXT, "struct<a: decimal(10,2)>", None),
    ("""'[{"k": 1.5}]'""", TEXT, "list<map<string, int>>", None),
    ("'[1, 2, 3.0]'", TEXT, "list<int>", "[1, 2, 3]"),
    ("""'{"b": 1}'""", TEXT, "struct<a: int, b: int>", "{'a': NULL, 'b': 1}"),
    ("""'{"a": 1, "z": 1}'""", TEXT, "struct<a: int>", None),
    ("""'{"A": 1}'""", TEXT, "struct<a: int>", None),
    ("""'{"a": 1, "a": 2}'""", TEXT, "struct<a: int>", None),
    ("""'{"k": 1, "k": 2}'""", TEXT, "map<string, int>", None),
    ("""'[[], null, [{"a": 1, "a": 2}]]'""", TEXT, "list<list<struct<a: int>>>", None),
]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute("SET TimeZone = 'UTC'")
        yield made


@pytest.mark.parametrize(("given", "kind", "wanted", "becomes"), CASES, ids=[f"{c[0]}-{c[1]}-{c[2]}" for c in CASES])
def test_a_value_is_exact_or_none(
    connection: duckdb.DuckDBPyConnection, given: str, kind: str, wanted: str, becomes: str | None
) -> None:
    value = Value("v", kind).as_type(wanted)
    rows = f"(SELECT {given} AS v)"
    (misfit,) = connection.execute(f"SELECT coalesce({value.misfit or 'false'}, false) FROM {rows}").fetchone() or ()
    assert misfit == (becomes is None)
    if becomes is None:
        with pytest.raises(duckdb.InvalidInputException):
            connection.execute(f"SELECT {value.strict} FROM {rows}").fetchall()
    else:
        assert connection.execute(f"SELECT ({value.strict})::VARCHAR, ({value.lenient})::VARCHAR FROM {rows}").fetchone() == (
            becomes,
            becomes,
        )


@pytest.mark.parametrize("wanted", ["date", "timestamptz", "double", "list<int>", "struct<a: date>", "map<string, long>"])
def test_null_is_a_value_of_every_type_but_of_a_key(connection: duckdb.DuckDBPyConnection, wanted: str) -> None:
    value = Value("v", TEXT).as_type(wanted)
    rows = "(SELECT NULL::VARCHAR AS v)"
    found = f"SELECT coalesce({value.misfit}, false), {value.strict} IS NULL, coalesce({value.required().misfit}, false) FROM {rows}"
    assert connection.execute(found).fetchone() == (False, True, True)
