"""One MariaDB server for the tests of this slice; each test has a database and a user of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slices.harness.mysql.tests.database import GRANTS, Database
from tests import mariadb


@pytest.fixture(scope="session")
def server() -> Iterator[mariadb.Server]:
    with mariadb.mariadb_server() as found:
        yield found


@pytest.fixture
def target(server: mariadb.Server) -> Iterator[Database]:
    with mariadb.fresh_database(server, GRANTS) as found:
        made = Database(found)
        yield made
        made.drop_receipts()
