"""One PostgreSQL server for the tests of this slice; each test has a database and a reading user of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.under_test import PostgresUnderTest
from tests.background import postgres_server
from tests.conformance.collect import Collecting
from tests.conformance.fixtures import Cloud, cloud

__all__ = ["cloud"]


@pytest.fixture(scope="session")
def server() -> Iterator[tuple[str, int]]:
    """The folder of the server's socket and its port."""
    with postgres_server() as found:
        yield found


@pytest.fixture
def database(server: tuple[str, int]) -> Iterator[Database]:
    found = Database(*server, f"t{uuid.uuid4().hex[:12]}")
    found.create()
    yield found
    found.drop()


@pytest.fixture
def collecting(cloud: Cloud, database: Database) -> Collecting:
    """A flow over a table of the database; the default mode is an incremental MERGE by `updated_at`."""
    return Collecting(cloud, PostgresUnderTest(database))
