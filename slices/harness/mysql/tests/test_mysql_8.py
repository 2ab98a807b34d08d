"""What MySQL 8 tells otherwise than MariaDB, on which all other tests run: answers of its manual, and what becomes of them.

https://dev.mysql.com/doc/refman/8.4/en/information-schema-columns-table.html, …-statistics-table.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pymysql
import pytest

from shared_metadata.errors import AtollError, DefinitionError, RetryLater, RowError
from slices.harness.mysql import refusals
from slices.harness.mysql.catalog import read_table
from systems.mysql.catalog import TableName, columns_of
from systems.mysql.failures import connection_error
from systems.sql_target.table import TargetTable

# COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, whether it takes nulls, COLUMN_DEFAULT, EXTRA, CHARACTER_SET_NAME, COLLATION_NAME
COLUMNS = [
    ("my_row_id", "bigint unsigned", "bigint", 0, None, "AUTO_INCREMENT INVISIBLE", None, None),
    ("id", "int", "int", 0, None, "", None, None),
    ("made", "binary(16)", "binary", 0, "uuid_to_bin(uuid())", "DEFAULT_GENERATED", None, None),
    ("at", "timestamp", "timestamp", 0, "CURRENT_TIMESTAMP", "DEFAULT_GENERATED ON UPDATE CURRENT_TIMESTAMP", None, None),
    ("kept", "int", "int", 1, None, "STORED GENERATED", None, None),
    ("shown", "int", "int", 1, None, "VIRTUAL GENERATED INVISIBLE", None, None),
    ("j", "json", "json", 1, None, "", None, None),
    ("x", "varchar(9)", "varchar", 0, None, "", "utf8mb4", "utf8mb4_0900_ai_ci"),
    ("y", "varchar(9)", "varchar", 1, None, "", "utf8mb4", "utf8mb4_0900_bin"),
]
INDEXES = [("PRIMARY", "my_row_id", None), ("by_year", None, None), ("by_x", "x", 4), ("by_y", "y", None)]


def ask(question: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    if "information_schema.TABLES" in question:
        return [("shop", "t", "BASE TABLE", "InnoDB", "row_format=DYNAMIC partitioned")]
    if "information_schema.COLUMNS" in question:
        return COLUMNS
    return INDEXES if "information_schema.STATISTICS" in question else []


@pytest.fixture
def table() -> TargetTable:
    found = read_table(ask, "shop", "t")
    assert found is not None
    return found


def test_a_table_is_read_as_its_catalog_says_it(table: TargetTable) -> None:
    by_name = {column.name: column for column in table.columns}
    assert [name for name, column in by_name.items() if column.generated] == ["kept", "shown"]
    assert [name for name, column in by_name.items() if column.required] == ["id", "x"]
    assert [name for name, column in by_name.items() if column.fills] == ["my_row_id", "at"]
    assert table.partitioned and table.unique == (frozenset({"my_row_id"}), frozenset({"y"}))
    assert table.guards[1].columns == frozenset(by_name)  # an index over an expression may look at any of them
    assert by_name["y"].collation == " CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin"


# Number and text, as MySQL says them ▸ what they are, and what is told.
ERRORS: list[tuple[int, str, type[AtollError], str]] = [
    (3819, "Check constraint 'short' is violated.", RowError, "a row breaks a check constraint (short)"),
    (1062, "Duplicate entry 'v4lue' for key 't.by_y'", RowError, "a row breaks a unique constraint (by_y)"),
    (3751, "Data truncated for functional index 'by_year' at row 1", RowError, "does not fit an index over an expression"),
    (3903, "Invalid JSON value for CAST for expression index 'by_year'", RowError, "does not fit an index over an expression"),
    (3140, "Invalid JSON text: \"v4lue\" at position 0 in value for column 't.j'.", RowError, "a text is no JSON"),
    (3750, "Unable to create or change a table without a primary key", DefinitionError, "3750 TABLE_WITHOUT_PK"),
    (3572, "Statement aborted because lock(s) could not be acquired immediately and NOWAIT is set.", RetryLater, "3572 LOCK_NOWAIT"),
    (3024, "Query execution was interrupted, maximum statement execution time exceeded", RetryLater, "3024"),
    (4031, "The client was disconnected by the server because of inactivity.", RetryLater, "4031"),
    (1792, "Cannot execute statement in a READ ONLY transaction.", RetryLater, "1792"),
    (3101, "Plugin instructed the server to rollback the current transaction.", RetryLater, "3101"),
]


@pytest.mark.parametrize(("number", "said", "kind", "told"), ERRORS)
def test_its_errors_are_told_by_their_numbers(table: TargetTable, number: int, said: str, kind: type[AtollError], told: str) -> None:
    found = refusals.explained(pymysql.err.OperationalError(number, said), "here", table, "u", ())
    assert type(found) is kind and told in str(found) and "v4lue" not in str(found) and found.remedy


def test_a_user_of_a_plugin_that_the_driver_has_not_is_told_which_it_has() -> None:
    for number in (1251, 2059):
        said = connection_error(pymysql.err.OperationalError(number, "sha256_password"), "shop", "here")
        assert "caching_sha2_password" in said.remedy
    cleartext = connection_error(
        RuntimeError("'cryptography' package is required for sha256_password or caching_sha2_password"), "shop", "here"
    )
    assert "sslmode to require" in cleartext.remedy


def test_what_is_collected_of_it_is_described_by_its_words() -> None:
    """Displayed lengths are gone but of tinyint(1); a default that is an expression makes no generated column."""

    class Session:
        def cursor(self) -> Any:
            return self

        __enter__ = cursor

        def __exit__(self, *_: object) -> None: ...
        def execute(self, *_: object) -> None: ...
        def fetchall(self) -> list[tuple[Any, ...]]:
            return [
                ("flag", "tinyint", "tinyint(1)", "NO", 3, 0, ""),
                ("n", "int", "int unsigned", "NO", 10, 0, ""),
                ("at", "datetime", "datetime(6)", "NO", None, None, "DEFAULT_GENERATED on update CURRENT_TIMESTAMP(6)"),
                ("v", "int", "int", "YES", 10, 0, "VIRTUAL GENERATED"),
                ("my_row_id", "bigint", "bigint unsigned", "NO", 20, 0, "auto_increment INVISIBLE"),
            ]

    found = {column.name: column for column in columns_of(Session(), TableName("shop", "t"))}  # type: ignore[arg-type]
    assert [name for name, column in found.items() if column.computed] == ["v"]
    assert [name for name, column in found.items() if column.hidden] == ["my_row_id"]
    assert found["flag"].type.is_boolean and found["n"].type.unsigned
