"""A captured table as a user has it, deployed: what is inserted, changed and deleted at the source is so in the lake."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from console.run import wait_for
from console.target import Target, open_target
from infra.embedded import EmbeddedAws, bootstrap, cdk
from language import compile_program
from shared_metadata import naming
from slices.registry import installed
from tests.e2e.same_rows import lake_rows

pytestmark = [pytest.mark.xdist_group("capture"), pytest.mark.timeout(900), pytest.mark.budget(400), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("capture.sql")
STACKS = ("CollectPostgresSlice", "OrganizeIcebergSlice")
FLOWS = (
    ("collect.postgres", "lake.shop.orders"),
    ("organize.iceberg", "lake.shop.orders:load"),
    ("organize.iceberg", "lake.shop.customers"),
)
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Deployed:
    aws: EmbeddedAws
    target: Target
    dsn: str

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as session:
            answer = session.execute(statement)  # type: ignore[call-overload]
            return answer.fetchall() if answer.description else []

    def bring(self) -> None:
        """Runs all flows in their order, by hand, until each has made a batch that ends after now."""
        now = datetime.now(UTC)
        for slice_id, flow in FLOWS:
            giving_up = time.monotonic() + PATIENCE_SECONDS
            while not self._made(flow, now):
                assert time.monotonic() < giving_up, flow
                states, machine = self.target.session.client("stepfunctions"), self.target.state_machine_arn(slice_id)
                started = states.start_execution(stateMachineArn=machine, input=json.dumps({"flow": flow}))
                ended = wait_for(self.target, started["executionArn"])
                assert ended["status"] == "SUCCEEDED", ended

    def _made(self, flow: str, now: datetime) -> bool:
        tables = self.target.reader.flow_states([flow])[flow].tables.values()
        return all(table.watermark > now for table in tables)

    def rows(self, table: str) -> list[dict[str, Any]]:
        found = lake_rows(self.aws, "shop", table).to_pylist()
        return sorted(found, key=lambda row: str([*row.values()]))


@pytest.fixture(scope="module")
def deployed(own_aws: EmbeddedAws) -> Iterator[Deployed]:
    """The account, with these stacks and this program, and a database with a user of its own for it."""
    dsn = own_aws.database("shop")
    with psycopg.connect(dsn, autocommit=True) as session:
        session.execute("CREATE ROLE reader LOGIN REPLICATION PASSWORD 'a reader''s'")
        session.execute("CREATE TABLE orders (id bigint PRIMARY KEY, customer text, total decimal(12,2), note text)")
        session.execute("ALTER TABLE orders ALTER note SET STORAGE EXTERNAL; GRANT SELECT ON orders TO reader")
        session.execute("CREATE PUBLICATION shop FOR TABLE orders")
        session.execute(
            "INSERT INTO orders VALUES (1, 'Ann', 1.50, repeat('x', 9000)), (2, 'Ann', 2.25, NULL), (3, 'Björn', 0.10, '')"
        )
    where = conninfo_to_dict(dsn)
    secret = {
        **{"host": where["host"], "port": int(str(where["port"])), "dbname": "shop"},
        **{"username": "reader", "password": "a reader's", "sslmode": "prefer"},
    }
    own_aws.session().client("secretsmanager").create_secret(Name=naming.secret("shop"), SecretString=json.dumps(secret))
    bootstrap(own_aws)
    options = ["--require-approval", "never", "-c", f"program={PROGRAM}", "--output", str(own_aws.folders.home / "cdk.out")]
    cdk(own_aws, ["deploy", *STACKS, *options])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(own_aws.folders.home.parent)
        target = open_target("local")
        program = compile_program({str(PROGRAM): PROGRAM.read_text()}, installed())
        target.writer.put_program(program)
        target.writer.activate(program, former_version="")
        yield Deployed(own_aws, target, dsn)


def test_what_changes_at_the_source_is_so_in_the_lake(deployed: Deployed) -> None:
    deployed.bring()
    assert [(row["id"], row["_deleted"]) for row in deployed.rows("orders")] == [(1, False), (2, False), (3, False)]
    deployed.run(
        "UPDATE orders SET total = 9.99 WHERE id = 1; DELETE FROM orders WHERE id = 3; INSERT INTO orders VALUES (4, 'Ann', 1, 'new')"
    )
    deployed.bring()
    found = [(row["id"], str(row["total"]), len(row["note"] or ""), row["_deleted"]) for row in deployed.rows("orders")]
    assert found == [(1, "9.99", 9000, False), (2, "2.25", 0, False), (3, "0.10", 0, True), (4, "1.00", 3, False)]
    assert [(row["customer"], row["orders"], str(row["total"])) for row in deployed.rows("customers")] == [("Ann", 3, "13.24")]
    deployed.run("TRUNCATE orders; INSERT INTO orders VALUES (5, 'Cem', 2, NULL)")
    deployed.bring()
    assert [row["id"] for row in deployed.rows("orders") if not row["_deleted"]] == [5]
    assert [row["customer"] for row in deployed.rows("customers")] == ["Cem"]
    (slot,) = deployed.run("SELECT slot_name FROM pg_replication_slots")
    assert slot[0].startswith("atoll_lake_shop_orders_")
