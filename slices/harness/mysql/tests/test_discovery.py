"""Tables to publish to, as the compiler is told of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection, Position
from slices.harness.mysql.discovery import MysqlCatalog
from slices.harness.mysql.tests.database import Database

SCORE = """CREATE TABLE score (id bigint AUTO_INCREMENT PRIMARY KEY, `Carrier` char(2) NOT NULL, amount decimal(18,2),
  big bigint unsigned, twice decimal(20,2) GENERATED ALWAYS AS (amount * 2) STORED, at datetime(3))"""


@pytest.fixture
def catalog(target: Database) -> Iterator[MysqlCatalog]:
    for statement in (SCORE, "CREATE VIEW shown AS SELECT id FROM score", "CREATE TABLE kept (x int) ENGINE=Aria"):
        target.execute(statement)
    place = Position("p.sql", 2, 3)
    opened = MysqlCatalog(Connection("ops", "mysql", {"secret": "ops", **target.options}, place), target.secret)
    yield opened
    opened.close()


def test_columns_are_told_with_their_own_words_and_in_order(catalog: MysqlCatalog, target: Database) -> None:
    described = catalog.describe([f"{target.name}.score"])[f"{target.name}.score"]
    assert described is not None
    assert [(c.name, c.type, c.nullable, c.source) for c in described.columns] == [
        ("id", "long", False, "id"),
        ("carrier", "string", False, "Carrier"),
        ("amount", "decimal(18,2)", True, "amount"),
        ("big", "decimal(20,0)", True, "big"),
        ("twice", "decimal(20,2)", True, "twice"),
        ("at", "timestamp", True, "at"),
    ]


def test_tables_are_found_as_a_program_names_them(catalog: MysqlCatalog, target: Database) -> None:
    upper = f"{target.name.upper()}.SCORE"
    found = catalog.describe(["score", upper, f"{target.name}.scores"])
    assert found["score"] == found[upper] is not None
    assert found[f"{target.name}.scores"] is None


def test_what_cannot_be_published_to_is_named_with_its_connection(catalog: MysqlCatalog, target: Database) -> None:
    with pytest.raises(DefinitionError, match=r"connection ops \(p.sql:2:3\): .*shown is a view"):
        catalog.describe([f"{target.name}.score", f"{target.name}.shown"])
    with pytest.raises(DefinitionError, match="kept is kept by Aria") as caught:
        catalog.describe(["kept"])
    assert caught.value.remedy == f"ALTER TABLE `{target.name}`.`kept` ENGINE=InnoDB"


def test_only_what_may_be_published_to_is_listed(catalog: MysqlCatalog, target: Database) -> None:
    assert catalog.tables() == [f"{target.name}.score"]
