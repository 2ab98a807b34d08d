"""An endpoint as a user has it: a program is compiled, its stacks deployed, and what is sent there by HTTPS is in the lake."""

from __future__ import annotations

import gzip
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest

from console.target import Target
from infra.embedded import EmbeddedAws
from infra.embedded.tls import tls_files
from shared_metadata import naming
from shared_metadata.program.intervals import floor
from slices.collect.http.tests.under_test import KEY, KEYS, signed
from tests.e2e import one_program
from tests.e2e.same_rows import lake_rows

pytestmark = [pytest.mark.xdist_group("http"), pytest.mark.timeout(1200), pytest.mark.budget(400), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("http.sql")
MINUTE_SECONDS, MOST_RUNS, SENDERS_AT_ONCE = 60, 30, 4


class Deployed:
    """The account with its endpoint. sent: numbers that were promised."""

    def __init__(self, aws: EmbeddedAws, target: Target) -> None:
        self.aws, self.target, self.sent = aws, target, list[int]()
        stacks = aws.session().client("cloudformation").describe_stacks()["Stacks"]
        outputs = [output for stack in stacks for output in stack.get("Outputs", ())]
        (self.url,) = (output["OutputValue"] for output in outputs if output["OutputKey"] == "Url")
        trusted = ssl.create_default_context(cafile=str(tls_files(aws.folders.aws / "tls").bundle))
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted))

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Status and answer. The embedded AWS serves every endpoint at its own address, by the name that is asked for."""
        kind = "application/octet-stream" if "content-encoding" in headers else "application/json"
        asked = {"content-type": kind, **headers, "host": urlparse(self.url).netloc}
        request = urllib.request.Request(f"{self.aws.endpoint}{path}", body, asked, method="POST")
        try:
            with self._opener.open(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def send(self, numbers: list[int], *, message: str = "", packed: bool = False) -> None:
        body = json.dumps([{"id": number, "total": f"{number}.50"} for number in numbers]).encode()
        body = gzip.compress(body) if packed else body
        headers = signed(body, datetime.now(UTC), message=message, **({"content-encoding": "gzip"} if packed else {}))
        assert self.post("/site/orders", body, headers) == (202, {"events": len(numbers)})
        self.sent += numbers

    def until(self, slice_id: str, flow: str, dataset: str, ends: datetime) -> None:
        """Runs what is due of a flow until its batches have come so far: an execution takes those that are due when it begins."""
        for _ in range(MOST_RUNS):
            one_program.run(self.target, slice_id, flow)
            if self.target.reader.flow_states([flow])[flow].tables[dataset].watermark >= ends:
                return
        raise AssertionError(f"{flow} has not come to {ends}")

    def collected(self, table: str) -> list[dict[str, Any]]:
        """What the lake holds once the minute in which the last event came has ended, and all batches until then have run."""
        ends = floor(datetime.now(UTC), MINUTE_SECONDS) + timedelta(seconds=MINUTE_SECONDS)
        time.sleep((ends - datetime.now(UTC)).total_seconds() + 1)
        self.until("collect.http", f"lake.site.{table}", f"lake.site.{table}:staged", ends)
        self.until("organize.iceberg", f"lake.site.{table}:load", f"lake.site.{table}", ends)
        return lake_rows(self.aws, "site", table).to_pylist()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def deployed(own_aws: EmbeddedAws) -> Iterator[Deployed]:
    one_program.store_secret(own_aws, "senders", dict(KEYS))
    with one_program.deployed(own_aws, PROGRAM, "CollectHttpSlice", "OrganizeIcebergSlice") as target:
        yield Deployed(own_aws, target)


def test_each_event_that_was_promised_is_in_the_lake_once(deployed: Deployed) -> None:
    with ThreadPoolExecutor(SENDERS_AT_ONCE) as pool:
        list(pool.map(lambda n: deployed.send([10 * n + one for one in range(10)], packed=n % 2 == 1), range(12)))
    rows = deployed.collected("orders")
    assert sorted(row["id"] for row in rows) == sorted(deployed.sent) == list(range(120))
    assert {row["_sender"] for row in rows} == {"shop"} and len({row["_sequence"] for row in rows}) == 120
    assert all(str(row["total"]) == f"{row['id']}.50" for row in rows)


def test_what_is_sent_twice_is_one_row_where_the_program_merges_by_the_messages_id(deployed: Deployed) -> None:
    for _ in range(2):
        deployed.send([1000, 1001], message="msg_twice")
    rows = deployed.collected("messages")
    assert sorted(row["id"] for row in rows if row["_message_id"].startswith("msg_twice")) == [1000, 1001]


def test_an_event_that_does_not_fit_is_set_aside(deployed: Deployed) -> None:
    body = json.dumps([{"id": "none", "total": 1}, {"id": 2000, "total": 2}]).encode()
    assert deployed.post("/site/orders", body, signed(body, datetime.now(UTC)))[0] == 202
    assert 2000 in [row["id"] for row in deployed.collected("orders")]
    (aside,) = lake_rows(deployed.aws, "site", "orders__rejected").to_pylist()
    assert "id is no long" in aside["reason"] and json.loads(json.loads(aside["data"])["data"]) == {"id": "none", "total": 1}


@pytest.mark.security
def test_what_nobody_has_signed_is_refused_and_no_table_is_there_but_the_programs(deployed: Deployed) -> None:
    body, now = b'{"id": 1}', datetime.now(UTC)
    assert deployed.post("/site/orders", body, {})[0] == 401
    assert deployed.post("/site/orders", body, signed(body, now, key=KEY[::-1].replace("=", "A") + "="))[0] == 401
    assert deployed.post("/site/orders", body, signed(body, now - timedelta(hours=1)))[0] == 401
    assert deployed.post("/site/others", body, signed(body, now))[0] == 404
    assert deployed.post("/site/orders", b"x" * (513 << 10), signed(b"x" * (513 << 10), now))[0] == 413


@pytest.mark.security
def test_what_the_role_may_not_store_is_not_promised(deployed: Deployed) -> None:
    """Its grant is taken away, as a boundary of the organisation would."""
    iam, function = deployed.aws.session().client("iam"), naming.function("collect.http", "receive")
    role = deployed.aws.session().client("lambda").get_function(FunctionName=function)["Configuration"]["Role"].rpartition("/")[2]
    denied = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=json.dumps(denied))
    body = b'{"id": 3000}'
    try:
        status, said = deployed.post("/site/orders", body, signed(body, datetime.now(UTC)))
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="denied")
    assert status == 503 and "send them again" in said["error"]
