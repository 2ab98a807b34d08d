"""A MariaDB as a user has it: a program is compiled, its stacks deployed, rows are collected over TLS and published to it again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from console.target import Target
from infra.embedded import EmbeddedAws
from shared_metadata import naming
from tests.e2e import one_program
from tests.mariadb import PASSWORD, Database, fresh_database, mariadb_server

pytestmark = [pytest.mark.xdist_group("mysql"), pytest.mark.timeout(900), pytest.mark.budget(200), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("mysql.sql")
STACKS = ("CollectMysqlSlice", "OrganizeIcebergSlice", "HarnessMysqlSlice")
# As the READMEs of the slices list them.
GRANTS = ("SELECT, INSERT, UPDATE, DELETE, CREATE ON {name}.*", "ALL ON atoll.*")
ORDERS = [(1, "Ann", "1.50", "2026-01-01"), (2, "Ann", "2.25", "2026-01-02"), (3, "Björn 東京", "0.10", "2026-01-03")]


@dataclass(frozen=True)
class Deployed:
    target: Target
    database: Database

    def run(self, slice_id: str, flow: str) -> None:
        one_program.run(self.target, slice_id, flow)

    def once(self) -> list[tuple[object, ...]]:
        """Runs all flows in their order, by hand; what is published then."""
        self.run("collect.mysql", "lake.shop.orders")
        self.run("organize.iceberg", "lake.shop.orders:load")
        self.run("organize.iceberg", "lake.shop.customers")
        self.run("organize.iceberg", "shop.customer_totals:result")
        self.run("harness.mysql", "shop.customer_totals")
        return self.database.run("SELECT customer, orders, total FROM customer_totals ORDER BY customer")


@pytest.fixture(scope="module")
def deployed(own_aws: EmbeddedAws) -> Iterator[Deployed]:
    """The account, with these stacks and this program, and a database that takes connections over TLS alone."""
    with mariadb_server(("--require-secure-transport=ON",)) as server, fresh_database(server, GRANTS) as database:
        database.run("CREATE DATABASE atoll")
        database.run(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(99), total decimal(12,2), ordered_on date, "
            "changed timestamp(6) NOT NULL DEFAULT '2026-01-01', KEY (changed))"
        )
        for order in ORDERS:
            database.run("INSERT INTO orders (id, customer, total, ordered_on) VALUES (%s, %s, %s, %s)", order)
        one_program.store_secret(own_aws, "shop", database.secret)
        with one_program.deployed(own_aws, PROGRAM, *STACKS) as found:
            yield Deployed(found, database)


def test_rows_are_collected_from_the_server_and_what_they_make_is_published_to_it(deployed: Deployed) -> None:
    assert deployed.once() == [("Ann", 2, Decimal("3.75")), ("Björn 東京", 1, Decimal("0.10"))]
    receipts = deployed.database.server.run("SELECT flow, upserts, deletes FROM atoll.receipts")
    assert receipts == [("shop.customer_totals", 2, 0)]


@pytest.mark.security
def test_the_functions_that_collect_read_no_other_secret(deployed: Deployed, own_aws: EmbeddedAws) -> None:
    one_program.store_secret(own_aws, "ops", {"another": "secret"})
    for step in ("plan", "extract", "discover"):
        one_program.reads_one_secret(deployed.target, own_aws, naming.function("collect.mysql", step), "shop")


def test_no_secret_is_in_a_log_or_a_state(deployed: Deployed) -> None:
    logs, states = (deployed.target.session.client(name) for name in ("logs", "stepfunctions"))
    said = [
        event["message"]
        for group in logs.describe_log_groups()["logGroups"]
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        for event in page["events"]
    ]
    for slice_id in ("collect.mysql", "harness.mysql"):
        for execution in states.list_executions(stateMachineArn=deployed.target.state_machine_arn(slice_id))["executions"]:
            said.append(json.dumps(states.get_execution_history(executionArn=execution["executionArn"])["events"], default=str))
    assert len(said) > 10 and not [line for line in said if PASSWORD in line or json.dumps(PASSWORD)[1:-1] in line or "東京" in line]


@pytest.mark.security
@pytest.mark.parametrize(("step", "slice_id"), [("extract", "collect.mysql"), ("publish", "harness.mysql")])
def test_a_role_reads_the_one_secret_and_writes_below_its_own_prefix(
    deployed: Deployed, own_aws: EmbeddedAws, step: str, slice_id: str
) -> None:
    one_program.store_secret(own_aws, "ops", {"another": "system's"})
    function = f"atoll-{slice_id.replace('.', '-')}-{step}"
    one_program.reads_one_secret(deployed.target, own_aws, function, "shop")
    one_program.writes_below_one_prefix(deployed.target, own_aws, function, slice_id)
    lambdas = one_program.as_function(deployed.target, own_aws, function, "lambda")
    one_program.refused(lambda: lambdas.invoke(FunctionName="atoll-organize-iceberg-commit", InvocationType="DryRun"))
