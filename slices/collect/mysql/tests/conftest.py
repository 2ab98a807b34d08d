"""One MariaDB for the tests of this slice; each test has a database and a reading user of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from slices.collect.mysql.tests import captured
from slices.collect.mysql.tests.captured import SETTINGS, Capturing
from slices.collect.mysql.tests.under_test import GRANTS, MysqlUnderTest
from tests.conformance.capture import Begins
from tests.conformance.capturing import CapturingSource
from tests.conformance.collect import Collecting
from tests.conformance.fixtures import Cloud, cloud
from tests.mariadb import Database, Server, fresh_database, mariadb_server

__all__ = ["cloud"]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with mariadb_server() as found:
        yield found


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    with fresh_database(server, GRANTS) as found:
        yield found


@pytest.fixture
def collecting(cloud: Cloud, database: Database) -> Collecting:
    """A flow over a table of the database; the default mode is an incremental MERGE by `updated_at`."""
    return Collecting(cloud, MysqlUnderTest(database))


@pytest.fixture(scope="session")
def logging_server() -> Iterator[Server]:
    """A server whose binary log tells what changes in rows."""
    with mariadb_server(SETTINGS) as found:
        yield found


@pytest.fixture
def begins_capturing(logging_server: Server) -> Begins:
    @contextmanager
    def begins(cloud: Cloud) -> Iterator[Capturing]:
        with fresh_database(logging_server, captured.GRANTS) as found:
            yield Capturing(cloud, found)

    return begins


@pytest.fixture
def capturing(cloud: Cloud, begins_capturing: Begins) -> Iterator[CapturingSource]:
    with begins_capturing(cloud) as found:
        yield found
