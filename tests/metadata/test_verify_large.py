"""`atoll state verify` of a large installation: a group of flows at a time, and where it was interrupted it goes on."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.verify import NOW, Account, hours
from shared_metadata.errors import Unfinished
from shared_metadata.program import Flow, Kind, Mode, Program, Table
from shared_metadata.program.intervals import Interval
from shared_metadata.state.entries import BEGINNING, Entry
from shared_metadata.state.records import EventKind
from shared_metadata.state.timeline import Programs
from shared_metadata.store import keys
from shared_metadata.store.reader import MetadataReader
from shared_metadata.store.table_actions import EVENT_DAYS
from shared_metadata.store.writer import MetadataWriter
from shared_metadata.verification import event_notes
from shared_metadata.verification.derive import Derivation
from shared_metadata.verification.difference import Kind as Difference
from shared_metadata.verification.event_notes import Folder
from shared_metadata.verification.facts import Completed, Facts
from shared_metadata.verification.groups import datasets_of, groups
from shared_metadata.verification.notes import Notes
from shared_metadata.verification.verify import Progress, Verified
from tests.metadata.behaviour import PLACE
from tests.metadata.test_verification import HOURS, delete, lived, move, verified
from tests.protocol.lake import BEGIN, COLLECT, LOAD, STAGED, TABLE, VIEW
from tests.protocol.world import METADATA, World


class Asked:
    """A client that counts which partitions it is asked for, and breaks off at one of them."""

    def __init__(self, client: Any, breaks_at: str = "") -> None:
        self._client, self._breaks_at, self.partitions = client, breaks_at, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        assert name != "scan", "nobody reads the whole table"
        call = getattr(self._client, name)

        def asked(**given: Any) -> Any:
            for pk in (v["S"] for k, v in given.get("ExpressionAttributeValues", {}).items() if k == ":pk"):
                self.partitions[pk] += 1
                if pk == self._breaks_at:
                    raise KeyboardInterrupt
            return call(**given)

        return asked

    def get_paginator(self, name: str) -> Any:
        from tests.memory.dynamodb import _Paginator

        return _Paginator(getattr(self, name))


def interrupted(world: World, path: Path) -> Notes:
    """What is left of a verification that stopped at the view."""
    notes = Notes(path)
    with pytest.raises(KeyboardInterrupt):
        verified(world, notes, client=Asked(world.dynamodb, keys.flow(VIEW)))
    notes.close()
    return Notes(path)


def test_what_was_looked_at_before_an_interruption_is_not_looked_at_again(tmp_path: Path) -> None:
    world = lived()
    whole: Verified = verified(world)
    notes, asked = interrupted(world, tmp_path / "notes"), Asked(world.dynamodb)
    said: list[Progress] = []
    again = verified(world, notes, said.append, asked)
    assert again == whole and whole.batches > 10
    assert said[-1].done == said[-1].of == len(said) + 1
    assert not asked.partitions[keys.flow(LOAD)] and asked.partitions[keys.flow(VIEW)] == 1


def test_what_differs_is_looked_at_again_after_an_interruption(tmp_path: Path) -> None:
    world = lived()
    move(COLLECT, STAGED, -2)(world)
    notes = interrupted(world, tmp_path / "notes")
    assert [(one.kind, one.dataset) for one in verified(world, notes).differences] == [(Difference.WATERMARK, STAGED)]


def test_it_gets_on_however_short_each_call_is_and_however_much_differs(tmp_path: Path) -> None:
    """As in a function whose time is up after each group, of an account that was restored from a backup."""
    world = lived()
    for flow, dataset in ((COLLECT, STAGED), (LOAD, TABLE), (VIEW, VIEW)):
        move(flow, dataset, -2)(world)
    whole, path, calls = verified(world), tmp_path / "notes", 0

    def too_late() -> None:
        raise Unfinished("the time is up")

    while True:
        calls, notes = calls + 1, Notes(path, for_report=True)
        with contextlib.suppress(Unfinished):
            found = verified(world, notes, go_on=too_late)
            break
        notes.close()
    assert len(whole.differences) >= 3
    assert [one.to_dict() for one in found.differences] == [one.to_dict() for one in whole.differences]
    assert calls <= EVENT_DAYS + 2 + 2 * len(groups(world.reader.programs())) + 1  # each a day of events, or a look at a group


def test_what_was_committed_since_an_interruption_is_not_ahead(tmp_path: Path) -> None:
    from tests.protocol.promises import settle

    world = lived()
    notes = interrupted(world, tmp_path / "notes")
    world.now += 2 * HOURS
    settle(world)
    assert verified(world, notes).differences == ()


@pytest.mark.parametrize("passes", [{"hours": 25}, {}])
def test_notes_of_yesterday_or_of_another_timeline_are_forgotten(tmp_path: Path, passes: dict[str, int]) -> None:
    world = lived()
    notes, asked = interrupted(world, tmp_path / "notes"), Asked(world.dynamodb)
    if passes:
        world.now += 25 * HOURS
    else:
        writer = MetadataWriter(world.dynamodb, METADATA, lambda: world.now)  # type: ignore[arg-type]
        writer.activate(world.program, former_version=world.program.version)
    verified(world, notes, client=asked)
    assert asked.partitions[keys.flow(LOAD)]


def test_what_differs_only_the_first_time_is_on_its_way(tmp_path: Path) -> None:
    """A commit's event may be read before it is written, and its batch after."""
    world = lived()
    completed = (k for k, i in world.rows.items() if i.get("kind", {}).get("S") == EventKind.BATCH_COMPLETED)
    key = next(k for k in completed if world.rows[k]["flow"]["S"] == LOAD)
    event = world.rows.pop(key)
    assert [one.kind for one in verified(world).differences] == [Difference.EVENT]

    def said(progress: Progress) -> None:
        world.rows[key] = event

    assert verified(world, said=said).differences == ()


