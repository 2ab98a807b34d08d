"""A restatement begins no further back than the versions that its batches read are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

import pytest

from shared_metadata.contract.maintenance.restatable import refuse_what_is_forgotten
from shared_metadata.contract.maintenance.retention import Retention
from shared_metadata.errors import InputError
from shared_metadata.program import Program
from shared_metadata.program.intervals import floor
from shared_metadata.state.records import MAX_ATTEMPTS, Claim, TableCommit
from shared_metadata.store.writer import MetadataWriter
from shared_metadata.update_set.applying import EffectiveAt, moment_of, switch_to
from tests.conformance.fixtures import SettableClock, create_metadata_table
from tests.memory.dynamodb import MemoryDynamoDB, Rows
from tests.metadata.behaviour import FIRST, HOUR, START, apply, due_along, program, run, view

pytestmark = pytest.mark.xdist_group("restatement")  # a past is made once
INPUT, READER = "lake.crm.t000", "lake.a.v"
DAYS = {HOUR: 5, 24 * HOUR: 12}  # of a past, by its view's interval
Restate = Callable[[datetime], EffectiveAt]


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(FIRST.end + timedelta(minutes=1))


@pytest.fixture
def dynamodb() -> MemoryDynamoDB:
    memory = MemoryDynamoDB()
    create_metadata_table(memory, "metadata")
    return memory


@pytest.fixture
def writer(dynamodb: MemoryDynamoDB, clock: SettableClock) -> MetadataWriter:
    return MetadataWriter(dynamodb, "metadata", clock)  # type: ignore[arg-type]


@pytest.fixture(params=[HOUR])
def history(request: pytest.FixtureRequest, dynamodb: MemoryDynamoDB, clock: SettableClock) -> None:
    """Some days of hourly batches of the input, and of the view over it, whose interval is the parameter."""
    rows, clock.now = _history(request.param)
    dynamodb.tables["metadata"] = dict(rows)


@cache
def _history(view_seconds: int) -> tuple[Rows, datetime]:
    dynamodb, clock = MemoryDynamoDB(), SettableClock(FIRST.end + timedelta(minutes=1))
    create_metadata_table(dynamodb, "metadata")
    writer = MetadataWriter(dynamodb, "metadata", clock)  # type: ignore[arg-type]
    apply(writer, program(1, views=(view(READER, INPUT, seconds=view_seconds),)))
    for _ in range(DAYS[view_seconds] * 24):
        while batches := due_along(writer, clock):
            for batch in batches:
                run(writer, batch)
        clock.advance(hours=1)
    return dynamodb.tables["metadata"], clock.now


def restating(writer: MetadataWriter, clock: SettableClock, changed: Program, days: int | None = 2) -> Restate:
    def restate(since: datetime) -> EffectiveAt:
        moment = moment_of(writer.reader, changed, clock.now, restate_from=since)
        keep = None if days is None else timedelta(days=days)
        refuse_what_is_forgotten(writer.reader, changed, moment, clock.now, lambda program, flow: keep)
        return moment

    return restate


def with_another_view(seconds: int = HOUR) -> Program:
    return program(1, views=(view(READER, INPUT, seconds=seconds, query="SELECT 2"),))


def test_what_is_kept_can_be_made_again_and_what_is_older_is_refused_with_the_first_moment_that_can(
    history: None, writer: MetadataWriter, clock: SettableClock
) -> None:
    restate = restating(writer, clock, with_another_view())
    first = floor(clock.now, HOUR) - timedelta(days=2, hours=-1)
    assert restate(first).effect.boundary == first
    with pytest.raises(InputError, match=f"{INPUT} as of .*is kept no longer") as refused:
        restate(first - timedelta(hours=5))
    assert READER in str(refused.value) and f"choose {first:%Y-%m-%dT%H:%M:%SZ} or later" in str(refused.value)


@pytest.mark.deep
@pytest.mark.parametrize("history", [24 * HOUR], indirect=True)
def test_of_a_daily_reader_the_midnights_are_kept_for_longer(history: None, writer: MetadataWriter, clock: SettableClock) -> None:
    restate = restating(writer, clock, with_another_view(24 * HOUR))
    midnight = floor(clock.now, 24 * HOUR)
    assert restate(midnight - timedelta(days=6))
    with pytest.raises(InputError):
        restate(midnight - timedelta(days=9))


def test_what_is_accepted_reads_only_what_is_kept(history: None, writer: MetadataWriter, clock: SettableClock) -> None:
    restate = restating(writer, clock, with_another_view())
    last = writer.reader.latest_version(INPUT)
    kept = {version.interval.end for version in Retention(writer.reader, clock.now).kept(INPUT, timedelta(days=2))}
    for hours in range(1, 24 * DAYS[HOUR] - 2, 5):
        assert last is not None
        since = last.interval.end - timedelta(hours=hours)
        read = {since + timedelta(hours=n) for n in range(1, hours + 1)}
        try:
            restate(since)
        except InputError:
            assert not read <= kept, since
        else:
            assert read <= kept, since


def test_what_an_operator_runs_while_the_stopped_flow_is_changed_is_made_again_by_the_new_program(
    writer: MetadataWriter, clock: SettableClock
) -> None:
    """The change takes effect where the flow stopped: nothing had been made since then, but a batch was at work."""
    apply(writer, program(1, views=(view(READER, INPUT),)))
    while others := [batch for batch in due_along(writer, clock) if batch.flow != READER]:
        run(writer, others[0])

    def claimed(owner: str) -> Claim:
        return writer.claim(READER, FIRST, [READER], program_version="old", owner=owner, lease_seconds=60, entry=1)

    for _ in range(MAX_ATTEMPTS):
        writer.fail(claimed("the conductor"), READER, "it broke")
    late, changed = claimed("an operator"), with_another_view()
    writer.put_program(changed)
    assert switch_to(writer, changed, moment_of(writer.reader, changed, clock.now)).boundary == FIRST.start
    writer.commit(late, [TableCommit(READER, 1, pointer={"made by": "the old program"})])
    (again,) = due_along(writer, clock)
    assert (again.flow, again.interval, again.program) == (READER, FIRST, changed.version)
    run(writer, again)
    assert due_along(writer, clock) == []


def test_an_input_that_has_not_changed_since_is_read_as_it_stands(writer: MetadataWriter, clock: SettableClock) -> None:
    apply(writer, program(1, views=(view(READER, INPUT),)))
    for batch in due_along(writer, clock):
        run(writer, batch)
    for batch in due_along(writer, clock):
        run(writer, batch)
    clock.advance(days=30)
    assert restating(writer, clock, with_another_view())(START)


def test_what_is_made_again_itself_is_not_asked_for(history: None, writer: MetadataWriter, clock: SettableClock) -> None:
    wanted = program(1, views=(view(READER, INPUT),))
    collect = wanted.flows["lake.crm"]
    changed = Program(wanted.connections, wanted.warehouses, {**wanted.flows, collect.id: replace(collect, filter="amount > 0")})
    assert restating(writer, clock, changed)(START)


def test_a_load_is_made_again_from_what_is_still_staged(history: None, writer: MetadataWriter, clock: SettableClock) -> None:
    wanted = program(1, views=(view(READER, INPUT),))
    load = wanted.flows["lake.crm:load"]
    changed = Program(wanted.connections, wanted.warehouses, {**wanted.flows, load.id: replace(load, partition_by=("day",))})
    restate = restating(writer, clock, changed)
    assert restate(floor(clock.now, HOUR) - timedelta(days=1))
    with pytest.raises(InputError, match=f"{INPUT}:staged"):
        restate(START)


def test_a_warehouse_that_forgets_nothing_refuses_nothing(history: None, writer: MetadataWriter, clock: SettableClock) -> None:
    changed = with_another_view()
    moment = restating(writer, clock, changed, days=None)(START)
    writer.put_program(changed)
    assert switch_to(writer, changed, moment).restates
