"""`atoll state verify` and `repair`, below their command: what is broken is found, exactly that, and made whole again."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared_metadata.contract.landed import Landed
from shared_metadata.program.intervals import Interval, to_text
from shared_metadata.state.records import EventKind, TableCommit
from shared_metadata.store import keys
from shared_metadata.store.table_actions import EVENT_DAYS
from shared_metadata.store.whole_table import scan
from shared_metadata.store.writer import MetadataWriter
from shared_metadata.verification.difference import Difference, Kind
from shared_metadata.verification.differences import differences, recorded_otherwise
from shared_metadata.verification.facts import Facts
from shared_metadata.verification.notes import Notes
from shared_metadata.verification.repair import Repair
from shared_metadata.verification.verify import Verified, verify
from tests.conformance.fixtures import SettableClock
from tests.memory.dynamodb import MemoryDynamoDB, text_of
from tests.metadata import behaviour
from tests.metadata.behaviour import FIRST, HOUR, SECOND, apply, claim, due_along, run, scheduled, staged, view
from tests.protocol.lake import BEGIN, COLLECT, LOAD, STAGED, TABLE, VIEW, program
from tests.protocol.promises import settle
from tests.protocol.world import METADATA, World

HOURS = timedelta(hours=1)
Break = Callable[[World], None]


def lived(hours: int = 5) -> World:
    """A program that has run for some hours, of which one was empty."""
    world = World(program())
    world.now += timedelta(hours=hours)
    settle(world)
    return world


def found(world: World) -> list[Difference]:
    """As the whole table tells it at once, and, the same, as it is told flow by flow."""
    whole_table = differences(Facts.of(world.rows.values()), world.reader.programs(), world.now, world.landed())
    assert set(verified(world).differences) == set(whole_table)
    return whole_table


def verified(
    world: World, notes: Notes | None = None, said: Any = lambda _: None, client: Any = None, go_on: Any = lambda: None
) -> Verified:
    return verify(client or world.dynamodb, METADATA, lambda _: world.landed(), said, notes, lambda: world.now, go_on)


def edited(world: World, key: keys.Key) -> Any:
    """An item, to be changed."""
    item = world.rows[key["pk"], key["sk"]] = copy.deepcopy(world.rows[key["pk"], key["sk"]])
    return item


def table_state(world: World, flow: str, dataset: str) -> Any:
    return edited(world, keys.state(flow, dataset))["table"]["M"]


def delete(*key: keys.Key) -> Break:
    def broken(world: World) -> None:
        for one in key:
            del world.rows[one["pk"], one["sk"]]

    return broken


def batch_of(hours: int) -> tuple[keys.Key, keys.Key]:
    """What the tables of a collect share, and its only table."""
    start = BEGIN + hours * HOURS
    return keys.batch(COLLECT, start), keys.batch_table(COLLECT, start, STAGED)


def move(flow: str, dataset: str, hours: int) -> Break:
    def broken(world: World) -> None:
        watermark = world.reader.flow_states([flow])[flow].tables[dataset].watermark + hours * HOURS
        table_state(world, flow, dataset)["watermark"] = {"S": to_text(watermark)}

    return broken


def set_cursor(text: str) -> Break:
    def broken(world: World) -> None:
        table_state(world, COLLECT, STAGED)["cursor"] = {"S": text}

    return broken


def forget_event(world: World) -> None:
    key = next(k for k, i in world.rows.items() if i.get("kind", {}).get("S") == EventKind.BATCH_COMPLETED and i["flow"]["S"] == LOAD)
    del world.rows[key]


def repoint(world: World) -> None:
    edited(world, keys.version(TABLE, BEGIN + HOURS))["pointer"] = {"M": {"snapshot_id": {"S": "1"}}}


BREAKS: dict[str, tuple[Break, list[tuple[Kind, str]]]] = {
    "a state item is deleted": (delete(keys.state(LOAD, TABLE)), [(Kind.STATE, TABLE)]),
    "a watermark is set back": (move(COLLECT, STAGED, -2), [(Kind.WATERMARK, STAGED)]),
    "a watermark is set forward": (move(VIEW, VIEW, 3), [(Kind.WATERMARK, VIEW)]),
    "a cursor is changed": (set_cursor("1"), [(Kind.CURSOR, STAGED)]),
    "a cursor is emptied": (set_cursor(""), [(Kind.CURSOR, STAGED)]),
    "a version is removed": (delete(keys.version(STAGED, BEGIN + 2 * HOURS)), [(Kind.VERSION, STAGED)]),
    "a version points elsewhere": (repoint, [(Kind.POINTER, TABLE)]),
    "an event is removed": (forget_event, [(Kind.EVENT, TABLE)]),
    "the first batch is removed": (delete(*batch_of(0)), [(Kind.BATCH, STAGED)]),
    "the last batch is removed": (delete(*batch_of(5)), [(Kind.BATCH, STAGED)]),
    "an empty batch is removed": (delete(*batch_of(2)), [(Kind.BATCH, STAGED)]),
    "the table of a batch is removed": (delete(batch_of(5)[1]), [(Kind.BATCH, STAGED)]),
    "what the tables of a batch share is removed": (delete(batch_of(5)[0]), [(Kind.BATCH, STAGED)]),
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", sorted(BREAKS))
def test_what_is_broken_is_found_and_made_whole_and_nothing_is_lost_or_repeated(name: str) -> None:
    breaks, expected = BREAKS[name]
    world = lived()
    before = whole(world)
    breaks(world)
    differing = found(world)
    assert [(one.kind, one.dataset) for one in differing] == expected
    assert all(one.repairable and one.remedy == "atoll state repair" for one in differing)
    mended = Repair(world.dynamodb, METADATA, "ann", lambda: world.now).mend(differing)  # type: ignore[arg-type]
    assert [done for _, done in mended] == [True]
    assert found(world) == []
    events = [item for key, item in world.rows.items() if key[0].startswith("EVENT#")]
    told = [event for event in events if event["kind"]["S"] == EventKind.STATE_REPAIRED.value]
    assert len(told) == 1 and told[0]["detail"]["M"]["by"]["S"] == "ann"
    if "batch" not in name and "event" not in name:
        assert whole(world) == before
    world.now += 2 * HOURS
    settle(world)


def test_where_the_last_batch_is_gone_a_repair_keeps_the_cursor_that_the_state_has() -> None:
    world = lived()
    before = world.reader.flow_states([COLLECT])[COLLECT].tables[STAGED]
    move(COLLECT, STAGED, -2)(world)
    delete(*batch_of(5))(world)
    Repair(world.dynamodb, METADATA, "ann", lambda: world.now).mend(found(world))  # type: ignore[arg-type]
    assert before.cursor and world.reader.flow_states([COLLECT])[COLLECT].tables[STAGED] == before
    assert found(world) == []


def test_where_state_and_last_batch_are_gone_nothing_is_repaired_with_an_empty_cursor() -> None:
    world = lived()
    delete(keys.state(COLLECT, STAGED), *batch_of(5))(world)
    differing = [one for one in found(world) if one.dataset == STAGED]
    assert {one.kind for one in differing} == {Kind.STATE, Kind.BATCH}
    assert all(not one.repairable and "from a backup" in one.remedy for one in differing)


def test_cursors_that_nothing_tells_are_named() -> None:
    world = lived()
    assert verified(world).unseen_cursors == {}
    delete(*batch_of(5))(world)
    programs = world.reader.programs()
    unseen = recorded_otherwise(Facts.of(world.rows.values()), programs, world.now, programs.flow_ids).unseen
    assert (
        unseen
        == verified(world).unseen_cursors
        == {STAGED: "the record of its last batch is gone, and the batch's event does not tell the cursor"}
    )


def test_events_that_were_kept_for_their_time_are_not_missed() -> None:
    world = lived()
    for key in [k for k, item in world.rows.items() if "expires" in item]:
        del world.rows[key]
    assert {one.kind for one in found(world)} == {Kind.EVENT}
    world.now += timedelta(days=EVENT_DAYS)
    assert found(world) == []


def whole(world: World) -> dict[Any, str]:
    """All but the events of repairs, and what last changes cost, which only their statistics tell."""
    left = {key: text_of(item) for key, item in world.rows.items() if item.get("kind", {}).get("S") != EventKind.STATE_REPAIRED.value}
    return {key: re.sub(r'\\"dollars\\":[0-9.e-]+', "", text) for key, text in left.items()}


class TestAlongTheTimeline:
    """A program is changed, and what it made is made again: nothing of that is a difference."""

    @pytest.fixture
    def clock(self) -> SettableClock:
        return SettableClock(FIRST.end + timedelta(minutes=1))

    @pytest.fixture
    def writer(self, clock: SettableClock) -> MetadataWriter:
        client = MemoryDynamoDB()
        client.create_table(TableName="t")
        return MetadataWriter(client, "t", clock)  # type: ignore[arg-type]

    def found(self, writer: MetadataWriter, landed: Mapping[str, Sequence[Landed]] | None = None) -> list[Difference]:
        return differences(Facts.of(scan(writer._client, "t")), writer.reader.programs(), writer._clock(), landed)

    def run_all(self, writer: MetadataWriter, clock: SettableClock, most: int = 99) -> int:
        """Runs what is due, and verifies between any two batches; how many that were."""
        ran = 0
        while ran < most and (due := due_along(writer, clock)):
            run(writer, due[0])
            ran += 1
            assert self.found(writer) == []
        return ran

    def restated(self, writer: MetadataWriter, clock: SettableClock) -> None:
        apply(writer, behaviour.program(1, views=(view("lake.a.v", "lake.crm.t000"),)))
        clock.now = SECOND.end + timedelta(hours=1, minutes=1)
        assert self.run_all(writer, clock) == 9
        changed = behaviour.program(1, views=(view("lake.a.v", "lake.crm.t000", query="SELECT 2"),))
        scheduled(writer, changed, FIRST.start, restates=True)
        assert self.found(writer) == []

    def test_what_is_made_again_differs_in_nothing(self, writer: MetadataWriter, clock: SettableClock) -> None:
        self.restated(writer, clock)
        assert self.run_all(writer, clock) == 3

    def test_a_state_that_is_lost_amid_it_comes_back_as_it_was(self, writer: MetadataWriter, clock: SettableClock) -> None:
        self.restated(writer, clock)
        self.run_all(writer, clock, most=1)
        key = keys.state("lake.a.v", "lake.a.v")
        rows: Any = writer._client.tables["t"]  # type: ignore[attr-defined]
        before = rows.pop((key["pk"], key["sk"]))
        (lost,) = self.found(writer)
        assert lost.kind == Kind.STATE
        Repair(writer._client, "t", "ann", clock).mend([lost])
        assert text_of(rows[key["pk"], key["sk"]]) == text_of(before) and "again_until" in text_of(before)
        assert self.run_all(writer, clock) == 2

    @pytest.mark.parametrize("lost", [True, False], ids=["the state is lost", "the watermark was moved"])
    def test_a_repaired_batch_has_its_attempts_before_it_and_none_of_their_executions_names_again(
        self, writer: MetadataWriter, clock: SettableClock, lost: bool
    ) -> None:
        apply(writer, behaviour.program())
        self.run_all(writer, clock)
        clock.now = SECOND.end + timedelta(minutes=1)
        names = [self.failed_attempt(writer, clock) for _ in range(3)]
        rows: Any = writer._client.tables["t"]  # type: ignore[attr-defined]
        key = keys.state("lake.crm", staged("t000"))
        if lost:
            del rows[key["pk"], key["sk"]]
        else:
            rows[key["pk"], key["sk"]]["table"]["M"]["watermark"] = {"S": to_text(FIRST.start)}
        Repair(writer._client, "t", "ann", clock).mend(self.found(writer))
        (batch,) = [batch for batch in due_along(writer, clock) if batch.flow == "lake.crm"]
        assert batch.interval == SECOND and batch.execution_name not in names
        state = behaviour.standing(writer)
        assert (state.failures, state.attempts) == (0, len(names))

    def failed_attempt(self, writer: MetadataWriter, clock: SettableClock) -> str:
        """Of the second batch, by an execution of the conductor; its name."""
        (batch,) = [batch for batch in due_along(writer, clock) if batch.flow == "lake.crm"]
        owner = f"arn:aws:states:eu-central-1:123456789012:execution:atoll-collect-test:{batch.execution_name}"
        behaviour.fail(writer, claim(writer, owner=owner, interval=batch.interval))
        clock.advance(minutes=31)
        return batch.execution_name

    def test_a_flow_that_was_removed_and_came_back_differs_in_nothing(self, writer: MetadataWriter, clock: SettableClock) -> None:
        with_view, without = behaviour.program(1, views=(view("lake.a.v", "lake.crm.t000"),)), behaviour.program(1)
        apply(writer, with_view)
        scheduled(writer, without, SECOND.end)
        clock.now = SECOND.end + timedelta(hours=5, minutes=1)
        scheduled(writer, with_view, SECOND.end + timedelta(hours=6))
        clock.now = SECOND.end + timedelta(hours=7, minutes=1)
        assert self.run_all(writer, clock) > 15

    def test_a_table_that_another_flow_makes_from_now_on_is_compared_with_what_that_flow_made(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        before = apply(writer, behaviour.program())
        self.run_all(writer, clock)
        flows = {name.replace("crm", "two"): flow for name, flow in before.flows.items()}
        scheduled(writer, replace(before, flows={name: replace(flow, id=name) for name, flow in flows.items()}), FIRST.end)
        assert self.found(writer, {"lake.crm.t000": []}) == []
        clock.now = SECOND.end + timedelta(hours=1, minutes=1)
        assert self.run_all(writer, clock) == 4
        last = Interval(SECOND.end, SECOND.end + timedelta(hours=1))
        assert self.found(writer, {"lake.crm.t000": [Landed(last, 1, "here")]}) == []
        behind = self.found(writer, {"lake.crm.t000": [Landed(SECOND, 1, "here")]})
        assert [(one.kind, one.flow) for one in behind] == [(Kind.BEHIND, "lake.two:load")]

    def test_a_load_that_was_passed_and_is_made_again_differs_in_nothing_in_whatever_order_it_is_read(
        self, writer: MetadataWriter, clock: SettableClock
    ) -> None:
        collected = apply(writer, behaviour.program())
        writer.commit(claim(writer), [TableCommit(staged("t000"))], completes={"lake.crm.t000": "lake.crm:load"})
        clock.now = SECOND.end + timedelta(minutes=1)
        self.run_all(writer, clock)
        load = replace(collected.flows["lake.crm:load"], partition_by=("day",))
        scheduled(writer, replace(collected, flows={**collected.flows, load.id: load}), FIRST.start, restates=True)
        assert self.run_all(writer, clock) == 2
        found = list(scan(writer._client, "t"))
        assert differences(Facts.of(reversed(found)), writer.reader.programs(), clock.now) == []

    def test_a_version_that_a_longer_batch_made_again_differs_in_nothing(self, writer: MetadataWriter, clock: SettableClock) -> None:
        hourly, longer = view("lake.a.v", "lake.crm.t000"), view("lake.a.v", "lake.crm.t000", seconds=2 * HOUR, query="SELECT 2")
        apply(writer, behaviour.program(1, views=(hourly,)))
        clock.now = FIRST.start + timedelta(hours=5, minutes=1)
        self.run_all(writer, clock)
        scheduled(writer, behaviour.program(1, views=(longer,)), FIRST.start + timedelta(hours=1), restates=True)
        assert self.run_all(writer, clock) == 2
