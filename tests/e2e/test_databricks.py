"""A warehouse in Databricks as a user has it: a program is compiled, its stacks deployed, rows of a database go in, and out again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from console.target import Target
from infra.embedded import EmbeddedAws
from shared_metadata import naming
from shared_metadata.program.intervals import to_text
from slices.organize.databricks.logic import DatabricksSql
from systems.sql_warehouse.ledger import Ledger
from tests.conformance.readers import looping
from tests.e2e.databricks_workspace import Credential, opened, written
from tests.e2e.one_program import CARRIERS, CHANGED, FLIGHTS, deployed, published, reads_one_secret, refusal, run, shop, store_secret
from tests.memory.databricks import CATALOG, OPTIONS, WAREHOUSE, Served

pytestmark = [pytest.mark.xdist_group("databricks"), pytest.mark.timeout(900), pytest.mark.budget(300), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("databricks.sql")
STACKS = ("CollectPostgresSlice", "OrganizeDatabricksSlice", "HarnessPostgresSlice")
TABLE, LOAD, VIEW = "dwh.ops.flights", "dwh.ops.flights:load", "dwh.ops.carriers"
READ = "SELECT carrier, flights, delay FROM ops.carriers ORDER BY carrier"


class Account(NamedTuple):
    """target: the AWS account.  dsn: of the database that is collected from and published to."""

    target: Target
    aws: EmbeddedAws
    served: Served
    credential: Credential
    dsn: str

    def fails(self) -> str:
        """What an attempt at a load says."""
        return refusal(self.target, "organize.databricks", LOAD)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """As another session of the workspace reads."""
        return [tuple(row.values()) for row in self.served.asked(query)]

    def tables(self) -> list[str]:
        """Those that hold rows of the program's."""
        there = self.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'ops' ORDER BY 1")
        return [name for (name,) in there if self.rows(f"SELECT 1 FROM ops.{name} LIMIT 1")]


@pytest.fixture(scope="module")
def account(own_aws: EmbeddedAws) -> Iterator[Account]:
    """The account, with these stacks and this program, and a database with flights; what signs in to Databricks is not there yet."""
    dsn, (served, credential) = shop(own_aws), opened(own_aws, "dwh")
    credential.user()
    with deployed(own_aws, PROGRAM, *STACKS, options=written(own_aws)) as target:
        yield Account(target, own_aws, served, credential, dsn)


@pytest.fixture(scope="module")
def collected(account: Account) -> Account:
    run(account.target, "collect.postgres", TABLE)
    return account


@pytest.fixture(scope="module")
def loaded(collected: Account) -> Account:
    store_secret(collected.aws, OPTIONS["secret"], collected.served.secret)
    run(collected.target, "organize.databricks", LOAD)
    return collected


@contextmanager
def no_secret(account: Account) -> Iterator[None]:
    secrets = account.aws.session().client("secretsmanager")
    secrets.delete_secret(SecretId=naming.secret(OPTIONS["secret"]), ForceDeleteWithoutRecovery=True)
    yield


@contextmanager
def another_s_secret(account: Account) -> Iterator[None]:
    store_secret(account.aws, OPTIONS["secret"], {**account.served.secret, "client_secret": "a-private-value"})
    yield


@contextmanager
def deleted_warehouse(account: Account) -> Iterator[None]:
    account.served.api.workspace.warehouses[WAREHOUSE] = "DELETED"
    yield
    account.served.api.workspace.warehouses[WAREHOUSE] = "STOPPED"  # the next statement starts it


@contextmanager
def no_use_of_it(account: Account) -> Iterator[None]:
    account.served.api.workspace.may_use = False
    yield
    account.served.api.workspace.may_use = True


@contextmanager
def no_catalog(account: Account) -> Iterator[None]:
    there = account.served.api.workspace.catalogs.pop(CATALOG)
    yield
    account.served.api.workspace.catalogs[CATALOG] = there


@contextmanager
def location(account: Account, **located: Callable[[], Any]) -> Iterator[None]:
    former, account.served.api.workspace.locations = account.served.api.workspace.locations, located
    yield
    account.served.api.workspace.locations = former


def no_location(account: Account) -> AbstractContextManager[None]:
    return location(account)


def untrusted_role(account: Account) -> AbstractContextManager[None]:
    return location(account, **{account.credential.location: Credential(account.aws, "dwh", "another").opens})


def failing(kind: str, match: str, **said: str) -> Callable[[Account], AbstractContextManager[None]]:
    """Has Databricks fail the next statements that match."""

    @contextmanager
    def made(account: Account) -> Iterator[None]:
        account.served.api.faults.arm(kind, match=match, **said)
        yield
        account.served.api.faults.disarm()

    return made


@contextmanager
def table_in_the_way(account: Account) -> Iterator[None]:
    cursor = account.served.api.workspace.catalogs[CATALOG].connection.cursor()
    cursor.execute("CREATE SCHEMA IF NOT EXISTS ops; CREATE TABLE ops.flights (id BIGINT)")
    yield
    cursor.execute("DROP TABLE ops.flights")


