"""An application as a user has it: a program is compiled, its stacks deployed, and what its view says is sent over HTTPS, signed."""

from __future__ import annotations

import base64
import dataclasses
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from botocore.exceptions import ClientError

from console.function_call import call
from console.target import Target
from doubles.webhook.application import Application
from doubles.webhook.server import served
from infra.embedded import EmbeddedAws
from infra.embedded.tls import ensure_certificate
from shared_metadata import naming
from shared_metadata.contract.landed import STEP
from shared_metadata.program.intervals import floor, from_text
from slices.collect.http.signatures import Signed, verified
from slices.registry import installed
from tests.e2e.one_program import as_function, deployed, execute, reads_one_secret, refusal, run, shop, store_secret
from tests.e2e.same_rows import lake_rows

pytestmark = [pytest.mark.xdist_group("webhook"), pytest.mark.timeout(900), pytest.mark.budget(240), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("webhook.sql")
STACKS = ("CollectPostgresSlice", "OrganizeIcebergSlice", "HarnessWebhookSlice", "CollectAtollSlice")
FLOW, SLICE = "partner.carriers", "harness.webhook"
MOST_RUNS = 30  # of a flow: an execution takes what is due when it begins
KEY, WRONG = bytes(range(32)), base64.b64encode(b"a key that nobody is to see").decode()
SENT = [
    {"carrier": "AA", "flights": 2, "delay": 4.0, "changed": "2026-01-01 00:00:00.000001+00"},
    {"carrier": "UA", "flights": 1, "delay": None, "changed": "2026-01-01 00:00:00.000001+00"},
    {"carrier": "XX", "flights": 1, "delay": 1.0, "changed": "2026-01-01 00:00:00.000001+00"},
]


class Partner(NamedTuple):
    """target: the AWS account.  secret: with which the application takes what comes."""

    target: Target
    aws: EmbeddedAws
    application: Application
    secret: dict[str, str]

    @property
    def rows(self) -> list[dict[str, object]]:
        return sorted(self.application.rows, key=lambda row: str(row["carrier"]))


@pytest.fixture(scope="module")
def partner(own_aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Partner]:
    """The account, with these stacks and this program, whose view is computed; nothing is sent yet."""
    shop(own_aws)
    tls, application = ensure_certificate(tmp_path_factory.mktemp("tls")), Application(key=("carrier",))
    with served(application, tls.certificate, tls.key) as url, deployed(own_aws, PROGRAM, *STACKS) as target:
        run(target, "collect.postgres", "lake.ops.flights")
        for flow in ("lake.ops.flights:load", "lake.ops.carriers", f"{FLOW}:result"):
            run(target, "organize.iceberg", flow)
        key = f"whsec_{base64.b64encode(KEY).decode()}"
        secret = {"url": f"{url}/in/{{table}}", "key": key, "ca_certificate": tls.certificate.read_text()}
        yield Partner(target, own_aws, application, secret)


def test_what_a_deployment_lacks_is_told_and_then_every_row_is_there_once_though_an_answer_was_lost(partner: Partner) -> None:
    """Each failure leaves the batch to be made, which the last line does."""
    said = refusal(partner.target, SLICE, FLOW)
    assert "atoll/partner" in said and "atoll secret partner FILE" in said
    store_secret(partner.aws, "partner", {**partner.secret, "ca_certificate": ""})
    assert "certificate is not to be trusted" in refusal(partner.target, SLICE, FLOW)
    store_secret(partner.aws, "partner", {**partner.secret, "url": partner.secret["url"].replace("/in/", "/locked/"), "key": WRONG})
    said = refusal(partner.target, SLICE, FLOW)
    assert "it does not take the key in the secret partner" in said and WRONG not in said
    store_secret(partner.aws, "partner", partner.secret)
    partner.application.answers.extend([204, "lost"])
    run(partner.target, SLICE, FLOW)
    assert partner.rows == SENT and sorted(partner.application.taken, key=lambda row: str(row["carrier"])) == SENT
    names = [headers["webhook-id"] for _, headers, _ in partner.application.requests]
    assert len(names) == 4 and names[1] == names[2] and len(set(names)) == 3


def test_each_request_is_signed_as_a_receiver_wants_it(partner: Partner) -> None:
    for path, headers, body in partner.application.requests:
        keys = {"atoll": [KEY]}
        assert verified("standard", headers, body, keys, datetime.now(UTC), 900) == Signed("atoll", headers["webhook-id"])
        assert path == "/in/carriers" and json.loads(body)["dataset"] == FLOW


def test_the_slice_tells_which_batch_the_application_has_and_one_that_is_run_again_is_sent_whole(partner: Partner) -> None:
    connection = dataclasses.asdict(partner.target.reader.active_program().connections["partner"])
    asked = {"of": connection, "flows": {FLOW: FLOW}}
    start, end, _, _ = call(partner.target, installed()[SLICE], STEP, asked, PROGRAM.name)["landed"][FLOW]
    batch = {"from": start, "to": end}
    partner.application.rows.clear()
    assert execute(partner.target, SLICE, FLOW, **batch)["status"] == "SUCCEEDED"
    assert partner.rows == SENT


def test_a_step_reaches_the_journal_as_it_needs_and_no_other_secret(partner: Partner) -> None:
    bucket = naming.data_bucket(partner.aws.account, partner.aws.region)
    key = f"{naming.journal_prefix(SLICE)}{FLOW}/standing.json"
    for step, reads, writes in (
        ("publish", True, True),
        ("diff", True, False),
        ("landed", True, False),
        ("plan", False, False),
        ("commit", False, False),
    ):
        s3 = as_function(partner.target, partner.aws, f"atoll-harness-webhook-{step}", "s3")
        assert _allowed(lambda: s3.get_object(Bucket=bucket, Key=key)) == reads, step  # noqa: B023
        assert _allowed(lambda: s3.put_object(Bucket=bucket, Key=f"{key}.probe", Body=b"")) == writes, step  # noqa: B023
        assert not _allowed(lambda: s3.delete_object(Bucket=bucket, Key=key)), step  # noqa: B023
    for step in ("diff", "publish"):
        reads_one_secret(partner.target, partner.aws, f"atoll-harness-webhook-{step}", "partner")
    landed = as_function(partner.target, partner.aws, "atoll-harness-webhook-landed", "secretsmanager")
    assert not _allowed(lambda: landed.get_secret_value(SecretId=naming.secret("partner")))


def test_no_secret_and_no_row_is_in_a_log_or_a_state(partner: Partner) -> None:
    logs, states = (partner.target.session.client(name) for name in ("logs", "stepfunctions"))
    said = [
        event["message"]
        for group in logs.describe_log_groups()["logGroups"]
        if "webhook" in group["logGroupName"]
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        for event in page["events"]
    ]
    for execution in states.list_executions(stateMachineArn=partner.target.state_machine_arn(SLICE))["executions"]:
        said.append(json.dumps(states.get_execution_history(executionArn=execution["executionArn"])["events"], default=str))
    secrets = [partner.secret["key"], WRONG, partner.secret["url"], '"AA"', "BEGIN CERTIFICATE"]
    assert len(said) > 10 and not [(word, line) for line in said for word in secrets if word in line]


def test_the_lake_tells_which_rows_the_application_has_refused_and_why(partner: Partner) -> None:
    """An analyst's question: what of a publication did not arrive, in SQL over tables of the warehouse."""
    connection = dataclasses.asdict(partner.target.reader.active_program().connections["partner"])
    start, end, _, _ = call(partner.target, installed()[SLICE], STEP, {"of": connection, "flows": {FLOW: FLOW}}, PROGRAM.name)[
        "landed"
    ][FLOW]
    partner.application.refuses = lambda row: row["carrier"] == "XX"
    assert execute(partner.target, SLICE, FLOW, **{"from": start, "to": end})["status"] == "SUCCEEDED"
    _collect(partner)
    (refused,) = lake_rows(partner.aws, "atoll", "refused_rows").to_pylist()
    assert (refused["dataset"], refused["connection"], refused["batch_start"]) == (FLOW, "partner", from_text(start))
    assert json.loads(refused["data"])["carrier"] == "XX" and refused["reason"]
    receipts = sorted(lake_rows(partner.aws, "atoll", "receipts").to_pylist(), key=lambda row: int(row["token"]))
    assert [row["record"] for row in receipts] == ["replaced"] * (len(receipts) - 1) + ["kept"] and len(receipts) == 3
    assert {name: receipts[-1][name] for name in ("sent", "upserts", "deletes", "refused")} == {
        "sent": 3, "upserts": 2, "deletes": 0, "refused": 1,
    }  # fmt: skip
    assert receipts[-1]["completed_at"] == refused["completed_at"] and receipts[-1]["seconds"] > 0 and receipts[-1]["dollars"] > 0


def test_what_reads_the_records_may_read_no_more(partner: Partner) -> None:
    bucket = naming.data_bucket(partner.aws.account, partner.aws.region)
    role = "atoll-collect-atoll-extract"
    s3 = as_function(partner.target, partner.aws, role, "s3")
    (file,) = partner.aws.session().client("s3").list_objects_v2(Bucket=bucket, Prefix="rejected/")["Contents"]
    assert _allowed(lambda: s3.get_object(Bucket=bucket, Key=file["Key"]))
    assert not _allowed(lambda: s3.get_object(Bucket=bucket, Key=f"{naming.journal_prefix(SLICE)}{FLOW}/standing.json"))
    assert not _allowed(lambda: s3.put_object(Bucket=bucket, Key=file["Key"], Body=b""))
    secrets = as_function(partner.target, partner.aws, role, "secretsmanager")
    assert not _allowed(lambda: secrets.get_secret_value(SecretId=naming.secret("partner")))


def _collect(partner: Partner) -> None:
    """Collects what was recorded so far, once the minute has ended."""
    ends = floor(datetime.now(UTC), 60) + timedelta(seconds=60)
    time.sleep((ends - datetime.now(UTC)).total_seconds() + 1)
    for slice_id, flow, dataset in (
        ("collect.atoll", "lake.atoll", "lake.atoll.receipts:staged"),
        ("organize.iceberg", "lake.atoll:load", "lake.atoll.receipts"),
    ):
        for _ in range(MOST_RUNS):
            run(partner.target, slice_id, flow)
            if partner.target.reader.flow_states([flow])[flow].tables[dataset].watermark >= ends:
                break
        else:
            raise AssertionError(f"{flow} has not come to {ends}")


def _allowed(act: object) -> bool:
    try:
        act()  # type: ignore[operator]
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException", "403"), error
        return False
    return True
