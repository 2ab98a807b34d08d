"""Salesforce as a user has it: a program is compiled, its stacks deployed, and what its view says becomes records over HTTPS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from console.function_call import call
from console.target import Target
from doubles.salesforce import Field, SalesforceServer
from infra.embedded import EmbeddedAws
from shared_metadata.contract.discovery import STEP
from slices.registry import installed
from tests.e2e.one_program import deployed, execute, reads_one_secret, refusal, run, shop, store_secret, writes_below_one_prefix

pytestmark = [pytest.mark.xdist_group("harness_salesforce"), pytest.mark.timeout(900), pytest.mark.budget(240), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("harness_salesforce.sql")
STACKS = ("CollectPostgresSlice", "OrganizeIcebergSlice", "HarnessSalesforceSlice")
FLOW, SLICE = "crm.contact", "harness.salesforce"
WRONG = "a secret that nobody is to see"
KEYS = (Field("Customer_Key__c", external_id=True, unique=True),)
FIELDS = (
    Field("LastName", nillable=False), Field("Carrier_Code__c", external_id=True, unique=True), Field("Flights__c", "double"),
    Field("Delay__c", "double"), Field("Changed__c", "datetime"), Field("AccountId", "reference", reference_to=("Account",)),
)  # fmt: skip


class Crm(NamedTuple):
    """target: the AWS account.  secret: with which the org takes what comes.  account: to which the contacts belong."""

    target: Target
    aws: EmbeddedAws
    server: SalesforceServer
    secret: dict[str, str]
    account: str

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        org, names = self.server.org, ("Carrier_Code__c", "Flights__c", "Delay__c", "Changed__c", "AccountId")
        found = org.store.rows(org.records.schema("Contact"), '"IsDeleted" = 0', [])
        return sorted(tuple(row[name] for name in names) for row in found)


@pytest.fixture(scope="module")
def crm(own_aws: EmbeddedAws) -> Iterator[Crm]:
    """The account, with these stacks and this program, whose view is computed; nothing is sent yet. The org refuses UA."""
    shop(own_aws)
    with SalesforceServer([("Account", KEYS)], tls=True) as server, deployed(own_aws, PROGRAM, *STACKS) as target:
        server.org.add_object("Contact", FIELDS, name_field=False)
        (account,) = server.org.insert("Account", [{"Name": "Acme", "Customer_Key__c": "acme"}])
        rule = "FIELD_CUSTOM_VALIDATION_EXCEPTION", "not UA", ["Carrier_Code__c"]
        server.org.records.refusals.add("Contact", *rule, lambda row: row["Carrier_Code__c"] == "UA")
        run(target, "collect.postgres", "lake.ops.flights")
        for flow in ("lake.ops.flights:load", "lake.ops.carriers", f"{FLOW}:result"):
            run(target, "organize.iceberg", flow)
        known, certificate = server.credentials, server.certificate
        assert certificate is not None
        secret = {"client_id": known.client_id, "client_secret": known.client_secret, "login_url": server.url}
        yield Crm(target, own_aws, server, {**secret, "ca_certificate": certificate.read_text()}, account)


def test_what_a_deployment_lacks_is_told_and_then_each_record_is_there_once_though_an_answer_was_lost(crm: Crm) -> None:
    """Each failure leaves the batch to be made, which the last line does; the one row that is refused is set aside."""
    said = refusal(crm.target, SLICE, FLOW)
    assert "atoll/crm" in said and "atoll secret crm FILE" in said
    store_secret(crm.aws, "crm", {**crm.secret, "client_secret": WRONG})
    said = refusal(crm.target, SLICE, FLOW)
    assert "refused the credentials of the secret crm" in said and WRONG not in said
    store_secret(crm.aws, "crm", crm.secret)
    crm.server.org.fail_next("drop_midway", 1, "composite", "PATCH", drop_after_bytes=0)
    run(crm.target, SLICE, FLOW)
    moment = "2026-01-01T00:00:00.000Z"
    assert crm.rows == [("AA", 2.0, 4.0, moment, crm.account), ("XX", 1.0, 1.0, moment, crm.account)]
    version = crm.target.reader.latest_version(FLOW)
    assert version and sum(file["rows"] for file in version.pointer["rejected"]) == 1


def test_the_object_is_described_with_its_relationships(crm: Crm) -> None:
    connection = {"name": "crm", "system": "salesforce", "options": {"secret": "crm"}}
    found = call(crm.target, installed()[SLICE], STEP, {"connection": connection, "tables": ["contact"]}, PROGRAM.name)
    names = [column["name"] for column in found["tables"]["contact"]["columns"]]
    assert {"carrier_code__c", "account.customer_key__c"} < set(names) and "createddate" not in names


def test_a_batch_that_is_run_again_changes_the_records_and_makes_none(crm: Crm) -> None:
    batch = crm.target.reader.latest_version(FLOW)
    assert batch
    before = crm.rows
    interval = {"from": batch.interval.start.isoformat(), "to": batch.interval.end.isoformat()}
    assert execute(crm.target, SLICE, FLOW, **interval)["status"] == "SUCCEEDED" and crm.rows == before


def test_a_step_reads_its_own_secret_and_writes_below_its_own_prefix(crm: Crm) -> None:
    for step in ("diff", "publish"):
        reads_one_secret(crm.target, crm.aws, f"atoll-harness-salesforce-{step}", "crm")
    writes_below_one_prefix(crm.target, crm.aws, "atoll-harness-salesforce-publish", SLICE)
