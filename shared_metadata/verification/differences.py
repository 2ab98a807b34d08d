"""Differences of the records from the batches, warehouses and targets; each with its place, cause and remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared_metadata.contract.landed import Landed
from shared_metadata.state.records import Batch, Moved, TableOutcome, TableState, TableStatus, Version, Worker
from shared_metadata.state.timeline import Programs
from shared_metadata.store import keys
from shared_metadata.store.table_actions import EVENT_DAYS
from shared_metadata.verification.derive import Derivation
from shared_metadata.verification.difference import (
    FROM_A_BACKUP,
    REPAIR,
    Difference,
    Kind,
    gap_in_batches,
    lost_event,
    lost_head,
    lost_schema,
    lost_state,
    other_cursor,
    other_watermark,
    place,
    said_of,
)
from shared_metadata.verification.facts import Completed, Facts
from shared_metadata.verification.other_side import Seen, other_sides


def differences(
    facts: Facts, programs: Programs, now: datetime, landed: Mapping[str, Sequence[Landed]] | None = None
) -> list[Difference]:
    """All differences. facts: those of all flows.  landed: dataset ▸ what its warehouse or target holds; None if not asked."""
    found, seen = recorded_otherwise(facts, programs, now, programs.flow_ids)
    return [*found, *other_sides(seen, programs, now, landed or {})]


def recorded_otherwise(facts: Facts, programs: Programs, now: datetime, flows: Sequence[str]) -> tuple[list[Difference], list[Seen]]:
    """Differences within these flows' records, and the records to compare with the warehouse or target.

    facts: those of these flows and of all that make the same datasets (`groups`).
    """
    comparison = _Comparison(facts, programs, now)
    return list(comparison.all(flows)), comparison.seen


def unseen_cursors(facts: Facts, programs: Programs) -> dict[str, str]:
    """Datasets whose cursor cannot be compared with anything, and why: a wrong one would go unnoticed."""
    derivation, found = Derivation(facts, programs), {}
    for flow, state in facts.states.items():
        for dataset, table in state.tables.items() if flow in programs.flow_ids else ():
            if not facts.has_cursor(dataset):
                continue
            if not derivation.of(flow, dataset).cursor_known:
                found[dataset] = "the record of its last batch is gone, and the batch's event does not tell the cursor"
            elif table.cursor == "" and facts.refilled(dataset, table.watermark):
                found[dataset] = "it was emptied after a drift, so that the next batch takes the whole table"
    return found


class _Comparison:
    def __init__(self, facts: Facts, programs: Programs, now: datetime) -> None:
        self._facts, self._programs = facts, programs
        self.seen: list[Seen] = []
        self._events_since = now - timedelta(days=EVENT_DAYS)
        self._derivation = Derivation(facts, programs)
        self._made = _makers(facts)
        self._last: dict[str, Version] = {}
        for version in facts.versions.values():
            known = self._last.get(version.dataset)
            if known is None or known.interval.end < version.interval.end:
                self._last[version.dataset] = version

    def all(self, flows: Sequence[str]) -> Iterator[Difference]:
        for flow in flows:
            datasets = {t.dataset for _, p in self._programs.entries if flow in p.flows for t in p.flows[flow].tables}
            for dataset in sorted(datasets):
                yield from self._dataset(flow, dataset)
        for batch in self._facts.batches.values():
            yield from self._outcomes(batch)
        for flow, start in sorted(self._facts.headless):
            if not self._facts.has_aged(flow, self._facts.batches[flow, start].interval.end):
                yield lost_head(self._facts.batches[flow, start])
        for dataset, done in self._newest_events():
            aged = self._facts.has_aged(done.flow, done.interval.end)
            if not aged and not self._facts.records(done.flow, done.interval.start, dataset):
                yield self._table(done, dataset)

    # -- where a dataset stands

    def _dataset(self, flow: str, dataset: str) -> Iterator[Difference]:
        derived = self._derivation.of(flow, dataset)
        state = self._facts.states[flow].tables.get(dataset) if flow in self._facts.states else None
        for gap in derived.gaps:
            yield gap_in_batches(flow, dataset, gap)
        if state is None:
            yield lost_state(flow, dataset, derived)
            return
        if derived.state is None:
            return
        through = self._programs.progress(flow, dataset, state).through
        if through != derived.state.watermark:
            yield other_watermark(flow, dataset, state, derived.state)
        elif derived.cursor_known and state.cursor != derived.state.cursor and not self._is_refill(dataset, state):
            yield other_cursor(flow, dataset, state, derived.state)
        last = self._last.get(dataset)
        maker = self._made.get((dataset, last.interval.end)) if last else None
        self.seen.append(Seen.of(flow, dataset, derived.state, last, maker.flow if maker else ""))

    def _is_refill(self, dataset: str, state: TableState) -> bool:
        return state.cursor == "" and self._facts.refilled(dataset, state.watermark)

    # -- what a batch recorded

    def _outcomes(self, batch: Batch) -> Iterator[Difference]:
        for dataset, outcome in batch.outcomes.items():
            if outcome.status != TableStatus.COMMITTED:
                continue
            done = self._facts.completed.get((batch.flow, batch.interval.start, outcome.token))
            kept = batch.interval.end > self._events_since  # it was committed after its end
            if kept and (done is None or dataset not in done.datasets):
                yield lost_event(batch, dataset, outcome)
            if outcome.pointer is not None and self._made[dataset, batch.interval.end] is batch:
                yield from self._version(batch, dataset, outcome)
            if outcome.schema_version and (dataset, outcome.schema_version) not in self._facts.schemas:
                yield lost_schema(batch, dataset, outcome)

    def _version(self, batch: Batch, dataset: str, outcome: TableOutcome) -> Iterator[Difference]:
        held = self._facts.versions.get((dataset, batch.interval.end))
        assert outcome.pointer is not None
        due = Version(dataset, batch.interval, outcome.pointer, outcome.rows, outcome.schema_version, outcome.token, outcome.reads)
        if held and (held.token, held.pointer) == (due.token, due.pointer):
            return
        forgotten = self._facts.forgotten.get(dataset)
        if held is None and forgotten and batch.interval.end < forgotten:
            return
        yield Difference(
            Kind.POINTER if held else Kind.VERSION,
            batch.flow,
            dataset,
            place(keys.version(dataset, batch.interval.end)),
            f"token {held.token}, {said_of(held.pointer)}" if held else "nothing",
            f"token {due.token}, {said_of(due.pointer)}",
            "the batch recorded another one" if held else "the batch made a version, which is gone",
            REPAIR,
            batch.interval,
            held=held,
            due=due,
        )

    def _newest_events(self) -> list[tuple[str, Completed]]:
        """The newest event of each table of each batch, with the table."""
        newest: dict[tuple[str, datetime, str], Completed] = {}
        for done in self._facts.completed.values():
            for dataset in done.datasets:
                known = newest.get(key := (done.flow, done.interval.start, dataset))
                if known is None or known.token < done.token:
                    newest[key] = done
        return [(dataset, done) for (_, _, dataset), done in newest.items()]

    def _table(self, done: Completed, dataset: str) -> Difference:
        """A table's missing record. Fields that only it held are lost; later batches need token, rows and the last one's cursor."""
        known = self._cursor_is_known(dataset, done.interval.end)
        due = Batch(
            done.flow,
            done.interval,
            done.token,
            (dataset,),
            self._version_then(done.flow, done.interval.start),
            {dataset: self._outcome(done, dataset)},
            {dataset: Worker(done.token, REPAIR, done.interval.end)},
            moved={name: self._moved(name, done.interval.end) for name in (dataset, *done.completed_by(dataset))},
        )
        return Difference(
            Kind.BATCH,
            done.flow,
            dataset,
            place(keys.batch_table(done.flow, done.interval.start, dataset)),
            "nothing",
            f"committed under token {done.token}",
            "its event says that it was completed, and the item is gone",
            REPAIR if known else FROM_A_BACKUP,
            done.interval,
            due=due if known else None,
        )

    def _cursor_is_known(self, dataset: str, end: datetime) -> bool:
        """Whether a cursor is known for a batch that ends then. After a later batch it doesn't matter; else only the state has it."""
        if any(dataset in state.tables for state in self._facts.states.values()) or not self._facts.has_cursor(dataset):
            return True
        batches, events = self._facts.batches.values(), self._facts.completed.values()
        recorded = any(batch.interval.start >= end and dataset in batch.moved for batch in batches)
        return recorded or any(done.interval.start >= end and dataset in done.datasets for done in events)

    def _outcome(self, done: Completed, dataset: str) -> TableOutcome:
        found = TableOutcome(TableStatus.COMMITTED, done.datasets[dataset], token=done.token)
        version = self._facts.versions.get((dataset, done.interval.end))
        if version is None or version.token != done.token:
            return found
        return replace(found, schema_version=version.schema_version, pointer=version.pointer, reads=version.reads)

    def _moved(self, dataset: str, end: datetime) -> Moved:
        """The move as the state has it; a dataset that stands elsewhere has at least a cursor that was right once."""
        tables = [state.tables[dataset] for state in self._facts.states.values() if dataset in state.tables]
        tables.sort(key=lambda table: table.watermark != end)
        return next((Moved(table.cursor, table.entry) for table in tables), Moved("", 0))

    def _version_then(self, flow: str, start: datetime) -> str:
        found = self._programs.with_flow(flow, start) or self._programs.entries[0]
        return found[0].version


def _makers(facts: Facts) -> dict[tuple[str, datetime], Batch]:
    """Dataset and end ▸ the batch that made its version last: after a change of the interval several batches end at one moment."""
    found: dict[tuple[str, datetime], Batch] = {}
    for batch in facts.batches.values():
        for dataset, outcome in batch.outcomes.items():
            if outcome.pointer is not None:
                known = found.get((dataset, batch.interval.end))
                if known is None or _entry(known, dataset) <= _entry(batch, dataset):
                    found[dataset, batch.interval.end] = batch
    return found


def _entry(batch: Batch, dataset: str) -> int:
    return batch.moved[dataset].entry if dataset in batch.moved else 0
