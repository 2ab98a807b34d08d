"""One PostgreSQL server for the tests of this slice; each test has a database and a user of its own."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from slices.harness.postgres.tests.database import PASSWORD, Database
from tests.background import postgres_server
from tests.databases import lent


@pytest.fixture(scope="session")
def server() -> Iterator[tuple[str, int]]:
    """The folder of the server's socket and its port."""
    with postgres_server() as found:
        yield found


@pytest.fixture
def target(server: tuple[str, int]) -> Iterator[Database]:
    admin = f"host={server[0]} port={server[1]} dbname=postgres user=postgres"

    def make(name: str) -> None:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(PASSWORD)))
            owned = sql.SQL("CREATE DATABASE {0} STRATEGY FILE_COPY OWNER {0}").format(sql.Identifier(name))
            connection.execute(owned)

    def drop(name: str) -> None:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))

    with lent(*server, "published to", make, drop) as name:
        yield Database(*server, name)
