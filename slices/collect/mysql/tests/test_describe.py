"""Tables are found by the names that a program writes, and described without reading a row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared_metadata.program import Connection, Position
from shared_metadata.program.source_schemas import TableDefaults
from slices.collect.mysql.client import MysqlSource, open_source
from slices.collect.mysql.tests.test_types import lenient
from tests.mariadb import Database

SHOP = Connection("shop", "mysql", {"secret": "shop"}, Position("p.sql", 1, 1))


@pytest.fixture
def source(database: Database) -> Iterator[MysqlSource]:
    found = open_source(SHOP, database.secret, aws=None)
    yield found
    found.close()


def test_a_table_is_found_with_its_database_and_without_in_any_case_and_with_dots(source: MysqlSource, database: Database) -> None:
    lenient(database, "CREATE TABLE Orders (id int)", "CREATE TABLE orders (Other int)", "CREATE TABLE `a.b` (`C d` int)")
    lenient(database, "CREATE VIEW Seen AS SELECT id FROM Orders")
    name = database.name
    found = source.describe(["Orders", "orders", f"{name}.orders", "SEEN", "a.b", f"{name}.a.b", "mysql.user", "nowhere"])
    columns = {table: [(c.name, c.source) for c in schema.columns] if schema else None for table, schema in found.items()}
    assert columns == {
        **{"Orders": [("id", "id")], "orders": [("other", "Other")], f"{name}.orders": [("other", "Other")]},
        **{"SEEN": [("id", "id")], "a.b": [("c d", "C d")], f"{name}.a.b": [("c d", "C d")], "mysql.user": None, "nowhere": None},
    }
    assert source.tables() == sorted(f"{name}.{table}" for table in ("Orders", "orders", "a.b", "Seen"))


def test_columns_come_in_the_tables_order_with_what_they_are(source: MysqlSource, database: Database) -> None:
    hidden = "hidden int INVISIBLE DEFAULT 1, doubled int GENERATED ALWAYS AS (id * 2) STORED"
    lenient(database, f"CREATE TABLE t (id int NOT NULL, price decimal(8,3), {hidden}, at timestamp NULL)")
    schema = source.describe(["t"])["t"]
    assert schema and [(c.name, c.type, c.nullable, c.source_type) for c in schema.columns] == [
        ("id", "int", False, "int(11)"),
        ("price", "decimal(8,3)", True, "decimal(8,3)"),
        ("doubled", "int", True, "int(11)"),
        ("at", "timestamptz", True, "timestamp"),
    ]


def test_sizes_are_the_servers_estimates_and_of_a_view_there_are_none(source: MysqlSource, database: Database) -> None:
    lenient(database, "CREATE TABLE t (id int PRIMARY KEY, note text)", "INSERT INTO t SELECT seq, 'x' FROM seq_1_to_2000")
    lenient(database, "CREATE VIEW v AS SELECT * FROM t", "ANALYZE TABLE t")
    found = source.sizes(["t", "v", "nowhere"])
    assert found.keys() == {"t", "v"} and found["v"].rows is None
    assert 1000 < (found["t"].rows or 0) < 4000 and (found["t"].bytes or 0) > 2**15


def test_of_a_view_discover_tells_that_rows_leave_it_unseen(source: MysqlSource, database: Database) -> None:
    lenient(database, "CREATE TABLE t (id int PRIMARY KEY, ok int)", "CREATE VIEW v AS SELECT id FROM t WHERE ok = 1")
    told = source.notes(["t", "v", "nowhere"])
    assert list(told) == ["v"] and "leaves this view" in told["v"][0].text and "use REPLACE" in told["v"][0].text


def test_a_table_s_primary_key_is_told_in_its_order(source: MysqlSource, database: Database) -> None:
    lenient(database, "CREATE TABLE pair (a int, B int, PRIMARY KEY (B, a))", "CREATE TABLE unkeyed (a int UNIQUE)")
    lenient(
        database, "CREATE TABLE hidden (id int INVISIBLE PRIMARY KEY AUTO_INCREMENT, a int)", "CREATE VIEW v AS SELECT a FROM pair"
    )
    assert source.defaults(["pair", "unkeyed", "hidden", "v", "nowhere"]) == {"pair": TableDefaults(("b", "a"))}
