"""What is recorded otherwise than the batches, and the warehouses and targets, say; each with its place, cause and remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared_metadata import keys
from shared_metadata.contract.landed import Landed
from shared_metadata.intervals import Interval, to_text
from shared_metadata.records import Batch, Moved, TableOutcome, TableState, TableStatus, Version, Worker
from shared_metadata.timeline import Programs
from shared_metadata.verification.derive import Derivation, Derived
from shared_metadata.verification.facts import Completed, Facts

REPAIR = "atoll state repair"


class Kind(StrEnum):
    """What differs."""

    STATE = "the state is missing"
    WATERMARK = "the watermark differs"
    CURSOR = "the cursor differs"
    BATCH = "the batch is missing"
    VERSION = "the version is missing"
    POINTER = "the version differs"
    EVENT = "the event is missing"
    SCHEMA = "the schema version is missing"
    GAP = "batches are missing"
    BEHIND = "the other side holds less"
    AHEAD = "the other side holds more"


@dataclass(frozen=True)
class Difference:
    """One of them. held, due: what is recorded, and what has to be, as the repair needs them; `due` is None where it cannot be told.

    place: the item, by its keys.  found, expected: the same for people.
    """

    kind: Kind
    flow: str
    dataset: str
    place: str
    found: str
    expected: str
    cause: str
    remedy: str
    interval: Interval | None = None
    held: Any = field(default=None, compare=False)
    due: Any = field(default=None, compare=False)

    @property
    def repairable(self) -> bool:
        return self.due is not None

    def to_dict(self) -> dict[str, Any]:
        names = ("flow", "dataset", "place", "found", "expected", "cause", "remedy", "repairable")
        return {"what": self.kind.value, **{name: getattr(self, name) for name in names}}


def differences(facts: Facts, programs: Programs, landed: Mapping[str, Sequence[Landed]] | None = None) -> list[Difference]:
    """All of them, by flow and dataset. landed: dataset ▸ what its warehouse or target says; None where nobody asked."""
    return list(_Comparison(facts, programs, landed or {}).all())


class _Comparison:
    def __init__(self, facts: Facts, programs: Programs, landed: Mapping[str, Sequence[Landed]]) -> None:
        self._facts, self._programs, self._landed = facts, programs, landed
        self._derivation = Derivation(facts, programs)
        self._last: dict[str, Version] = {}
        for version in facts.versions.values():
            known = self._last.get(version.dataset)
            if known is None or known.interval.end < version.interval.end:
                self._last[version.dataset] = version

    def all(self) -> Iterator[Difference]:
        for flow in self._programs.flow_ids:
            datasets = {t.dataset for _, p in self._programs.entries if flow in p.flows for t in p.flows[flow].tables}
            for dataset in sorted(datasets):
                yield from self._dataset(flow, dataset)
        for batch in self._facts.batches.values():
            yield from self._outcomes(batch)
        for done in self._newest_events():
            if (done.flow, done.interval.start) not in self._facts.batches:
                yield self._batch(done)

    # -- where a dataset stands

    def _dataset(self, flow: str, dataset: str) -> Iterator[Difference]:
        derived = self._derivation.of(flow, dataset)
        state = self._facts.states[flow].tables.get(dataset) if flow in self._facts.states else None
        for gap in derived.gaps:
            yield self._gap(flow, dataset, gap)
        if state is None:
            yield self._missing(flow, dataset, derived)
            return
        if derived.state is None:
            return
        through = self._programs.standing(flow, dataset, state).through
        if through != derived.state.watermark:
            yield self._watermark(flow, dataset, state, derived.state)
        elif derived.cursor_known and state.cursor != derived.state.cursor and not self._is_refill(dataset, state):
            yield self._cursor(flow, dataset, state, derived.state)
        yield from self._other_side(flow, dataset, derived.state)

    def _is_refill(self, dataset: str, state: TableState) -> bool:
        return state.cursor == "" and self._facts.refilled(dataset, state.watermark)

    def _missing(self, flow: str, dataset: str, derived: Derived) -> Difference:
        due = derived.state if derived.cursor_known else None
        expected = f"complete through {to_text(due.watermark)}" if due else "nothing tells where it stood"
        return Difference(
            Kind.STATE,
            flow,
            dataset,
            _place(keys.flow_state(flow), f"tables.{dataset}"),
            "nothing",
            expected,
            "the item, or this part of it, was deleted",
            REPAIR if due else "bring the item back from a backup (`atoll state import`, or point-in-time recovery)",
            due=due,
        )

    def _watermark(self, flow: str, dataset: str, held: TableState, due: TableState) -> Difference:
        back = held.watermark < due.watermark
        return Difference(
            Kind.WATERMARK,
            flow,
            dataset,
            _place(keys.flow_state(flow), f"tables.{dataset}.watermark"),
            to_text(held.watermark),
            to_text(due.watermark),
            "it lies before batches that are committed" if back else "no batch is committed up to there",
            REPAIR,
            held=held,
            due=due,
        )

    def _cursor(self, flow: str, dataset: str, held: TableState, due: TableState) -> Difference:
        return Difference(
            Kind.CURSOR,
            flow,
            dataset,
            _place(keys.flow_state(flow), f"tables.{dataset}.cursor"),
            held.cursor or "none",
            due.cursor or "none",
            "the last committed batch left another one",
            REPAIR,
            held=held,
            due=due,
        )

    def _gap(self, flow: str, dataset: str, gap: Interval) -> Difference:
        again = f"atoll run {flow} --from {to_text(gap.start)} --to {to_text(gap.end)}"
        return Difference(
            Kind.GAP,
            flow,
            dataset,
            _place(keys.batch(flow, gap.start)),
            "nothing",
            f"batches through {to_text(gap.end)}",
            "neither the batches nor their events are recorded, though later ones are committed",
            f"`{again}` makes them again",
            gap,
        )

    # -- what a batch recorded

    def _outcomes(self, batch: Batch) -> Iterator[Difference]:
        for dataset, outcome in batch.outcomes.items():
            if outcome.status != TableStatus.COMMITTED:
                continue
            done = self._facts.completed.get((batch.flow, batch.interval.start, outcome.token))
            if done is None or dataset not in done.datasets:
                yield self._event(batch, dataset, outcome)
            if outcome.pointer is not None:
                yield from self._version(batch, dataset, outcome)
            if outcome.schema_version and (dataset, outcome.schema_version) not in self._facts.schemas:
                yield self._schema(batch, dataset, outcome)

    def _event(self, batch: Batch, dataset: str, outcome: TableOutcome) -> Difference:
        return Difference(
            Kind.EVENT,
            batch.flow,
            dataset,
            f"{keys.EVENT_PREFIX}<day>",
            "nothing",
            f"batch {batch.interval} completed under token {outcome.token}",
            "the batch is committed, and its event is gone",
            REPAIR,
            batch.interval,
            due=Completed(batch.flow, batch.interval, outcome.token, {dataset: outcome.rows}),
        )

    def _version(self, batch: Batch, dataset: str, outcome: TableOutcome) -> Iterator[Difference]:
        held = self._facts.versions.get((dataset, batch.interval.end))
        assert outcome.pointer is not None
        due = Version(dataset, batch.interval, outcome.pointer, outcome.rows, outcome.schema_version, outcome.token, outcome.reads)
        if held and (held.token, held.pointer) == (due.token, due.pointer):
            return
        yield Difference(
            Kind.POINTER if held else Kind.VERSION,
            batch.flow,
            dataset,
            _place(keys.version(dataset, batch.interval.end)),
            f"token {held.token}, {_pointer(held.pointer)}" if held else "nothing",
            f"token {due.token}, {_pointer(due.pointer)}",
            "the batch recorded another one" if held else "the batch made a version, which is gone",
            REPAIR,
            batch.interval,
            held=held,
            due=due,
        )

    def _schema(self, batch: Batch, dataset: str, outcome: TableOutcome) -> Difference:
        return Difference(
            Kind.SCHEMA,
            batch.flow,
            dataset,
            _place(keys.schema(dataset, outcome.schema_version)),
            "nothing",
            f"the schema of batch {batch.interval}",
            "the item was deleted",
            "bring it back from a backup; the next batch whose schema is not the last one registered makes a new one",
            batch.interval,
        )

    def _newest_events(self) -> list[Completed]:
        newest: dict[tuple[str, datetime], Completed] = {}
        for done in self._facts.completed.values():
            known = newest.get((done.flow, done.interval.start))
            if known is None or known.token < done.token:
                newest[done.flow, done.interval.start] = done
        return list(newest.values())

    def _batch(self, done: Completed) -> Difference:
        """Its parts that nobody else holds are lost; what counts on is the token, the rows and, of the last one, the cursor."""
        names = tuple(sorted(done.datasets))
        worker = Worker(done.token, REPAIR, done.interval.end)
        due = Batch(
            done.flow,
            done.interval,
            done.token,
            names,
            self._version_then(done.interval.start),
            {dataset: self._outcome(done, dataset) for dataset in names},
            dict.fromkeys(names, worker),
            moved={dataset: self._moved(dataset, done.interval.end) for dataset in (*names, *done.passed)},
        )
        return Difference(
            Kind.BATCH,
            done.flow,
            ", ".join(names),
            _place(keys.batch(done.flow, done.interval.start)),
            "nothing",
            f"committed under token {done.token}",
            "its event says that it was completed, and the item is gone",
            REPAIR,
            done.interval,
            due=due,
        )

    def _outcome(self, done: Completed, dataset: str) -> TableOutcome:
        found = TableOutcome(TableStatus.COMMITTED, done.datasets[dataset], token=done.token)
        version = self._facts.versions.get((dataset, done.interval.end))
        if version is None or version.token != done.token:
            return found
        return replace(found, schema_version=version.schema_version, pointer=version.pointer, reads=version.reads)

    def _moved(self, dataset: str, end: datetime) -> Moved:
        tables = (state.tables[dataset] for state in self._facts.states.values() if dataset in state.tables)
        return next((Moved(table.cursor, table.entry) for table in tables if table.watermark == end), Moved("", 0))

    def _version_then(self, start: datetime) -> str:
        entries = [entry for entry, _ in self._programs.entries]
        return next((entry.version for entry in reversed(entries) if entry.boundary <= start), entries[0].version)

    # -- what the other side says

    def _other_side(self, flow: str, dataset: str, due: TableState) -> Iterator[Difference]:
        """A batch may have become visible before it is committed: the one that is next, which is looked up when it is made."""
        if dataset not in self._landed:
            return
        landed, last = self._landed[dataset], self._last.get(dataset)
        newest = max(landed, key=lambda one: one.interval.start, default=None)
        if newest and newest.interval.start > max(due.watermark, due.again_until or due.watermark):
            yield self._ahead(flow, dataset, due, newest)
        made = last is not None and (last.pointer.get("upserts", 1) or last.pointer.get("deletes", 1))
        if last and made and (newest is None or newest.interval.end < last.interval.end):
            yield self._behind(flow, dataset, last, newest)

    def _ahead(self, flow: str, dataset: str, due: TableState, newest: Landed) -> Difference:
        again = f"atoll run {flow} --from {to_text(due.watermark)} --to {to_text(newest.interval.end)}"
        return Difference(
            Kind.AHEAD,
            flow,
            dataset,
            newest.place,
            f"batch {newest.interval} under token {newest.token}",
            f"nothing after {to_text(due.watermark)} but the next batch",
            "it was committed there, and the record of it is lost, as after a restore of the metadata table to an earlier moment",
            f"`{again}` makes these batches again, each in the place of its own rows",
            newest.interval,
        )

    def _behind(self, flow: str, dataset: str, last: Version, newest: Landed | None) -> Difference:
        start = newest.interval.end if newest else last.interval.start
        again = f"atoll run {flow} --from {to_text(start)} --to {to_text(last.interval.end)}"
        return Difference(
            Kind.BEHIND,
            flow,
            dataset,
            newest.place if newest else dataset,
            f"batch {newest.interval} is the last one" if newest else "no batch of Atoll",
            f"batch {last.interval}",
            "what was committed there is gone: the table was dropped, rolled back, or restored to an earlier moment",
            f"`{again}` makes it again",
            last.interval,
        )


def _place(key: keys.Key, part: str = "") -> str:
    return " ".join((*key.values(), part)).strip()


def _pointer(pointer: Mapping[str, Any]) -> str:
    return next((f"{name} {pointer[name]}" for name in ("snapshot_id", "manifest") if name in pointer), "a pointer")
