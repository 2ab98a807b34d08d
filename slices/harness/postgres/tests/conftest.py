"""One PostgreSQL server for the tests of this slice; each test has a database and a user of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from slices.harness.postgres.tests.database import PASSWORD, Database
from tests.background import postgres_server


@pytest.fixture(scope="session")
def server() -> Iterator[tuple[str, int]]:
    """The folder of the server's socket and its port."""
    with postgres_server() as found:
        yield found


@pytest.fixture
def target(server: tuple[str, int]) -> Iterator[Database]:
    name = f"t{uuid.uuid4().hex[:12]}"
    database = Database(*server, name)
    admin = database.admin.replace(f"dbname={name}", "dbname=postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(PASSWORD)))
        connection.execute(
            sql.SQL("CREATE DATABASE {} STRATEGY FILE_COPY OWNER {}").format(sql.Identifier(name), sql.Identifier(name))
        )
    yield database
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
