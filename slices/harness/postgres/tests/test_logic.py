"""The slice's decisions that need no database."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shared_metadata.errors import DefinitionError, SecretError
from shared_metadata.program import Connection, Position
from slices.harness.postgres.config import read_config
from systems.postgres.address import read_address
from systems.postgres.type_mapping import postgres_type
from systems.sql_target.table import table_name

PLACE = Position("program.sql", 3, 1)


@pytest.mark.parametrize(
    ("iceberg", "postgres"),
    [
        ("boolean", "boolean"),
        ("int", "integer"),
        ("decimal(38,9)", "numeric(38,9)"),
        ("timestamptz", "timestamptz"),
        ("binary", "bytea"),
        ("list<decimal(4,2)>", "numeric(4,2)[]"),
        ("list<list<int>>", "jsonb"),
        ("struct<a: int>", "jsonb"),
        ("something new", "text"),
    ],
)
def test_each_iceberg_type_has_a_postgres_type(iceberg: str, postgres: str) -> None:
    assert postgres_type(iceberg) == postgres


@pytest.mark.parametrize(
    ("dataset", "expected"), [("ops.public.t", ("public", "t")), ("ops.t", ("public", "t")), ("ops.sales.t", ("sales", "t"))]
)
def test_the_table_is_the_dataset_without_its_connection(dataset: str, expected: tuple[str, str]) -> None:
    assert table_name(dataset, "ops", "public") == expected


def test_a_wrong_option_names_itself_and_the_remedy() -> None:
    with pytest.raises(DefinitionError, match=r"ops .*receipts_schema") as caught:
        read_config(Connection("ops", "postgres", {"secret": "ops", "receipts_schema": ""}, PLACE))
    assert caught.value.place == "program.sql:3:1" and "receipts_schema" in caught.value.remedy


def test_a_wrong_secret_field_is_named_and_its_value_is_not() -> None:
    secret = {"host": "h", "dbname": "d", "username": "u", "password": "p4ssw0rd", "port": "s3cret-port"}
    with pytest.raises(SecretError, match="port") as caught:
        read_address(Connection("ops", "postgres", {"secret": "ops"}, PLACE), secret)
    assert "s3cret-port" not in str(caught.value) and "p4ssw0rd" not in str(caught.value)


def test_control_functions_load_nothing_heavy() -> None:
    heavy = "('pyarrow', 'duckdb', 'sqlglot', 'psycopg', 'pydantic')"
    program = f"import slices.harness.postgres.handlers, sys; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
