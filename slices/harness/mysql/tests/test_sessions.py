"""A server's own settings decide over nothing that is published."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from shared_metadata.program import BadRows, Mode
from slices.harness.mysql.tests.database import Database
from tests.conformance.fixtures import Cloud, open_cloud
from tests.conformance.harness import HarnessConformance, columns

HOSTILE: dict[str, Any] = {
    "sql_mode": "ANSI_QUOTES,PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH",  # not strict: what does not fit would be cut off
    "time_zone": "+05:30",
    "character_set_client": "latin1",
    "character_set_connection": "latin1",
    "character_set_results": "latin1",
    "foreign_key_checks": 0,
    "autocommit": 0,
    "tx_isolation": "READ-UNCOMMITTED",
    "sql_safe_updates": 1,
    "sql_select_limit": 1,
    "lock_wait_timeout": 0,
    "div_precision_increment": 0,
}
SHAPE = {"id": "long", "x": "string", "at": "timestamptz", "parent": "long"}
TABLE = """scorecard (id bigint PRIMARY KEY, x varchar(4) CHARACTER SET utf8mb4, at timestamp(6) NULL, parent bigint,
FOREIGN KEY (parent) REFERENCES parents (id))"""
AT = datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
ROW = {"id": 0, "x": "€\\'😀", "at": AT, "parent": None}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


@pytest.fixture
def hostile(target: Database) -> Iterator[Database]:
    """The server of this process, for one test."""
    before = {name: target.execute(f"SELECT @@GLOBAL.{name} AS v")[0]["v"] for name in HOSTILE}
    target.make("parents (id bigint PRIMARY KEY)")
    target.make(TABLE)
    for name, value in HOSTILE.items():
        target.execute(f"SET GLOBAL {name} = %s", [value])
    yield target
    with target.of.connect() as root, root.cursor() as cursor:
        for name, value in before.items():
            cursor.execute(f"SET GLOBAL {name} = %s", [value])


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.REPLACE])
def test_no_setting_of_the_server_changes_what_is_published(cloud: Cloud, hostile: Database, mode: Mode) -> None:
    options: dict[str, Any] = {"mode": mode, "key": ("id",), "bad_rows": BadRows(2)}
    publishing = HarnessConformance().way(cloud, hostile, columns(**SHAPE), **options)
    interval = publishing.publish([ROW, {**ROW, "id": 1, "x": "too long"}, {**ROW, "id": 2, "parent": 404}])
    assert len(publishing.rejected(interval)) == 2
    publishing.publish([ROW, {**ROW, "id": 3}])
    with hostile.of.connect() as root, root.cursor() as cursor:
        cursor.execute("SET SESSION sql_select_limit = DEFAULT, time_zone = '+00:00'")
        cursor.execute("SET SESSION sql_select_limit = 100")
        cursor.execute("SELECT id, x, at, parent FROM scorecard ORDER BY id")
        found = cursor.fetchall()
    at = AT.replace(tzinfo=None)
    assert found == ((0, "€\\'😀", at, None), (3, "€\\'😀", at, None))
