"""A replica that is behind loses no row: what its source had committed by then is settled, and nothing else."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared_metadata.program import Mode
from slices.collect.mysql import horizon
from slices.collect.mysql.client import open_source
from slices.collect.mysql.tests.test_cursors import APPENDED, MERGED, collect, ids
from slices.collect.mysql.tests.under_test import GRANTS, MysqlUnderTest
from tests.conformance.collect import Collecting
from tests.conformance.fixtures import Cloud
from tests.mariadb import Database, Server, replicated_servers

pytestmark = [pytest.mark.deep, pytest.mark.budget(60)]
MAY_ASK = "SLAVE MONITOR ON *.*"
HOURS = timedelta(hours=3)  # that the replica is behind


@dataclass(frozen=True)
class Replicated:
    """A database, and the replica of it that is collected from."""

    source: Database
    replica: Database

    def caught_up(self) -> None:
        """What the source has written is on the replica."""
        ((at,),) = self.source.run("SELECT @@gtid_binlog_pos")
        ((left,),) = self.replica.server.run("SELECT MASTER_GTID_WAIT(%s, 30)", (at,))
        assert left == 0

    @contextmanager
    def behind(self, since: datetime) -> Iterator[None]:
        """Nothing is replayed meanwhile, and what is to be is of this moment."""
        with self.replica.server.connect() as session, session.cursor() as cursor:
            cursor.execute("FLUSH TABLES WITH READ LOCK")
            self.put(0, since)
            until = time.monotonic() + 30
            while not self.seconds_behind():
                assert time.monotonic() < until
                time.sleep(0.05)
            yield

    def seconds_behind(self) -> int | None:
        from pymysql.cursors import DictCursor

        with self.replica.server.connect() as session, session.cursor(DictCursor) as cursor:
            cursor.execute("SHOW ALL SLAVES STATUS")
            found = cursor.fetchone()["Seconds_Behind_Master"]
            return None if found is None else int(found)

    def put(self, number: int, at: datetime) -> None:
        """A row that the source writes at a moment, by its clock as by the row's own."""
        with self.source.connect() as session, session.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00', timestamp = %s", (at.timestamp(),))
            cursor.execute("INSERT INTO t VALUES (%s, CURRENT_TIMESTAMP(6), %s)", (number, number))


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    with replicated_servers("--binlog-format=ROW") as both:
        yield both


@pytest.fixture
def replicated(servers: tuple[Server, Server]) -> Iterator[Replicated]:
    name = f"t{uuid.uuid4().hex[:12]}"
    found = Replicated(Database(servers[0], name), Database(servers[1], name))
    found.source.create([*GRANTS, MAY_ASK])
    found.source.run("CREATE TABLE t (id int PRIMARY KEY, at timestamp(6) NULL, number bigint)")
    found.caught_up()
    yield found
    found.replica.server.run("START SLAVE")
    found.source.drop()


@pytest.fixture
def collecting(cloud: Cloud, replicated: Replicated, monkeypatch: pytest.MonkeyPatch) -> Collecting:
    """The batches' time is the servers' own."""
    monkeypatch.setattr(horizon, "WAIT_SECONDS", 0.0)
    cloud.clock.now = datetime.now(UTC)
    return Collecting(cloud, MysqlUnderTest(replicated.replica))


@pytest.mark.parametrize("how", [MERGED, APPENDED], ids=["merge", "append"])
@pytest.mark.parametrize("cursor", ["at", "number"])
def test_rows_that_a_replica_replays_after_the_batch_come_with_a_later_one(
    collecting: Collecting, replicated: Replicated, how: dict[str, Any], cursor: str
) -> None:
    now = datetime.now(UTC)
    replicated.put(5, now - HOURS - timedelta(hours=1))
    replicated.caught_up()
    collect(collecting, replicated.replica, {**how, "cursor": cursor})
    with replicated.behind(now - HOURS):
        replicated.put(1, now - HOURS)  # of a transaction that was open at the source while another wrote 5
        held = ids(collecting) + ids(collecting)
        assert not {0, 1} & set(held)
    replicated.caught_up()
    replicated.put(7, now)
    replicated.caught_up()
    held += ids(collecting) + ids(collecting)
    assert {0, 1, 5} <= set(held)
    assert how["mode"] == Mode.MERGE or len(held) == len(set(held))


def test_a_replica_that_has_stopped_to_replay_is_told_with_what_to_do(collecting: Collecting, replicated: Replicated) -> None:
    collect(collecting, replicated.replica, MERGED)
    replicated.replica.server.run("STOP SLAVE SQL_THREAD")
    said = collecting.refusal()
    assert said.startswith("RetryLater") and "has stopped to replay" in said and "START REPLICA" in said
    replicated.replica.server.run("START SLAVE")
    replicated.put(1, datetime.now(UTC) - HOURS)
    replicated.caught_up()
    collecting.cloud.clock.advance(hours=1)  # the lease of the one that was refused
    assert ids(collecting) == [1]


def test_of_one_that_may_not_be_asked_discover_says_so(collecting: Collecting, replicated: Replicated) -> None:
    """A row that comes later than the lag is lost then; without a replica's read_only nothing shows that there is one."""
    replicated.source.revoke(MAY_ASK)
    replicated.caught_up()
    collect(collecting, replicated.replica, MERGED)
    assert not collecting.run(record_errors=True).planned["failed"]
    server = replicated.replica.server
    for read_only, told in ((1, True), (0, False)):
        server.run(f"SET GLOBAL read_only = {read_only}")
        connection = collecting.cloud.reader.program(collecting.cloud.reader.active_version() or "").connections["out"]
        with closing(open_source(connection, replicated.replica.secret, aws=collecting.cloud.session)) as source:
            notes = source.notes(["t", "nowhere"])
        assert ("t" in notes and "SLAVE MONITOR" in notes["t"][0].text and "nowhere" not in notes) == told
