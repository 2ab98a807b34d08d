"""The two slices of PostgreSQL see a table alike, so that one snapshot of a connection serves both."""

from __future__ import annotations

import pytest

from shared_metadata.program import Connection, Position
from shared_metadata.program.schema import SchemaColumn
from slices.collect.postgres.client import open_source
from slices.collect.postgres.tests.conftest import database, server
from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.test_types import OWN_TYPES, make_table
from slices.harness.postgres.discovery import PostgresCatalog
from systems.postgres.sessions import SETTINGS
from tests.conformance.postgres_settings import HOSTILE

__all__ = ["database", "server"]
NAMES = ["public.every", "public.nowhere"]
OPS = Connection("ops", "postgres", {"secret": "ops"}, Position("p.sql", 1, 1))


@pytest.fixture
def every_type(database: Database) -> Database:
    database.run(OWN_TYPES)
    make_table(database)
    database.run("CREATE DOMAIN cheap AS price; ALTER TABLE every ADD COLUMN low cheap NOT NULL DEFAULT 1")
    database.run(f'GRANT INSERT ON every TO "{database.user}"')
    return database


def test_collect_and_harness_describe_every_type_alike(every_type: Database) -> None:
    collects, publishes = open_source(OPS, every_type.secret, aws=None), PostgresCatalog(OPS, every_type.secret)
    try:
        collected, published = collects.describe(NAMES), publishes.describe(NAMES)
        names = collects.tables(), publishes.tables()
    finally:
        collects.close()
        publishes.close()
    read, written = collected["public.every"], published["public.every"]
    assert read and written and list(map(said, read.columns)) == list(map(said, written.columns))
    assert collected["public.nowhere"] is None and published["public.nowhere"] is None
    assert names == (["public.every"], ["public.every"])


def said(column: SchemaColumn) -> tuple[str, str, str, str]:
    """Without nullability: a value that Iceberg cannot hold is collected as null, and not published as one."""
    return column.name, column.type, column.source, column.source_type


def test_every_setting_that_is_settled_has_a_hostile_value_in_the_tests() -> None:
    assert HOSTILE.keys() == SETTINGS.keys()
    assert all(HOSTILE[name] != SETTINGS[name] for name in SETTINGS if name != "default_transaction_read_only")
