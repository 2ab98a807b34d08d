"""Topics as a user has them: a program is compiled, its stacks deployed, and events collected while the topic changes below them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from console.target import Target
from doubles.kafka.sasl import Users
from doubles.kafka.server import Kafka, served
from infra.embedded import EmbeddedAws
from infra.embedded.tls import tls_files
from shared_metadata import naming
from shared_metadata.program.intervals import floor
from tests.e2e import one_program
from tests.e2e.same_rows import lake_rows

pytestmark = [pytest.mark.xdist_group("kafka"), pytest.mark.timeout(1200), pytest.mark.budget(400), pytest.mark.deep]
PROGRAM = Path(__file__).with_name("kafka.sql")
MINUTE_SECONDS, MOST_RUNS, PASSWORD = 60, 30, "canary-Kx9-wörd"


@dataclass
class Deployed:
    aws: EmbeddedAws
    target: Target
    kafka: Kafka
    sent: int = 0

    def send(self, count: int) -> None:
        """Clicks of many keys; each fifth in a transaction, beside one that is given up."""
        cluster = self.kafka.cluster
        for number in range(self.sent, self.sent + count):
            value, key = json.dumps({"id": number, "kind": f"k{number % 3}"}).encode(), str(number).encode()
            producer = cluster.new_producer() if number % 5 == 0 else -1
            cluster.put("clicks", value, key, producer=producer)
            if producer >= 0:
                cluster.commit(producer)
                producer = cluster.new_producer()
                cluster.put("clicks", b'{"id": -1}', key, producer=producer)
                cluster.abort(producer)
        self.sent += count

    def cart(self, number: int, total: str | None) -> None:
        value = None if total is None else json.dumps({"id": number, "total": total}).encode()
        self.kafka.cluster.put("carts", value, json.dumps({"id": number}).encode())

    def batches(self) -> None:
        """All of the minute in which the last event came, and those before."""
        ends = floor(datetime.now(UTC), MINUTE_SECONDS) + timedelta(seconds=MINUTE_SECONDS)
        time.sleep((ends - datetime.now(UTC)).total_seconds() + 1)
        for table in ("clicks", "carts"):
            self.until("collect.kafka", f"lake.bus.{table}", f"lake.bus.{table}:staged", ends)
            self.until("organize.iceberg", f"lake.bus.{table}:load", f"lake.bus.{table}", ends)
        self.until("organize.iceberg", "lake.bus.kinds", "lake.bus.kinds", ends)

    def until(self, slice_id: str, flow: str, dataset: str, ends: datetime) -> None:
        """Runs what is due of a flow until its batches have come so far: an execution takes those that are due when it begins."""
        for _ in range(MOST_RUNS):
            one_program.run(self.target, slice_id, flow)
            if self.target.reader.flow_states([flow])[flow].tables[dataset].watermark >= ends:
                return
        raise AssertionError(f"{flow} has not come to {ends}")

    def clicks(self) -> list[int]:
        return sorted(lake_rows(self.aws, "bus", "clicks")["id"].to_pylist())

    def carts(self) -> dict[int, tuple[Decimal | None, bool]]:
        rows = lake_rows(self.aws, "bus", "carts").to_pylist()
        return {row["id"]: (row["total"], row["_deleted"]) for row in rows}


@pytest.fixture(scope="module")
def deployed(own_aws: EmbeddedAws) -> Iterator[Deployed]:
    """The account, with these stacks and this program, and a cluster that speaks TLS to users who sign in."""
    files = tls_files(own_aws.folders.aws / "tls")
    with served(Users({"atoll": PASSWORD}), (files.certificate, files.key)) as kafka:
        kafka.cluster.create("clicks", 2)
        kafka.cluster.create("carts")
        kafka.cluster.create("secrets")
        kafka.rules.denied.add(("atoll", "secrets"))
        secret = {"username": "atoll", "password": PASSWORD, "brokers": kafka.address, "ca": files.certificate.read_text()}
        with one_program.deployed(own_aws, PROGRAM, "CollectKafkaSlice", "OrganizeIcebergSlice") as target:
            one_program.store_secret(own_aws, "bus", secret)
            yield Deployed(own_aws, target, kafka)


def test_each_event_is_in_the_lake_once_and_the_newest_of_a_key_wins_while_the_topic_grows(deployed: Deployed) -> None:
    deployed.send(500)
    deployed.cart(1, "1.50")
    deployed.cart(2, "2.00")
    deployed.batches()
    assert deployed.clicks() == list(range(500))
    assert deployed.carts() == {1: (Decimal("1.50"), False), 2: (Decimal("2.00"), False)}
    deployed.kafka.cluster.grow("clicks", 5)
    deployed.kafka.cluster.put("clicks", b"no event")
    deployed.send(300)
    deployed.cart(1, "7.25")
    deployed.cart(2, None)
    deployed.batches()
    assert deployed.clicks() == list(range(800))
    assert deployed.carts() == {1: (Decimal("7.25"), False), 2: (None, True)}
    kinds = lake_rows(deployed.aws, "bus", "kinds").to_pylist()
    assert {row["kind"]: (row["clicks"], row["events"]) for row in kinds} == {"k0": (267, 267), "k1": (267, 267), "k2": (266, 266)}
    (aside,) = lake_rows(deployed.aws, "bus", "clicks__rejected").to_pylist()
    assert "is no JSON" in aside["reason"] and json.loads(aside["data"])["data"] == "no event"


@pytest.mark.security
def test_what_is_denied_is_named_and_the_functions_read_no_other_secret(deployed: Deployed) -> None:
    options = {"secret": "bus"}
    event = {"connection": {"name": "bus", "system": "kafka", "options": options}, "tables": ["secrets"]}
    function = naming.function("collect.kafka", "discover")
    answer = deployed.aws.session().client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    said = json.loads(answer["Payload"].read())
    assert "the cluster denies the topic secrets" in said["errorMessage"], said
    one_program.store_secret(deployed.aws, "ops", {"another": "secret"})
    for step in ("plan", "extract", "discover"):
        one_program.reads_one_secret(deployed.target, deployed.aws, naming.function("collect.kafka", step), "bus")
