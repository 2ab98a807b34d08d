"""What must hold in every state of the model, and once nothing is left to do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from shared_metadata.errors import DefinitionError
from shared_metadata.program.intervals import floor, from_text, to_text
from shared_metadata.state.records import EventKind, TableStatus
from shared_metadata.state.schedule import due_batches
from shared_metadata.verification.differences import differences
from shared_metadata.verification.facts import Facts as Recorded
from tests.protocol.lake import BEGIN, COLLECT, HOUR, LOAD, STAGED, TABLE, VIEW, rows_by
from tests.protocol.world import World

MAKERS = {STAGED: COLLECT, TABLE: LOAD, VIEW: VIEW}
ROUNDS, HOUR_LONG = 400, timedelta(hours=1)


class Broken(AssertionError):
    """A promise of the protocol does not hold."""


def check(world: World) -> None:
    """Raises Broken."""
    for problem in Facts(world).problems():
        raise Broken(problem)


def verify(world: World) -> None:
    """Raises Broken where `atoll state verify` would find something."""
    for difference in differences(Recorded.of(world.rows.values()), world.reader.programs(), world.now, world.landed()):
        raise Broken(f"`atoll state verify` would report: {difference}")


def settle(world: World) -> None:
    """Lets everything end, without further faults and long enough for every retry; then all that is due must be done."""
    horizon = world.now
    for _ in range(ROUNDS):
        before = world.identity()
        world.start_round()
        while found := next(world.processes(), None):
            world.step(found[0])
        check(world)
        verify(world)
        if world.identity() == before:
            if not _due(world, horizon):
                break
            world.now += timedelta(minutes=31)  # past every lease and every backoff
            _start_what_is_stopped(world)
    facts = Facts(world)
    for dataset, watermark in facts.watermarks.items():
        if watermark < floor(horizon, HOUR):
            raise Broken(f"{dataset} is complete through {to_text(watermark)} only, at {to_text(world.now)}")
    if sorted(facts.rows(TABLE)) != rows_by(facts.watermarks[TABLE]):
        raise Broken(f"the warehouse holds {facts.rows(TABLE)}")


def _due(world: World, horizon: datetime) -> bool:
    states = world.reader.flow_states(list(world.program.flows))
    return bool(due_batches(world.program, states, horizon, ignore_failures=True))


def _start_what_is_stopped(world: World) -> None:
    """As an operator does after five failed attempts."""
    states = world.reader.flow_states(list(world.program.flows))
    if any(table.stopped for state in states.values() for table in state.tables.values()):
        for slice_id in world.program.slice_ids:
            world.start(f"by-hand-{len(world.executions)}", slice_id, {})


class Facts:
    """What a world's table and warehouse say."""

    def __init__(self, world: World) -> None:
        self._world, self._items = world, world.values()
        states = world.reader.flow_states(list(world.program.flows))
        self.watermarks = {d: t.watermark for state in states.values() for d, t in state.tables.items()}
        self._aged = {flow: world.reader.aged_batches(flow) for flow in world.program.flows}
        self._tables = {(t["dataset"], t["start"]): t for t in self._of("FLOW#", "TABLE#")}
        self._versions = {(v["dataset"], v["start"]): v for v in self._of("DATASET#", "VERSION#")}
        completed = [event for event in self._of("EVENT#", "") if event["kind"] == EventKind.BATCH_COMPLETED]
        made = [(name, event["detail"]) for event in completed for name in event["detail"]["datasets"]]
        self._events = Counter((name, detail["start"], detail["token"]) for name, detail in made)
        self._ends = {(event["flow"], event["detail"]["start"]): from_text(event["detail"]["end"]) for event in completed}
        self._ends |= {(b["flow"], b["start"]): from_text(b["end"]) for b in self._of("FLOW#", "BATCH#")}

    def _of(self, pk: str, sk: str) -> list[dict[str, Any]]:
        return [item for item in self._items if item["pk"].startswith(pk) and item["sk"].startswith(sk)]

    def rows(self, dataset: str) -> list[int]:
        """What the warehouse shows now."""
        held = self._world.snapshots.get(dataset, ())
        return [row for _, row in json.loads(held[-1])["rows"]] if held else []

    def problems(self) -> Iterator[str]:
        yield from self._outcomes_and_events()
        yield from self._watermarks()
        yield from self._tokens()
        yield from self._pointers()
        yield from self._reads()
        yield from self._warehouse()

    def _outcomes_and_events(self) -> Iterator[str]:
        """No committed table without its event, no event without its commit, and each once, all under the newest token."""
        for (dataset, start), table in self._tables.items():
            outcome = table.get("outcome")
            if outcome and outcome["token"] != table["worker"]["token"]:
                yield f"{dataset} {start}: a stale token recorded {outcome['status']}"
            if outcome and outcome["status"] == TableStatus.COMMITTED and not self._events[dataset, start, outcome["token"]]:
                yield f"{dataset} {start} is committed without its event"
        for (dataset, start, token), count in self._events.items():
            table = self._tables.get((dataset, start), {"worker": {"token": 0}})
            outcome = table.get("outcome")
            committed = outcome is not None and outcome["status"] == TableStatus.COMMITTED and outcome["token"] == token
            if count != 1 or not (committed or table["worker"]["token"] > token or self._has_aged(dataset, start)):
                yield f"{dataset} {start}: {count} events of token {token} without its commit"

    def _has_aged(self, dataset: str, start: str) -> bool:
        """Whether it is right that there is no record of a batch."""
        aged = self._aged[MAKERS[dataset]]
        return aged is not None and from_text(start) < aged.through and (dataset, start) not in self._tables

    def _tokens(self) -> Iterator[str]:
        """What is left of batches that have aged knows of a token as high as any of theirs."""
        for dataset, start, token in self._events:
            aged = self._aged[MAKERS[dataset]]
            if (dataset, start) not in self._tables and (aged is None or aged.token < token):
                yield f"{dataset} {start} is gone, and nothing tells that its token was {token}"
        for (dataset, start), table in self._tables.items():
            if any(one[:2] == (dataset, start) and one[2] > table["worker"]["token"] for one in self._events):
                yield f"{dataset} {start}: its token has begun anew"

    def _reads(self) -> Iterator[str]:
        """The version of each moment holds exactly the rows up to then, or it is said that it is forgotten; the last one is there."""
        for dataset in self._world.snapshots:
            moment, watermark = BEGIN + HOUR_LONG, self.watermarks[dataset]
            while moment <= watermark:
                yield from self._read(dataset, moment, last=moment == watermark)
                moment += HOUR_LONG

    def _read(self, dataset: str, moment: datetime, *, last: bool) -> Iterator[str]:
        try:
            found = self._world.reader.version_at(dataset, moment)
        except DefinitionError as error:
            if last:
                yield str(error)
            return
        if found and rows_by(found.interval.end) != rows_by(moment) and not self._skipped(dataset, moment):
            yield f"{dataset} as of {to_text(moment)} is read as the version of {to_text(found.interval.end)}"

    def _skipped(self, dataset: str, moment: datetime) -> bool:
        """Whether a batch covers it that ends later; then it has no version of its own."""
        starts = [from_text(start) for name, start, _ in self._events if name == dataset]
        return any(start < moment < self._end(MAKERS[dataset], start) for start in starts)

    def _watermarks(self) -> Iterator[str]:
        """Each stands at the end of the last batch that was committed, and no batch before it was left out."""
        done = {(dataset, start) for dataset, start, _ in self._events}
        for dataset, watermark in self.watermarks.items():
            start = BEGIN
            while (dataset, to_text(start)) in done or self._passed(dataset, start, watermark):
                start = self._end(MAKERS[dataset] if (dataset, to_text(start)) in done else COLLECT, start)
            if start != watermark:
                yield f"{dataset} is said to be complete through {to_text(watermark)}, and is through {to_text(start)}"

    def _end(self, flow: str, start: datetime) -> datetime:
        return self._ends[flow, to_text(start)]

    def _passed(self, dataset: str, start: datetime, watermark: datetime) -> bool:
        """An empty collect batch completes its load as well; one that is run again stages that it is empty."""
        staged = (STAGED, to_text(start))
        empty = staged in {event[:2] for event in self._events} and not self._versions.get(staged, {"rows": 0})["rows"]
        return dataset == TABLE and empty and start < watermark

    def _pointers(self) -> Iterator[str]:
        """A version was made by a token that committed; what it points to holds exactly the rows up to its end."""
        for (dataset, start), version in self._versions.items():
            if not self._events[dataset, start, version["token"]]:
                yield f"{dataset} {start}: a version of token {version['token']}, which has not committed"
            end = from_text(version["end"])
            if dataset == STAGED:
                document = json.loads(self._world.objects[version["pointer"]["manifest"]])
                held = [row for file in document["files"] for row in json.loads(self._world.objects[file["key"]])]
                wanted = [row for row in rows_by(end) if row not in rows_by(from_text(start))]
            else:
                snapshot = json.loads(self._world.snapshots[dataset][int(version["pointer"]["snapshot_id"])])
                held = [row for _, row in snapshot["rows"] if row in rows_by(end)]
                wanted = rows_by(end)
            if sorted(held) != wanted:
                yield f"{dataset} {start}: its version holds {held} instead of {wanted}"

    def _warehouse(self) -> Iterator[str]:
        """Every batch's rows once; those of the next batch may be there before they are committed."""
        held = sorted(self.rows(TABLE))
        watermark = self.watermarks[TABLE]
        following = self._end(LOAD, watermark) if (LOAD, to_text(watermark)) in self._ends else watermark
        if held not in (rows_by(watermark), rows_by(following)):
            yield f"the warehouse holds {held}, complete through {to_text(watermark)}"
