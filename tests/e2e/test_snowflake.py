"""A warehouse in Snowflake as a user has it: a program is compiled, its stacks deployed, rows of a database go in, and out again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from console.target import Target
from infra.embedded import EmbeddedAws
from tests.e2e.one_program import CARRIERS, CHANGED, FLIGHTS, deployed, published, reads_one_secret, refusal, run, shop, store_secret
from tests.e2e.snowflake_account import Integration, opened, written
from tests.memory.snowflake import OPTIONS, STAGE, Served

pytestmark = [pytest.mark.xdist_group("snowflake"), pytest.mark.timeout(900), pytest.mark.budget(240), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("snowflake.sql")
STACKS = ("CollectPostgresSlice", "OrganizeSnowflakeSlice", "HarnessPostgresSlice")
LOAD = "dwh.ops.flights:load"


class Account(NamedTuple):
    """target: the AWS account.  dsn: of the database that is collected from and published to."""

    target: Target
    aws: EmbeddedAws
    served: Served
    integration: Integration
    dsn: str

    def fails(self) -> str:
        """What an attempt at a load says."""
        return refusal(self.target, "organize.snowflake", LOAD)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """As another session of the account reads."""
        return [tuple(row.values()) for row in self.served.asked(query)]


@pytest.fixture(scope="module")
def account(own_aws: EmbeddedAws) -> Iterator[Account]:
    """The account, with these stacks and this program, and a database with flights; what signs in to Snowflake is not there yet."""
    dsn, (served, integration) = shop(own_aws), opened(own_aws, "dwh")
    integration.user()
    with deployed(own_aws, PROGRAM, *STACKS, options=written(own_aws)) as target:
        yield Account(target, own_aws, served, integration, dsn)


def test_what_a_deployment_lacks_is_told_by_name_in_the_order_in_which_somebody_meets_it(account: Account) -> None:
    """Each failure leaves the batch to be made, which the last line does."""
    run(account.target, "collect.postgres", "dwh.ops.flights")
    said = account.fails()
    assert "reading the secret atoll/snowflake was denied" in said and "atoll secret snowflake FILE" in said
    store_secret(account.aws, "snowflake", {**account.served.secret, "user": "somebody"})
    said = account.fails()
    assert "Snowflake refuses the key in the secret 'snowflake'" in said and "PRIVATE KEY" not in said
    store_secret(account.aws, "snowflake", account.served.secret)
    stage = account.served.api.account.stages.pop(STAGE)
    said = account.fails()
    assert "'analytics.public.atoll' does not exist or not authorized" in said and "grant it to the role" in said
    account.served.api.account.stages[STAGE] = Integration(account.aws, "dwh", "another").stage
    said = account.fails()
    assert "storage integration's role is the one that the slice's README names" in said
    account.served.api.account.stages[STAGE] = stage
    run(account.target, "organize.snowflake", LOAD)


def test_rows_of_a_database_are_loaded_a_view_is_computed_and_what_it_says_is_published(account: Account) -> None:
    run(account.target, "organize.snowflake", "dwh.ops.carriers")
    run(account.target, "organize.snowflake", "ops.public.carriers:result")
    run(account.target, "harness.postgres", "ops.public.carriers")
    assert account.rows("SELECT ID, CARRIER, DELAY FROM OPS.FLIGHTS ORDER BY ID") == FLIGHTS
    assert account.rows("SELECT CARRIER, FLIGHTS, DELAY FROM OPS.CARRIERS ORDER BY CARRIER") == CARRIERS
    ((reason, data),) = account.rows('SELECT REASON, DATA FROM OPS."CARRIERS__REJECTED"')
    assert (reason, json.loads(str(data))["carrier"]) == ("named", "XX")
    assert published(account.dsn) == [(*row, CHANGED) for row in CARRIERS]
    (found,) = account.target.reader.statistics("dwh.ops.carriers", 1)
    assert {one["purpose"] for one in found["statements"]} >= {"rows", "counts", "aside", "commit 0"}


def test_the_integration_s_role_reaches_what_is_staged_and_nothing_else(account: Account) -> None:
    account.integration.reaches_what_is_staged_alone(Integration(account.aws, "dwh", "another"))


def test_a_function_s_role_reads_the_one_secret(account: Account) -> None:
    reads_one_secret(account.target, account.aws, "atoll-organize-snowflake-commit", OPTIONS["secret"])
