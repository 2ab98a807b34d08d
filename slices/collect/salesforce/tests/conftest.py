"""An org of the Salesforce double, and a program that collects from it, for the slice's tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from doubles.salesforce import Field, SalesforceServer
from shared_metadata.contract.collect import CollectSteps
from shared_metadata.program import Connection, Flow, Kind, Mode, Position, Program, Table, Warehouse
from slices.collect.salesforce.client import open_source
from slices.collect.salesforce.slice import SLICE
from slices.collect.salesforce.tests.under_test import client_secret
from tests.conformance.fixtures import NOW, BatchRun, Cloud, cloud, run_batch

__all__ = ["cloud"]
HERE = Position("program.atoll", 3, 1)
DATASET = "lake.crm.account:staged"
EARLIER = NOW - timedelta(days=30)
ACCOUNT = (
    Field("Industry", "picklist"),
    Field("Carrier_Code__c", "string", length=10),
    Field("AnnualRevenue", "currency", precision=18, scale=2),
    Field("NumberOfEmployees", "int"),
    Field("Active__c", "boolean"),
    Field("Since__c", "date"),
    Field("Description", "textarea", length=32000),
)


@dataclass
class Crm:
    """An org with Accounts, and a flow that collects them."""

    server: SalesforceServer
    cloud: Cloud
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def org(self) -> Any:
        return self.server.org

    def apply(self, *tables: str, mode: Mode = Mode.MERGE, **flow: Any) -> None:
        """Activates a program that collects the tables, Account if none are named."""
        found = tuple(Table(f"lake.crm.{name.lower()}:staged", name) for name in tables or ("Account",))
        key, cursor = ((), "") if mode == Mode.REPLACE else (("id",), "systemmodstamp")
        settings = {"connection": "crm", "mode": mode, "key": key, "cursor": cursor, **flow}
        collect = Flow("lake.crm", Kind.COLLECT, SLICE.id, "lake", 3600, found, HERE, **settings)
        connection = Connection("crm", "salesforce", {"secret": "crm", **self.options}, HERE)
        self.cloud.apply(Program({"crm": connection}, {"lake": Warehouse("lake", "iceberg", {}, HERE)}, {"lake.crm": collect}))

    def steps(self) -> CollectSteps:
        return CollectSteps(SLICE, self.cloud.services(SLICE.id), partial(open_source, aws=self.cloud.session))

    def run(self, **how: Any) -> BatchRun:
        """The next batch."""
        return run_batch(self.steps(), self.cloud.event("lake.crm"), **how)

    def rows(self, dataset: str = DATASET) -> list[dict[str, Any]]:
        table = self.cloud.rows(dataset)
        return sorted(table.to_pylist(), key=lambda row: row["id"]) if table is not None else []

    def names(self) -> list[str]:
        return sorted(row["name"] for row in self.rows())

    def requests(self, pattern: str) -> int:
        """How many requests with that in their path the org has answered."""
        return sum(pattern in request.path for request in self.org.requests)


@pytest.fixture
def server(cloud: Cloud) -> Iterator[SalesforceServer]:
    """An org whose clock is the cloud's: its log of deletions is asked for as of then."""
    with SalesforceServer(now=cloud.clock) as found:
        yield found


@pytest.fixture
def crm(cloud: Cloud, server: SalesforceServer) -> Crm:
    server.org.add_object("Account", ACCOUNT)
    cloud.put_secret("crm", client_secret(server))
    return Crm(server, cloud)
