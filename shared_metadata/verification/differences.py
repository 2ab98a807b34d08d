"""Differences of the records from the batches, warehouses and targets; each with its place, cause and remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
    compared = recorded_otherwise(facts, programs, now, programs.flow_ids)
    return [*compared.differences, *other_sides(compared.seen, programs, now, landed or {})]


@dataclass(frozen=True)
class Compared:
    """The differences within flows' records, and the records to compare with the warehouse or target.

    unseen: dataset ▸ why its cursor cannot be compared with anything: a wrong one would go unnoticed.
    """

    differences: Sequence[Difference]
    seen: Sequence[Seen]
    unseen: Mapping[str, str]


def recorded_otherwise(facts: Facts, programs: Programs, now: datetime, flows: Sequence[str]) -> Compared:
    """Compares the records of these flows. facts: those of these flows and of all that make the same datasets (`groups`)."""
    derivation = Derivation(facts, programs)
    comparison = _Comparison(facts, programs, now, derivation)
    return Compared(list(comparison.all(flows)), comparison.seen, _unseen_cursors(facts, programs, derivation))


def _unseen_cursors(facts: Facts, programs: Programs, derivation: Derivation) -> dict[str, str]:
    found = {}
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
    def __init__(self, facts: Facts, programs: Programs, now: datetime, derivation: Derivation) -> None:
        self._facts, self._programs, self._derivation = facts, programs, derivation
        self.seen: list[Seen] = []
        self._events_since = now - timedelta(days=EVENT_DAYS)
        self._last: dict[str, datetime] = {}  # dataset ▸ the end of its last version
        for dataset, end in facts.versions:
            self._last[dataset] = max(end, self._last.get(dataset, end))

    def all(self, flows: Sequence[str]) -> Iterator[Difference]:
        for flow in flows:
            datasets = {t.dataset for _, p in self._programs.entries if flow in p.flows for t in p.flows[flow].tables}
            for dataset in sorted(datasets):
                yield from self._dataset(flow, dataset)
        for (_, start, dataset), batch in self._facts.batches.items():
            yield from self._outcome_of(start, dataset, batch)
        for (flow, start), names in sorted(self._facts.headless.items()):
            batch = self._facts.batches[flow, start, names[0]]
            if not self._facts.has_aged(flow, batch.interval.end):
                yield lost_head(replace(batch, datasets=tuple(names)))
        for dataset, done in self._newest_events():
            if not self._facts.has_aged(done.flow, done.interval.end):
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
        last = self._facts.versions[dataset, self._last[dataset]] if dataset in self._last else None
        maker = self._derivation.makers.get((dataset, last.interval.end)) if last else None
        self.seen.append(Seen.of(flow, dataset, derived.state, last, maker.flow if maker else ""))

    def _is_refill(self, dataset: str, state: TableState) -> bool:
        return state.cursor == "" and self._facts.refilled(dataset, state.watermark)

    # -- what a batch recorded

    def _outcome_of(self, start: datetime, dataset: str, batch: Batch) -> Iterator[Difference]:
        """The differences of a table of a batch; its event is not asked for where later batches have aged, and it stays."""
        outcome, end = batch.outcomes.get(dataset), batch.interval.end
        if outcome is None or outcome.status != TableStatus.COMMITTED:
            return
        done = self._facts.completed.get((batch.flow, start, outcome.token))
        kept = end > self._events_since and not self._facts.has_aged(batch.flow, end)  # it was committed after its end
        if kept and (done is None or dataset not in done.datasets):
            yield lost_event(batch, dataset, outcome)
        maker = self._derivation.makers.get((dataset, end))
        if outcome.pointer is not None and maker and (maker.flow, maker.start) == (batch.flow, start):
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
        """The newest event of each table of each batch of which there is no record, with the table."""
        newest: dict[tuple[str, datetime, str], Completed] = {}
        for (flow, start, _), done in self._facts.completed.items():
            for dataset in done.datasets:
                known = newest.get(key := (flow, start, dataset))
                if not self._facts.records(*key) and (known is None or known.token < done.token):
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
        later = (key for key in self._facts.batches if key[1] >= end)
        recorded = any(dataset in self._facts.batches[key].moved for key in later)
        events = (key for key in self._facts.completed if key[1] >= end)
        return recorded or any(dataset in self._facts.completed[key].datasets for key in events)

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
