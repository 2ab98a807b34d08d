"""An update set takes effect at one boundary of all that it changes: the deployed conductor and slices, the real clock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from console.target import LOCAL, Target
from examples.airline import production
from infra.embedded import EmbeddedAws, bootstrap, cdk
from infra.embedded.state import wait_until
from shared_metadata import naming
from shared_metadata.program.intervals import floor, from_text
from tests.command import atoll
from tests.watcher import Watcher

pytestmark = [pytest.mark.xdist_group("switch"), pytest.mark.timeout(900), pytest.mark.budget(480), pytest.mark.deep]
STACKS = ("SharedMetadata", "Conductor", "CollectPostgresSlice", "OrganizeIcebergSlice", "HarnessPostgresSlice")
SOURCE = """
CREATE TABLE sales (id bigint PRIMARY KEY, amount integer NOT NULL);
INSERT INTO sales SELECT i, i % 10 FROM generate_series(1, 1000) i;
CREATE SCHEMA published;
CREATE TABLE published.quick (made text PRIMARY KEY, sales bigint);
CREATE TABLE published.slow (made text PRIMARY KEY, below text, sales bigint);
"""
# Each view says by which program it is made; the slow one also by which the quick one was, that it has read.
PROGRAM = """
CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

INSERT INTO lake.ops FROM ops.public TABLES (sales) EVERY '1 minute';
CREATE MATERIALIZED VIEW lake.ops.quick EVERY '1 minute' REPLACE AS
  SELECT '{made}' AS made, count(*) AS sales FROM lake.ops.sales;
CREATE MATERIALIZED VIEW lake.ops.slow EVERY '2 minutes' REPLACE AS
  SELECT '{made}' AS made, made AS below, sales FROM lake.ops.quick;
INSERT INTO ops.published.quick EVERY '1 minute' REPLACE AS SELECT made, sales FROM lake.ops.quick;
INSERT INTO ops.published.slow EVERY '2 minutes' REPLACE AS SELECT made, below, sales FROM lake.ops.slow;
"""
VIEWS = ("lake.ops.quick", "lake.ops.slow")
PUBLISHED = ("ops.published.quick", "ops.published.slow")
TWO_MINUTES = timedelta(minutes=2)


class Shop:
    """A small program in an account of its own, and somebody at its keyboard."""

    def __init__(self, stack: EmbeddedAws, folder: Path) -> None:
        self.stack, self.file = stack, folder / "program.sql"
        self.dsn, self.target = stack.database("shop"), Target(LOCAL, stack.session())
        with psycopg.connect(self.dsn) as connection:
            connection.execute(SOURCE)
        secret = json.dumps(production.secret(self.dsn))
        self.target.session.client("secretsmanager").create_secret(Name=naming.secret("ops"), SecretString=secret)
        self.write("old")
        bootstrap(stack)
        options = ["--require-approval", "never", "--concurrency", "4", "-c", f"program={self.file}"]
        cdk(stack, ["deploy", *STACKS, *options, "--output", str(stack.folders.home / "cdk.out")])
        self.atoll("discover", "--program", str(self.file))

    def write(self, made: str) -> None:
        self.file.write_text(PROGRAM.format(made=made))

    def atoll(self, *arguments: str) -> str:
        return atoll(self.stack, *arguments)

    def boundary_of(self, command: str, *arguments: str) -> datetime:
        return from_text(json.loads(self.atoll(command, *arguments, "--json"))["boundary"])

    def complete(self, dataset: str, moment: datetime) -> bool:
        tables = self.target.reader.flow_states([dataset])[dataset].tables
        return dataset in tables and tables[dataset].watermark >= moment

    def wait_past(self, moment: datetime, datasets: Sequence[str] = (*VIEWS, *PUBLISHED)) -> None:
        wait_until(lambda: all(self.complete(dataset, moment) for dataset in datasets), 600, f"not complete through {moment}")

    def watcher(self, query: str) -> Watcher[list[Any]]:
        """Of a published table."""
        connection = psycopg.connect(self.dsn, autocommit=True)
        return Watcher(lambda: connection.execute(query).fetchall(), pause_seconds=0.02)

    def wait_for_batches(self) -> None:
        """Of every flow at least one: a new one is complete through some moment before it has made anything."""
        batches = self.target.reader.batches
        flows = (*VIEWS, *PUBLISHED)
        wait_until(
            lambda: all(any(b.status == "COMMITTED" for b in batches(flow, flow, 100)) for flow in flows), 600, "nothing was made"
        )

    def versions(self, flow: str, through: datetime) -> dict[datetime, str]:
        """The start of each batch that ends by then ▸ the version of the program that made it."""
        batches = [batch for batch in self.target.reader.batches(flow, flow, 100) if batch.interval.end <= through]
        assert all(batch.status == "COMMITTED" for batch in batches)
        return {batch.interval.start: batch.program_version for batch in batches}


@pytest.fixture(scope="module")
def shop(own_aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(own_aws, tmp_path_factory.mktemp("shop"))


def test_flows_of_one_and_of_two_minutes_switch_together_and_back_and_nobody_sees_half_of_it(shop: Shop) -> None:
    shop.atoll("apply", str(shop.file))
    shop.wait_for_batches()
    quick = shop.watcher("SELECT made FROM published.quick")
    slow = shop.watcher("SELECT made, below FROM published.slow")
    quick.start()
    slow.start()

    shop.write("new")
    switch = shop.boundary_of("apply", str(shop.file))
    assert switch == floor(switch, 120), "all that is changed, and its readers, begin a batch there"
    # Before anything is made by the new program, a rollback would take effect at this same boundary.
    shop.wait_past(switch + TWO_MINUTES / 2, ["lake.ops.quick"])
    back = shop.boundary_of("rollback")
    assert back > switch
    assert back == floor(back, 120)
    shop.wait_past(back + TWO_MINUTES)

    assert quick.stop() == [[("old",)], [("new",)], [("old",)]]
    assert slow.stop() == [[("old", "old")], [("new", "new")], [("old", "old")]]
    for flow in (*VIEWS, *PUBLISHED):
        made = shop.versions(flow, back + TWO_MINUTES)
        length = TWO_MINUTES if flow.endswith("slow") else TWO_MINUTES / 2
        assert sorted(made) == [min(made) + length * i for i in range(len(made))], "no batch is lost or made twice"
        old, new = (made[at] for at in (switch - length, switch))
        assert old != new
        assert made == {start: new if switch <= start < back else old for start in made}
