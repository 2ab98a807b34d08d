"""A captured table as a user has it, deployed: what is inserted, changed and deleted at the source is so in the lake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from console.target import open_target
from infra.embedded import EmbeddedAws, bootstrap, cdk
from language import compile_program
from shared_metadata import naming
from slices.registry import installed
from tests.e2e.captured import Deployed

pytestmark = [pytest.mark.xdist_group("capture"), pytest.mark.timeout(900), pytest.mark.budget(400), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("capture.sql")
STACKS = ("CollectPostgresSlice", "OrganizeIcebergSlice")


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

        def run(statement: str) -> list[tuple[Any, ...]]:
            with psycopg.connect(dsn, autocommit=True) as session:
                answer = session.execute(statement)  # type: ignore[call-overload]
                return answer.fetchall() if answer.description else []

        yield Deployed(own_aws, target, "collect.postgres", run)


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
