"""Drift while the clock runs: the deployed reference program, a PostgreSQL whose tables are altered, and the Salesforce double."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from examples.airline import crm
from examples.airline.demo import Demo
from infra.embedded import EmbeddedAws
from shared_metadata.drift.changes import Change
from shared_metadata.program.intervals import floor
from shared_metadata.store.drift_records import Drift
from tests.command import atoll
from tests.e2e.test_airline import MINUTE, Deployed
from tests.inbox import Inbox

pytestmark = [pytest.mark.xdist_group("drift"), pytest.mark.timeout(1500), pytest.mark.budget(420), pytest.mark.deep]
DELAYS, SCORECARD = "ops.published.airport_delays", "ops.published.carrier_scorecard"


class Drifting(Deployed):
    """The airline, somebody who subscribes to its alerts, and hands on its sources."""

    def __init__(self, demo: Demo) -> None:
        super().__init__(demo)
        self._inbox = Inbox(demo.target.session.client)
        self.messages: list[dict[str, Any]] = []

    def alter(self, *statements: str) -> None:
        with psycopg.connect(self.demo.dsn) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[arg-type]

    def crm(self, method: str, path: str, body: Any = None) -> None:
        self.demo.crm._call(method, f"objects/{path}", body)

    def drifts(self) -> dict[str, Drift]:
        """What is open, by 'table.column'."""
        found = self.demo.target.writer.drifts.open_drifts()
        return {f"{d.change.table}.{d.change.column}": d for d in found}

    def until(self, what: str, holds: Callable[[], bool], seconds: float = 400) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, what
            time.sleep(0.5)

    def read_alerts(self) -> list[str]:
        """The subjects of all messages about drift so far."""
        self.messages += self._inbox.take()
        return sorted(str(m.get("Subject")) for m in self.messages if "drift" in str(m.get("Subject")))

    def quiesced(self) -> set[str]:
        states = self.demo.target.reader.flow_states(list(self.program.flows)).values()
        return {name for state in states for name in state.tables if state.drifts(name)}

    def atoll(self, *arguments: str) -> str:
        return atoll(self.demo.stack, *arguments)


@pytest.fixture(scope="module")
def airline(own_aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drifting]:
    folder = tmp_path_factory.mktemp("crm")
    try:
        yield Drifting(Demo(own_aws, folder))
    finally:
        crm.down(folder)


def test_every_row_of_the_designs_table(airline: Drifting) -> None:
    airline.alter(
        "ALTER TABLE planes ADD COLUMN colour text DEFAULT 'white'",
        "ALTER TABLE planes DROP COLUMN engine",  # nobody reads it
        "ALTER TABLE planes RENAME COLUMN manufacturer TO maker",  # airport_delays reads it
        "ALTER TABLE planes ALTER COLUMN seats TYPE bigint",
    )
    airline.crm("DELETE", "Account/fields/Website")  # nobody reads it
    airline.crm("POST", "Account/fields", {"name": "Nickname__c", "type": "string"})
    airline.until("five changes of planes and two of Account are recorded", lambda: len(airline.drifts()) == 7)
    found = airline.drifts()
    assert {name.removeprefix("ops.public."): drift.change.kind for name, drift in found.items()} == {
        "planes.colour": Change.COLUMN_ADDED,
        "planes.maker": Change.COLUMN_ADDED,
        "planes.engine": Change.COLUMN_DROPPED,
        "planes.manufacturer": Change.COLUMN_DROPPED,
        "planes.seats": Change.TYPE_WIDENED,
        "crm.Account.Website": Change.COLUMN_DROPPED,
        "crm.Account.Nickname__c": Change.COLUMN_ADDED,
    }
    gone = found["ops.public.planes.manufacturer"]
    assert gone.change.quiesces == (DELAYS, f"{DELAYS}:result")
    assert gone.change.probable_rename == "maker"
    assert airline.quiesced() == {DELAYS, f"{DELAYS}:result"}

    # everything else runs on, and the warehouse has what came
    moment = floor(datetime.now(UTC), 60) + MINUTE
    stopped = airline.watermark(DELAYS, DELAYS)
    for dataset in ("lake.ops.planes", "lake.crm.account"):
        flow = airline.program.producers[dataset].id
        airline.wait_past(flow, dataset, moment)
    airline.wait_past(SCORECARD, SCORECARD, moment)
    assert airline.watermark(DELAYS, DELAYS) == stopped
    planes = airline.demo.target.reader.latest_schema("lake.ops.planes")
    assert planes is not None
    types = {c.name: c.type for c in planes.schema.columns}
    assert (types["colour"], types["engine"], types["manufacturer"], types["seats"]) == ("string", "string", "string", "long")

    # one message, which names view, place, column and remedy
    airline.until("a message arrives", lambda: bool(airline.read_alerts()))
    assert airline.read_alerts() == [f"Atoll: drift {gone.number}: ops.public.planes.manufacturer: column dropped"]
    (message,) = [m["Message"] for m in airline.messages if "drift" in str(m.get("Subject"))]
    use = next(u for u in gone.change.used_by if u.dataset == DELAYS)
    line = airline.program.sources[use.position.file].splitlines()[use.position.line - 1]
    assert "n.manufacturer" in line and f"{use.position}: {DELAYS} reads lake.ops.planes.manufacturer" in message
    assert "it is probably called maker now" in message and "atoll discover ops" in message

    # the commands say it
    assert f"{gone.number}  quiesces" in airline.atoll("drift")
    said = message.removesuffix(f"\nMore: atoll drift show {gone.number}")
    shown = airline.atoll("drift", "show", str(gone.number)).replace(" --profile local", "")  # which the command repeats in its hints
    assert said != message and shown.startswith(said)
    why = airline.atoll("why", DELAYS)
    assert why.startswith(f"{DELAYS} is quiesced by drift {gone.number} since ") and "manufacturer" in why

    # the column returns: what stood still goes on and catches up
    airline.alter("ALTER TABLE planes RENAME COLUMN maker TO manufacturer")
    airline.until("nothing is quiesced", lambda: not airline.quiesced())
    airline.wait_past(DELAYS, DELAYS, floor(datetime.now(UTC), 60) + MINUTE)
    assert airline.differences() == []
    assert len(airline.read_alerts()) == 1


def test_salesforce_fields_retyped_and_renamed_quiesce_their_users_until_they_return(airline: Drifting) -> None:
    client = airline.demo.crm.client()
    codes = client.query("SELECT Id, Carrier_Code__c FROM Account WHERE Type = 'Airline'")["records"]
    airline.crm("POST", "Opportunity/fields/Amount/name", {"name": "Value__c"})
    airline.crm("POST", "Account/fields", {"name": "Carrier_Code__c", "type": "double"})
    users = {"lake.ops.carrier_score", f"{SCORECARD}:result", SCORECARD}
    wanted = {"crm.Opportunity.Amount", "crm.Account.Carrier_Code__c"}
    airline.until("both are recorded", lambda: wanted <= set(airline.drifts()))
    found = airline.drifts()
    assert found["crm.Opportunity.Amount"].change.probable_rename == "Value__c"
    assert found["crm.Account.Carrier_Code__c"].change.kind == Change.TYPE_CHANGED
    assert airline.quiesced() == users
    airline.until("two more messages arrive", lambda: len(airline.read_alerts()) == 3)
    airline.wait_past(DELAYS, DELAYS, floor(datetime.now(UTC), 60))  # runs on

    airline.crm("POST", "Opportunity/fields/Value__c/name", {"name": "Amount"})
    airline.until("one of the two is over", lambda: "crm.Opportunity.Amount" not in airline.drifts())
    assert airline.quiesced() == users  # the other still holds them
    airline.crm("DELETE", "Account/fields/Carrier_Code__c")
    airline.crm("POST", "Account/fields", {"name": "Carrier_Code__c", "type": "string", "length": 2})
    for record in codes:
        client.Account.update(record["Id"], {"Carrier_Code__c": record["Carrier_Code__c"]})
    airline.until("nothing is quiesced", lambda: not airline.quiesced())
    airline.wait_past(SCORECARD, SCORECARD, floor(datetime.now(UTC), 60) + MINUTE)
    assert airline.differences() == []
    assert len(airline.read_alerts()) == 3
