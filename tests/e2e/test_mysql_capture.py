"""A captured table of a MariaDB as a user has it, deployed: what changes at the source is so in the lake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.embedded import EmbeddedAws
from slices.collect.mysql.tests.captured import GRANTS, SETTINGS
from tests.e2e import one_program
from tests.e2e.captured import Deployed
from tests.mariadb import fresh_database, mariadb_server

pytestmark = [
    pytest.mark.xdist_group("mysql_capture"),
    pytest.mark.timeout(900),
    pytest.mark.budget(400),
    pytest.mark.deep,
    pytest.mark.nightly,
]
PROGRAM = Path(__file__).with_name("mysql_capture.sql")


@pytest.fixture(scope="module")
def deployed(own_aws: EmbeddedAws) -> Iterator[Deployed]:
    with mariadb_server(("--require-secure-transport=ON", *SETTINGS)) as server, fresh_database(server, GRANTS) as database:

        def run(*statements: str) -> list[tuple[Any, ...]]:
            with database.connect() as session, session.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall())

        run("CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(99), total decimal(12,2), note text)")
        run("INSERT INTO orders VALUES (1, 'Ann', 1.50, REPEAT('x', 9000)), (2, 'Ann', 2.25, NULL), (3, 'Björn', 0.10, '')")
        one_program.store_secret(own_aws, "shop", database.secret)
        with one_program.deployed(own_aws, PROGRAM, "CollectMysqlSlice", "OrganizeIcebergSlice") as target:
            yield Deployed(own_aws, target, "collect.mysql", run)


def test_what_changes_at_the_source_is_so_in_the_lake(deployed: Deployed) -> None:
    deployed.bring()
    assert [(row["id"], row["_deleted"]) for row in deployed.rows("orders")] == [(1, False), (2, False), (3, False)]
    deployed.run("UPDATE orders SET total = 9.99 WHERE id = 1", "DELETE FROM orders WHERE id = 3")
    deployed.run("INSERT INTO orders VALUES (4, 'Ann', 1, 'new')")
    deployed.bring()
    found = [(row["id"], str(row["total"]), len(row["note"] or ""), row["_deleted"]) for row in deployed.rows("orders")]
    assert found == [(1, "9.99", 9000, False), (2, "2.25", 0, False), (3, "0.10", 0, True), (4, "1.00", 3, False)]
    assert [(row["customer"], row["orders"], str(row["total"])) for row in deployed.rows("customers")] == [("Ann", 3, "13.24")]
    deployed.run("TRUNCATE orders", "INSERT INTO orders VALUES (5, 'Cem', 2, NULL)")
    deployed.bring()
    assert [row["id"] for row in deployed.rows("orders") if not row["_deleted"]] == [5]
    assert [row["customer"] for row in deployed.rows("customers")] == ["Cem"]
