"""Changes are read from whatever server has the transactions: from a replica, and from the one that takes over."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from slices.collect.mysql.tests.captured import GRANTS, Capturing
from tests.conformance.capturing import begun
from tests.conformance.fixtures import Cloud
from tests.mariadb import Database, Server, replicated_servers

pytestmark = [pytest.mark.deep, pytest.mark.budget(60)]


@dataclass(frozen=True)
class Pair:
    """A database, and the replica of it."""

    source: Database
    replica: Database

    def caught_up(self) -> None:
        ((at,),) = self.source.run("SELECT @@gtid_binlog_pos")
        ((left,),) = self.replica.server.run("SELECT MASTER_GTID_WAIT(%s, 60)", (at,))
        assert left == 0


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    with replicated_servers("--binlog-format=ROW", "--binlog-row-metadata=FULL", "--log-slave-updates=ON") as both:
        yield both


@pytest.fixture
def pair(servers: tuple[Server, Server]) -> Iterator[Pair]:
    name = f"t{uuid.uuid4().hex[:12]}"
    found = Pair(Database(servers[0], name), Database(servers[1], name))
    found.source.create([*GRANTS, "SLAVE MONITOR ON *.*"])
    found.caught_up()
    yield found
    found.source.drop()


def test_a_replica_is_read_from_and_either_server_takes_over(cloud: Cloud, pair: Pair) -> None:
    writes = Capturing(cloud, pair.source)
    reads = Capturing(cloud, pair.replica)
    writes.make("id int PRIMARY KEY, name text")
    writes.all("INSERT INTO thing VALUES (1, 'one'), (2, 'two')")
    pair.caught_up()
    reads.apply()
    reads.run()
    writes.all("UPDATE thing SET name = 'uno' WHERE id = 1", "DELETE FROM thing WHERE id = 2")
    pair.caught_up()
    reads.run()
    assert (reads.rows(), reads.was_whole()) == ([{"id": 1, "name": "uno"}], False)
    reads.database = pair.source  # whose log has other files, and the same transactions
    writes.all("INSERT INTO thing VALUES (3, 'three')", "FLUSH BINARY LOGS", "DELETE FROM thing WHERE id = 1")
    reads.apply()
    reads.run()
    assert (reads.rows(), reads.was_whole()) == ([{"id": 3, "name": "three"}], False)


def test_a_replica_that_lacks_what_was_read_has_the_table_copied_anew(cloud: Cloud, pair: Pair) -> None:
    writes = Capturing(cloud, pair.source)
    writes.make("id int PRIMARY KEY, name text")
    begun(writes, "(1, 'one')")
    pair.caught_up()
    pair.replica.server.run("STOP SLAVE")
    try:
        writes.all("INSERT INTO thing VALUES (2, 'two')")
        writes.run()
        writes.database = pair.replica
        writes.apply()
        writes.run()
        assert (writes.rows(), writes.was_whole()) == ([{"id": 1, "name": "one"}], True)
    finally:
        pair.replica.server.run("START SLAVE")
    pair.caught_up()
    writes.run()
    assert [row["id"] for row in writes.rows()] == [1, 2]


def test_a_replica_that_does_not_log_what_it_replays_is_refused(cloud: Cloud, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    from slices.collect.mysql.capture import requirements

    Capturing(cloud, pair.source).make("id int PRIMARY KEY")
    pair.caught_up()
    first = requirements.first
    monkeypatch.setattr(
        requirements, "first", lambda session, sql, *more: ("", "OFF") if "log_slave" in sql else first(session, sql, *more)
    )
    capturing = Capturing(cloud, pair.replica)
    capturing.apply()
    run = capturing.run(record_errors=True)
    assert "is a replica that does not log what it replays Remedy: set log_replica_updates" in run.planned["failed"][0]["error"]
