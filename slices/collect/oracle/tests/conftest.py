"""One double for the tests of this slice, or a real Oracle; each test has a schema of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slices.collect.oracle.tests.under_test import OracleUnderTest
from tests.conformance.collect import Collecting
from tests.conformance.fixtures import Cloud, cloud
from tests.oracle import REAL, Database, Server, fresh_database, oracle_server, real_database

__all__ = ["cloud"]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    if REAL:
        pytest.skip("of the double, which is asked for what a real Oracle does only for its administrator")
    with oracle_server() as found:
        yield found


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    if REAL:
        with real_database() as found:
            yield found
    else:
        with fresh_database(request.getfixturevalue("server")) as found:
            yield found


@pytest.fixture
def collecting(cloud: Cloud, database: Database) -> Collecting:
    """A flow over a table of the schema; the default mode is an incremental MERGE by `updated_at`."""
    return Collecting(cloud, OracleUnderTest(database))
