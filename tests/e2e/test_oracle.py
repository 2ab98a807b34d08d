"""A database that speaks Oracle's protocol, as a user has it: stacks are deployed, and rows collected over TLS by the real driver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from console.target import Target
from infra.embedded import EmbeddedAws
from tests.e2e import one_program
from tests.e2e.same_rows import lake_rows
from tests.oracle import PASSWORD, Database, fresh_database, oracle_server

pytestmark = [pytest.mark.xdist_group("oracle"), pytest.mark.timeout(900), pytest.mark.budget(200), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("oracle.sql")
STACKS = ("CollectOracleSlice", "OrganizeIcebergSlice")
ORDERS = [(1, 1, "1.50", datetime(2026, 1, 1)), (2, 1, "2.25", datetime(2026, 1, 2, 3, 4, 5)), (3, 2, "0.10", datetime(2025, 1, 3))]


@dataclass(frozen=True)
class Deployed:
    target: Target
    aws: EmbeddedAws
    database: Database

    def once(self) -> list[dict[str, object]]:
        """Runs all flows in their order, by hand; what the view has then."""
        for flow in ("lake.erp.orders", "lake.erp"):
            one_program.run(self.target, "collect.oracle", flow)
            one_program.run(self.target, "organize.iceberg", f"{flow}:load")
        one_program.run(self.target, "organize.iceberg", "lake.erp.totals")
        rows = lake_rows(self.aws, "erp", "totals").select(["name", "orders", "total"]).to_pylist()
        return sorted(rows, key=lambda row: str(row["name"]))


@pytest.fixture(scope="module")
def deployed(own_aws: EmbeddedAws) -> Iterator[Deployed]:
    """The account, with these stacks and this program, and a database that takes connections over TLS alone."""
    with oracle_server() as server, fresh_database(server) as database:
        database.run("CREATE TABLE customers (id NUMBER(9) PRIMARY KEY, name VARCHAR2(99))")
        database.run(
            "CREATE TABLE orders (id NUMBER(18) PRIMARY KEY, customer NUMBER(9), total NUMBER(12,2), ordered_on DATE, "
            "changed TIMESTAMP(6) DEFAULT TIMESTAMP '2026-01-01 00:00:00')"
        )
        for customer in ((1, "Ann"), (2, "Björn 東京")):
            database.run("INSERT INTO customers (id, name) VALUES (:1, :2)", customer)
        for order in ORDERS:
            database.run("INSERT INTO orders (id, customer, total, ordered_on) VALUES (:1, :2, :3, :4)", order)
        one_program.store_secret(own_aws, "erp", dict(database.secret))
        with one_program.deployed(own_aws, PROGRAM, *STACKS) as found:
            yield Deployed(found, own_aws, database)


def test_rows_are_collected_from_the_server(deployed: Deployed) -> None:
    assert deployed.once() == [{"name": "Ann", "orders": 2, "total": Decimal("3.75")}]


def test_a_functions_role_reads_no_other_secret(deployed: Deployed) -> None:
    one_program.store_secret(deployed.aws, "ops", {"host": "elsewhere"})
    for step in ("plan", "extract", "discover"):
        one_program.reads_one_secret(deployed.target, deployed.aws, f"atoll-collect-oracle-{step}", "erp")


def test_no_secret_is_in_a_log_or_a_state(deployed: Deployed) -> None:
    logs, states = (deployed.target.session.client(name) for name in ("logs", "stepfunctions"))
    said = [
        event["message"]
        for group in logs.describe_log_groups()["logGroups"]
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        for event in page["events"]
    ]
    for execution in states.list_executions(stateMachineArn=deployed.target.state_machine_arn("collect.oracle"))["executions"]:
        said.append(json.dumps(states.get_execution_history(executionArn=execution["executionArn"])["events"], default=str))
    assert len(said) > 10 and not [line for line in said if PASSWORD in line or json.dumps(PASSWORD)[1:-1] in line or "東京" in line]