NO_RIGHT = "Insufficient privileges: User does not have CREATE TABLE on Schema 'analytics.ops'."
FULL, QUOTA = "The warehouse has no room for more statements.", "Cannot create 1 Table(s) in Metastore, the limit is 1000000."
# What is broken, and the words that tell the object, the right or limit, and the remedy; in the order in which somebody meets it.
BROKEN: dict[str, tuple[Callable[[Account], AbstractContextManager[None]], list[str]]] = {
    "no secret": (no_secret, ["reading the secret atoll/databricks was denied", "atoll secret databricks FILE"]),
    "another's secret": (another_s_secret, ["refuses the service principal in the secret 'databricks'", "a new secret"]),
    "deleted warehouse": (deleted_warehouse, [f"no SQL warehouse {WAREHOUSE}", "warehouse_id"]),
    "no use of it": (no_use_of_it, [WAREHOUSE, "CAN USE"]),
    "no catalog": (no_catalog, [f"Catalog '{CATALOG}' was not found", "make it, or grant it", "README"]),
    "no location": (no_location, ["No external location covers s3://", "READ FILES", "its grants"]),
    "untrusted role": (untrusted_role, ["role/atoll-organize-databricks-dwh-", "(AccessDenied)", "external location", "README"]),
    "no right": (
        failing("fail", "COPY INTO", condition="INSUFFICIENT_PERMISSIONS", message=NO_RIGHT, code="BAD_REQUEST"),
        ["CREATE TABLE on Schema 'analytics.ops'", "grant it", "README"],
    ),
    "full": (
        failing("fail", "COPY INTO", condition="", message=FULL, code="RESOURCE_EXHAUSTED"),
        ["RESOURCE_EXHAUSTED", "give the SQL warehouse more clusters"],
    ),
    "cancelled": (
        failing("fail", "COPY INTO", condition="", message="Statement was canceled.", code="CANCELLED"),
        ["Databricks query 01f0", "was cancelled by somebody else", "ask who administers it"],
    ),
    "table in the way": (table_in_the_way, ["flights", "was not made by Atoll", "rename"]),
    "quota in the middle": (
        failing("stops_inside", "BEGIN ATOMIC", condition="QUOTA_EXCEEDED.RESOURCE_QUOTA", message=QUOTA, code="BAD_REQUEST"),
        ["the limit is 1000000", "raise the quota"],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_told_by_name_and_leaves_the_batch_to_be_made(collected: Account, name: str) -> None:
    """Before anything is loaded, as who deploys it meets it."""
    store_secret(collected.aws, OPTIONS["secret"], collected.served.secret)
    broken, words = BROKEN[name]
    with broken(collected):
        said = collected.fails()
    assert [word for word in (*words, "Remedy") if word not in said] == [], said
    assert "a-private-value" not in said and collected.served.secret["client_secret"] not in said
    assert collected.tables() == []


def test_rows_are_then_loaded_as_they_are(loaded: Account) -> None:
    assert loaded.rows("SELECT id, carrier, delay FROM ops.flights ORDER BY id") == FLIGHTS
    assert loaded.served.api.workspace.warehouses[WAREHOUSE] == "RUNNING", "it starts by itself"


def test_rows_that_are_loaded_go_through_a_view_and_are_published(loaded: Account) -> None:
    run(loaded.target, "organize.databricks", VIEW)
    run(loaded.target, "organize.databricks", "ops.public.carriers:result")
    run(loaded.target, "harness.postgres", "ops.public.carriers")
    assert loaded.rows(READ) == CARRIERS
    ((reason, data),) = loaded.rows("SELECT reason, data FROM ops.carriers__rejected")
    assert (reason, json.loads(str(data))["carrier"]) == ("named", "XX")
    assert published(loaded.dsn) == [(*row, CHANGED) for row in CARRIERS]
    (found,) = loaded.target.reader.statistics(VIEW, 1)
    assert {one["purpose"] for one in found["statements"]} >= {"rows", "counts", "aside", "commit 0"}


def test_a_reader_who_loops_sees_the_whole_table_while_batches_are_made_again(loaded: Account) -> None:
    """Each deletes all rows of the one table, and those of its keys in the other, and inserts them."""
    flights = "SELECT id, carrier, delay FROM ops.flights ORDER BY id"
    newest = {name: f"SELECT max(seq) FROM {Ledger(DatabricksSql(), name).written}" for name in (VIEW, TABLE)}
    former = {name: loaded.rows(query) for name, query in newest.items()}
    with looping(lambda: (loaded.rows(READ), loaded.rows(flights))) as looks:
        for flow, dataset in ((VIEW, VIEW), (LOAD, TABLE)):
            (batch,) = loaded.target.reader.batches(flow, dataset, 10)
            interval = {"from": to_text(batch.interval.start), "to": to_text(batch.interval.end)}
            run(loaded.target, "organize.databricks", flow, **interval)
    assert [look for look in looks if look != (CARRIERS, FLIGHTS)] == [] and len(looks) > 10
    assert {name: loaded.rows(query) for name, query in newest.items()} == {name: [(seq + 1,)] for name, ((seq,),) in former.items()}


def test_the_credential_s_role_reaches_what_is_staged_and_nothing_else(loaded: Account) -> None:
    loaded.credential.reaches_what_is_staged_alone(Credential(loaded.aws, "dwh", "another"))


def test_a_function_s_role_reads_the_one_secret(loaded: Account) -> None:
    reads_one_secret(loaded.target, loaded.aws, "atoll-organize-databricks-commit", OPTIONS["secret"])