def test_a_group_is_read_alone_and_told_as_all_of_it_would_be() -> None:
    world = lived()
    delete(keys.version(TABLE, BEGIN + HOURS), keys.batch_table(COLLECT, BEGIN, STAGED))(world)
    asked = Asked(world.dynamodb)
    found = verified(world, client=asked)
    assert {one.kind for one in found.differences} == {Difference.VERSION, Difference.BATCH}
    assert asked.partitions[keys.flow(LOAD)] == 2 and asked.partitions[keys.flow(VIEW)] == 1


class Shelves(Folder):
    """A shelf that tells what was fetched from it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.got: list[str] = []

    def get(self, name: str, into: Path) -> None:
        self.got.append(name)
        super().get(name, into)


def test_however_many_flows_there_are_one_part_of_their_events_is_held_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = lived()
    whole = verified(world)
    monkeypatch.setattr(event_notes, "PART_EVENTS", 1)
    monkeypatch.setattr(event_notes, "HELD", 2)
    shelf = Shelves(tmp_path / "events")
    assert verified(world, Notes(tmp_path / "notes", shelf)) == whole
    programs = world.reader.programs()
    part_of = event_notes.parts(programs, groups(programs))
    assert sorted(set(part_of.values())) == list(range(len(groups(programs)))) and part_of[COLLECT] == part_of[LOAD]
    assert len(shelf.got) == len(set(shelf.got)) >= len(groups(programs)), "each part is fetched once, whole"
    key = next(k for k, i in world.rows.items() if i.get("kind", {}).get("S") == EventKind.BATCH_COMPLETED)
    world.rows.pop(key)
    assert [one.kind for one in verified(world, Notes(tmp_path / "more")).differences] == [Difference.EVENT]


def test_an_event_takes_some_tens_of_bytes_of_disk_and_is_there_once(tmp_path: Path) -> None:
    """Also where a day is read again, as the last ones are at each call."""
    flows = [f"lake.shop.orders_of_region_{number:04}" for number in range(100)]
    notes = event_notes.EventNotes(Folder(tmp_path), dict.fromkeys(flows, 7))

    def made(hours: int) -> Iterator[Completed]:
        for hour in range(hours):
            interval = Interval(BEGIN + hour * HOURS, BEGIN + (hour + 1) * HOURS)
            yield from (Completed(flow, interval, 1, {flow: 1234}) for flow in (*flows, "lake.gone"))

    assert notes.keep("2026-11-20", made(12)) == (names := notes.keep("2026-11-20", made(24)))
    assert [done.interval.start for done in notes.of((flows[42],), names)] == [BEGIN + hour * HOURS for hour in range(24)]
    assert list(notes.of(("lake.gone",), names)) == []
    assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) / (24 * len(flows)) < 40


@pytest.mark.deep
def test_of_a_batch_some_hundred_bytes_are_held() -> None:
    """So that what is verified together may have a hundred thousand of them in a function of 512 MB."""
    account = Account(views=2, batches=1000, days=0)
    flow = next(flow.id for flow in account.program.flows.values() if flow.kind == Kind.VIEW)
    found = [*account.partition(keys.schema(flow, 0)["pk"]), *account.partition(keys.flow(flow))]
    programs = MetadataReader(account, "metadata").programs()  # type: ignore[arg-type]
    tracemalloc.start()
    try:
        facts = Facts.of(found, (Completed(flow, one, 1, {flow: 10}) for one in hours(NOW - 1000 * HOURS, NOW)))
        derivation = Derivation(facts, programs)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(facts.batches) == len(facts.versions) == len(facts.completed) == len(derivation.makers) == 1000
    assert held / 1000 < 3000


def test_flows_that_make_the_same_datasets_are_looked_at_together() -> None:
    def flow(name: str, kind: Kind, *tables: str) -> Flow:
        return Flow(name, kind, "x.y", "lake", 3600, tuple(Table(t) for t in tables), PLACE, mode=Mode.REPLACE)

    def program(*flows: Flow) -> Program:
        return Program({}, {}, {one.id: one for one in flows})

    collect, load = flow("lake.a", Kind.COLLECT, "lake.a.t:staged"), flow("lake.a:load", Kind.LOAD, "lake.a.t")
    result, publish = flow("ops.t:result", Kind.RESULT, "ops.t:result"), flow("ops.t", Kind.PUBLISH, "ops.t")
    view, other = flow("lake.v", Kind.VIEW, "lake.v"), flow("lake.b:load", Kind.LOAD, "lake.a.t", "lake.b.u")
    first, second = program(collect, load, result, publish, view), program(other, view, result, publish)
    entries = [(Entry(p.version, BEGINNING, BEGINNING, number=n), p) for n, p in enumerate((first, second), 1)]
    programs = Programs([entries[0], (replace(entries[1][0], boundary=BEGIN), second)])
    assert groups(programs) == [("lake.a", "lake.a:load", "lake.b:load"), ("lake.v",), ("ops.t", "ops.t:result")]
    assert datasets_of(programs, groups(programs)[0]) == ["lake.a.t", "lake.a.t:staged", "lake.b.u"]


def test_every_fact_belongs_to_one_group() -> None:
    """What is read group by group is all that the whole table holds of flows and datasets."""
    world = lived()
    programs = world.reader.programs()
    facts = Facts.of(world.rows.values())
    names = [flow for group in groups(programs) for flow in group]
    made = [dataset for group in groups(programs) for dataset in datasets_of(programs, group)]
    assert sorted(names) == sorted(facts.states) and {flow for flow, _ in facts.heads} <= set(names)
    assert {dataset for dataset, _ in facts.versions} <= set(made) and len(made) == len(set(made))
