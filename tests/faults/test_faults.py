"""A fixed selection of what `make faults` does: the reference program broken at every step, and compared with a run that was not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.embedded import EmbeddedAws
from shared_metadata.state.records import EventKind
from tests.faults import sources
from tests.faults.account import BEGIN, Stage
from tests.faults.campaign import Campaign
from tests.faults.contents import differences
from tests.faults.cover import Cover
from tests.faults.faults import AWS_TROUBLES, DEATHS, EXECUTION_LIMITS, INVOKE, LATER, LOSSES, PAUSES, Fault, Kind, Site
from tests.faults.world import DAY, REFUSED, world
from tests.memory.dynamodb import TOO_LARGE as ITEM_TOO_LARGE

pytestmark = [pytest.mark.xdist_group("faults"), pytest.mark.timeout(900), pytest.mark.budget(180), pytest.mark.deep]
FLIGHTS = Site("lake.ops.flights", "lake.ops.flights:staged", "extract", "postgres.COPY", 0)


@pytest.fixture(scope="module")
def campaign(own_aws: EmbeddedAws) -> Iterator[Campaign]:
    stage = Stage(own_aws)
    made = Campaign(stage)
    made.learn()
    yield made
    stage.close()


@pytest.mark.parametrize("seed", [1])
def test_whatever_breaks_nothing_is_lost_and_nothing_comes_twice(campaign: Campaign, seed: int) -> None:
    """A fault at each step of each batch; `make faults SEED=<seed>` repeats it and makes it small."""
    faults = campaign.chosen(seed)
    result = campaign.run(faults)
    assert result.lines == [], f"make faults SEED={seed}"
    assert len(faults) > 100 and len(result.fired) > 0.9 * len(faults)
    assert result.rows >= campaign.expected.rows  # more with a day without the machine


def test_the_conductor_breaks_where_it_starts_batches_and_tells_people_and_the_machine_is_off_for_a_day(campaign: Campaign) -> None:
    """`make faults COVER=1` tries all there are, at every step. The second stop comes on the day after the first: both are of one
    flow, whose batch was claimed before the first, in whatever order executions begin, so that the next day's is claimed anew.
    """
    calls = {call: name for call, name in campaign.sites.items() if call[1].operation == "stepfunctions.StartExecution"}
    read = next(call for call in campaign.sites if call[1].operation == "postgres.COMMIT" and call[1].step == "extract")
    claim = (read[0], Site(read[1].flow, "", "plan", "dynamodb.PutItem", 0))
    assert read[0] == 0 and claim in campaign.sites
    stops = [Fault(*read, Kind.MACHINE), Fault(*claim, Kind.LOST_FOR_GOOD), Fault(*claim, Kind.MACHINE)]
    asked = next(call for call in campaign.sites if call[1].service == "salesforce" and call[1].step == "extract")
    asking = [Fault(*asked, kind) for kind in (Kind.DIES_AFTER, Kind.PAUSED)]
    publish = next(call for call in campaign.sites if call[1].operation == "sns.Publish")
    told = [Fault(*publish, kind) for kind in (Kind.DIES_BEFORE, Kind.DIES_AFTER, Kind.LOST_FOR_GOOD, Kind.THROTTLED)]
    faults = (*Cover.of(calls, campaign.batches).next(), *told, *stops, *asking)
    result = campaign.run(faults)
    assert result.lines == []
    assert {*stops, *told, *asking} - result.fired.keys() == set()
    assert {fault.kind for fault in result.fired} >= {*DEATHS, *LOSSES, *AWS_TROUBLES, *PAUSES}


def test_what_aws_refuses_for_the_moment_is_no_failure(campaign: Campaign) -> None:
    """Throttles, conflicts of transactions, no concurrency and no network, at every step: no attempt at a batch is counted."""
    faults = campaign.chosen(2, LATER)
    with world(campaign.stage, faults) as broken:
        broken.run(campaign.batches)
        lines = differences(broken.contents(), campaign.expected)
        failed = [
            e.detail for e in broken.reader.events(BEGIN, broken.now) if e.kind in (EventKind.BATCH_FAILED, EventKind.BATCH_DEAD)
        ]
        fired = {fault.kind for fault in broken.schedule.fired}
    assert lines == []
    assert fired == {*LATER} and broken.redriven == 0
    assert [detail for detail in failed if not detail["dataset"].endswith(REFUSED)] == []


def test_what_is_over_a_limit_is_a_failure_that_tells_its_cause(campaign: Campaign) -> None:
    """An answer of more than 262,144 bytes after the claim was made, the last event before a part is read, an item of more than
    400 KB at a commit: each is one failed attempt of the batch, and the next one makes it.
    """
    large = Site("lake.ops.carrier_day", "", "plan", INVOKE, 0)
    long = Site(FLIGHTS.flow, FLIGHTS.dataset, "extract", INVOKE, 0)
    item = Site(f"{FLIGHTS.flow}:load", "lake.ops.flights", "commit", "dynamodb.TransactWriteItems", 0)
    faults = (Fault(0, large, Kind.TOO_LARGE), Fault(0, long, Kind.TOO_LONG), Fault(0, item, Kind.ITEM_TOO_LARGE))
    assert {(0, fault.site) for fault in faults} <= campaign.sites.keys()
    with world(campaign.stage, faults) as broken:
        broken.run(campaign.batches)
        lines = differences(broken.contents(), campaign.expected)
        failed = [e for e in broken.reader.events(BEGIN, broken.now) if e.kind in (EventKind.BATCH_FAILED, EventKind.BATCH_LOST)]
        assert {*faults} == {*broken.schedule.fired} and broken.redriven == 0
    assert lines == []
    told = sorted((e.flow, e.detail["error"]) for e in failed if not e.detail["dataset"].endswith(REFUSED))
    ended = [(fault.site.flow, ": ".join(EXECUTION_LIMITS[fault.kind])) for fault in faults if fault.kind in EXECUTION_LIMITS]
    (refused,) = [found for found in told if found not in ended]
    assert sorted([*ended, refused]) == told and refused[0] == item.flow and ITEM_TOO_LARGE in refused[1]


def test_operators_conductors_and_repeated_events_make_no_batch_twice(campaign: Campaign) -> None:
    with world(campaign.stage, crowded=True) as crowded:
        found = crowded.run(1).contents()
    first = [name for name in campaign.expected.tables if "as of 01" in name]
    assert found.twice == [] and len(first) > 30
    assert {name: found.tables.get(name) for name in first} == {name: campaign.expected.tables[name] for name in first}


def test_rows_that_change_while_they_are_read_arrive_with_the_next_batch(campaign: Campaign) -> None:
    """A change between two extracts, or in the middle of one: the batch after it holds the same."""
    during = Fault(0, FLIGHTS, Kind.CHANGED)
    with world(campaign.stage, (during,)) as changed, world(campaign.stage) as quiet:
        changed.run(2)
        assert changed.schedule.fired == [during]
        quiet.run(1)
        sources.change_meanwhile(quiet.dsn, quiet.now + DAY / 4)
        quiet.run_batch(1)
        found, expected = changed.contents(), quiet.contents()
    # flight_log counts the changes of each batch, and so tells in which one it saw them
    names = [n for n in expected.tables if (n.endswith("as of 02") or n.startswith("published")) and "flight_log" not in n]
    assert len(names) > 15
    assert {n: found.tables.get(n) for n in names} == {n: expected.tables[n] for n in names}


def test_a_difference_is_told(campaign: Campaign) -> None:
    """The comparison sees one row that is not there, and one that came twice."""
    with world(campaign.stage) as broken:
        broken.apply()
        broken.run_batch(0)
        found = broken.contents()
    assert any("missing" in line for line in differences(found, campaign.expected))
    name = "lake.ops.flights as of 01"
    row = next(iter(found.tables[name]))
    found.tables[name][row] += 1
    assert f"{name}: 0 rows missing [], 1 unexpected [{row}]" in differences(found, campaign.expected)
