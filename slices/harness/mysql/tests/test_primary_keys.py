"""A server that takes no table without a primary key, as clusters and some hosts want it: here by innodb_force_primary_key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared_metadata.errors import DefinitionError
from shared_metadata.program import BadRows, Mode
from slices.harness.mysql.tests.database import Database
from tests.conformance.fixtures import Cloud, open_cloud
from tests.conformance.harness import HarnessConformance, columns

ROWS = [{"id": 1, "x": "a"}, {"id": 1, "x": "a"}, {"id": 2, "x": "b"}]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


@pytest.fixture
def strict(target: Database) -> Iterator[Database]:
    target.of.server.run("SET GLOBAL innodb_force_primary_key = ON")
    try:
        yield target
    finally:
        target.of.server.run("SET GLOBAL innodb_force_primary_key = OFF")


@pytest.mark.parametrize("bad_rows", [None, BadRows(1)], ids=["", "tolerant"])
@pytest.mark.parametrize("mode", list(Mode))
def test_it_takes_all_tables_of_ours(cloud: Cloud, strict: Database, mode: Mode, bad_rows: BadRows | None) -> None:
    strict.execute("CREATE TABLE scorecard (id bigint, x varchar(9), n int AUTO_INCREMENT PRIMARY KEY)")
    rows = ROWS[1:] if mode == Mode.MERGE else ROWS
    key = ("id",) if mode == Mode.MERGE else ()
    publishing = HarnessConformance().way(cloud, strict, columns(id="long", x="string"), key=key, mode=mode, bad_rows=bad_rows)
    interval = publishing.publish(rows)
    assert sorted((row["id"], row["x"]) for row in strict.rows()) == sorted((row["id"], row["x"]) for row in rows)
    if mode != Mode.APPEND:
        publishing.publish(rows[1:], interval=interval)
        assert sorted(row["id"] for row in strict.rows()) == sorted(row["id"] for row in rows[1:])


def test_a_table_that_is_to_be_made_without_one_is_left_to_its_owner(cloud: Cloud, strict: Database) -> None:
    publishing = HarnessConformance().way(cloud, strict, columns(id="long", x="string"), key=(), mode=Mode.APPEND)
    with pytest.raises(DefinitionError) as caught:
        publishing.run(publishing.put_result(ROWS))
    assert "make the table yourself, with a PRIMARY KEY" in caught.value.remedy
