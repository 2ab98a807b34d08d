"""One PostgreSQL server for the tests of this slice; each test has a database and a reading user of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from slices.collect.postgres.tests.captured import SETTINGS, Capturing, lent_captured
from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.under_test import PostgresUnderTest
from tests.background import postgres_server
from tests.conformance.capture import Begins
from tests.conformance.capturing import CapturingSource
from tests.conformance.collect import Collecting
from tests.conformance.fixtures import Cloud, cloud
from tests.databases import lent

__all__ = ["cloud"]


@pytest.fixture(scope="session")
def server() -> Iterator[tuple[str, int]]:
    """The folder of the server's socket and its port."""
    with postgres_server() as found:
        yield found


@pytest.fixture
def database(server: tuple[str, int]) -> Iterator[Database]:
    with lent(*server, "read", lambda name: Database(*server, name).create(), lambda name: Database(*server, name).drop()) as name:
        yield Database(*server, name)


@pytest.fixture
def collecting(cloud: Cloud, database: Database) -> Collecting:
    """A flow over a table of the database; the default mode is an incremental MERGE by `updated_at`."""
    return Collecting(cloud, PostgresUnderTest(database))


@pytest.fixture(scope="session")
def logging_server() -> Iterator[tuple[str, int]]:
    """A server whose log tells what changes in rows."""
    with postgres_server(SETTINGS) as found:
        yield found


@pytest.fixture
def begins_capturing(logging_server: tuple[str, int]) -> Begins:
    @contextmanager
    def begins(cloud: Cloud) -> Iterator[Capturing]:
        with lent_captured(logging_server) as database:
            yield Capturing(cloud, database)

    return begins


@pytest.fixture
def capturing(cloud: Cloud, begins_capturing: Begins) -> Iterator[CapturingSource]:
    with begins_capturing(cloud) as found:
        yield found
