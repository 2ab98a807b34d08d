"""`atoll state verify` and `repair`, below their command: what is broken is found, exactly that, and made whole again."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared_metadata import keys
from shared_metadata.intervals import to_text
from shared_metadata.records import EventKind
from shared_metadata.verification.differences import Difference, Kind, differences
from shared_metadata.verification.facts import Facts
from shared_metadata.verification.repair import Repair
from tests.metadata.memory import text_of
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
    return differences(Facts.of(world.rows.values()), world.reader.programs(), world.landed())


def edited(world: World, key: keys.Key) -> Any:
    """An item, to be changed."""
    item = world.rows[key["pk"], key["sk"]] = copy.deepcopy(world.rows[key["pk"], key["sk"]])
    return item


def table_state(world: World, flow: str, dataset: str) -> Any:
    return edited(world, keys.flow_state(flow))["tables"]["M"][dataset]["M"]


def delete(*key: keys.Key) -> Break:
    def broken(world: World) -> None:
        for one in key:
            del world.rows[one["pk"], one["sk"]]

    return broken


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
    "a state item is deleted": (delete(keys.flow_state(LOAD)), [(Kind.STATE, TABLE)]),
    "a watermark is set back": (move(COLLECT, STAGED, -2), [(Kind.WATERMARK, STAGED)]),
    "a watermark is set forward": (move(VIEW, VIEW, 3), [(Kind.WATERMARK, VIEW)]),
    "a cursor is changed": (set_cursor("1"), [(Kind.CURSOR, STAGED)]),
    "a cursor is emptied": (set_cursor(""), [(Kind.CURSOR, STAGED)]),
    "a version is removed": (delete(keys.version(STAGED, BEGIN + 2 * HOURS)), [(Kind.VERSION, STAGED)]),
    "a version points elsewhere": (repoint, [(Kind.POINTER, TABLE)]),
    "an event is removed": (forget_event, [(Kind.EVENT, TABLE)]),
    "the first batch is removed": (delete(keys.batch(COLLECT, BEGIN)), [(Kind.BATCH, STAGED)]),
    "the last batch is removed": (delete(keys.batch(COLLECT, BEGIN + 5 * HOURS)), [(Kind.BATCH, STAGED)]),
    "an empty batch is removed": (delete(keys.batch(COLLECT, BEGIN + 2 * HOURS)), [(Kind.BATCH, STAGED)]),
}


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


def whole(world: World) -> dict[Any, str]:
    """All but the events of repairs."""
    return {key: text_of(item) for key, item in world.rows.items() if item.get("kind", {}).get("S") != EventKind.STATE_REPAIRED.value}
