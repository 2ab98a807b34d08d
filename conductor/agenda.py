"""The agenda of a round: flows with new events, their readers, and flows whose time has come.

It is kept in a process's memory and is only a reason to look: what is due is decided by what is read then. So it may be lost with
its process, or miss a lost event: the next whole look, at every flow, makes it anew.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from conductor.executions import Done
from conductor.places import AtWork
from shared_metadata.program import Program
from shared_metadata.program.intervals import next_interval
from shared_metadata.state.entries import Entry
from shared_metadata.state.records import Event, EventKind, FlowState
from shared_metadata.state.schedule import DueBatch, due_batches
from shared_metadata.state.timeline import Programs
from shared_metadata.store import keys
from shared_metadata.store.event_reader import EventKey

WHOLE = timedelta(hours=1)  # between two whole looks
HORIZON = 2 * WHOLE  # what may become due by then is known from now on; the next whole look finds the rest
BELATED = timedelta(minutes=2)  # an event may be written so long after the moment in its key
RENEWS = frozenset({EventKind.PROGRAM_ACTIVATED, EventKind.UPDATE_SET_CANCELLED})
WAKES = frozenset(
    {
        EventKind.BATCH_COMPLETED,
        EventKind.BATCH_FAILED,
        EventKind.BATCH_LOST,
        EventKind.BATCH_DEAD,
        EventKind.BATCH_REDRIVEN,
        EventKind.FLOW_QUIESCED,
        EventKind.FLOW_RESUMED,
        EventKind.STATE_REPAIRED,
    }
)


class Neighbours:
    """The readers and inputs of flows, in any program of a timeline."""

    def __init__(self, programs: Programs) -> None:
        self._makers: dict[str, set[str]] = {}
        self._inputs: dict[str, set[str]] = {}
        self._readers: dict[str, set[str]] = {}
        for _, program in programs.entries:
            self._add(program)

    def _add(self, program: Program) -> None:
        for flow in program.flows.values():
            for table in flow.tables:
                self._makers.setdefault(table.dataset, set()).add(flow.id)
        for flow in program.flows.values():
            inputs = {maker for table in flow.tables for name in table.inputs for maker in self._makers.get(name, ())}
            self._inputs.setdefault(flow.id, set()).update(inputs)
            for maker in inputs:
                self._readers.setdefault(maker, set()).add(flow.id)

    def inputs(self, flows: Iterable[str]) -> set[str]:
        """The flows whose datasets these read."""
        return {maker for flow in flows for maker in self._inputs.get(flow, ())}

    def around(self, flows: Iterable[str]) -> set[str]:
        """The flows that decide how many missed intervals a batch of these covers: their readers at any distance, and those's
        inputs.
        """
        found, waiting = set[str](), set(flows)
        while waiting:
            found |= waiting
            waiting = {reader for flow in waiting for reader in self._readers.get(flow, ())} - found
        return found | self.inputs(found)

    def touched(self, events: Iterable[Event]) -> set[str]:
        """The flows that these events are about, and those that read them."""
        flows = {flow for event in events if event.kind in WAKES for flow in self._of(event)}
        return flows | {reader for flow in flows for reader in self._readers.get(flow, ())}

    def _of(self, event: Event) -> set[str]:
        """The flows of an event, with those whose datasets an empty batch completes too, and those that a drift stops or frees."""
        passed = {maker for dataset in event.detail.get("passed", ()) for maker in self._makers.get(dataset, ())}
        return {event.flow, *event.detail.get("flows", ()), *passed}


class Agenda:
    """Flow ▸ when to look at it; one that waits for an event has no moment. It also keeps the flows that wait for capacity, by the
    starts of their batches, and the running ones.
    """

    def __init__(self) -> None:
        self._moments: dict[str, datetime] = {}
        self._queue: dict[str, datetime] = {}
        self._at_work: dict[str, frozenset[AtWork]] = {}
        self._entries: tuple[Entry, ...] = ()
        self._neighbours = Neighbours(Programs([]))
        self._looked_at: tuple[datetime, int] | None = None  # the last whole look, and the timeline entry it was made under
        self._heard: tuple[datetime, frozenset[EventKey]] | None = None  # the last query for events, and the events known then

    def neighbours(self, programs: Programs) -> Neighbours:
        entries = tuple(entry for entry, _ in programs.entries)
        if self._entries != entries:
            self._entries, self._neighbours, self._looked_at = entries, Neighbours(programs), None
        return self._neighbours

    # -- due looks

    def needs_whole_look(self, programs: Programs, now: datetime) -> bool:
        """Whether a whole look is due: in a new process, now and then, and when the timeline or its active program has changed."""
        self.neighbours(programs)
        if self._looked_at is None or self._heard is None:
            return True
        looked_at, entry = self._looked_at
        return not looked_at <= now < looked_at + WHOLE or entry != programs.active(now)[0].number

    def wake_all(self, programs: Programs, now: datetime) -> None:
        """Puts all flows on the agenda, for a whole look."""
        self.neighbours(programs)
        self._moments, self._queue = dict.fromkeys(programs.flow_ids, now), {}
        self._looked_at, self._heard = (now, programs.active(now)[0].number), (now, frozenset())

    def since(self, now: datetime) -> datetime:
        """The moment from which to ask for events: earlier than the last query, because an event may be written late."""
        return (min(self._heard[0], now) if self._heard else now) - BELATED

    @property
    def known(self) -> frozenset[EventKey]:
        """The known events, as far back as is asked for again."""
        return self._heard[1] if self._heard else frozenset()

    def hear(self, programs: Programs, events: Mapping[EventKey, Event], now: datetime) -> None:
        """Takes in the events since `since` that are not known yet."""
        self.wake(self.neighbours(programs).touched(events.values()), now)
        first = tuple(keys.first_event(now - BELATED).values())
        self._heard = now, frozenset(key for key in (*self.known, *events) if key >= first)

    def wake(self, flows: Iterable[str], now: datetime) -> None:
        self._moments |= dict.fromkeys(flows, now)

    def due(self, now: datetime, most: int) -> set[str]:
        """The flows whose moment has come and, if fewer than `most` run, the oldest of those that wait for capacity: so many that no
        younger one takes their place.
        """
        flows = {flow for flow, moment in self._moments.items() if moment <= now}
        room = most - len(self._at_work.keys() - flows)
        waiting = heapq.nsmallest(room + len(flows), self._queue, key=lambda flow: (self._queue[flow], flow)) if room > 0 else ()
        return flows.union(waiting)

    def at_work_beside(self, flows: Collection[str]) -> int:
        """The number of other flows that run, by all events so far."""
        return len(self._at_work.keys() - flows)

    @property
    def at_work(self) -> Mapping[str, frozenset[AtWork]]:
        """The flows that run, by all events so far, and the tables of each."""
        return self._at_work

    # -- after a look

    def looked(self, flows: Collection[str], moments: Mapping[str, datetime], done: Mapping[DueBatch, Done | None]) -> None:
        """Records for each of these flows when to look at it again, whether it runs, and whether it waits for capacity.

        moments: of flows that wait for time.  done: the result for what is due; None for lack of capacity.
        """
        for flow in flows:
            self._moments.pop(flow, None)
            self._queue.pop(flow, None)
            self._at_work.pop(flow, None)
        self._moments |= {flow: moment for flow, moment in moments.items() if flow in flows}
        for batch, found in done.items():
            if found is None or found.partly:
                self._queue[batch.flow] = min(batch.interval.start, self._queue.get(batch.flow, batch.interval.start))
            if found is None:
                continue
            self._moments[batch.flow] = min(found.again_at, self._moments.get(batch.flow, found.again_at))
            if found.figures.started or found.figures.running:
                begun = frozenset((batch.interval.start, table) for table in found.tables)
                self._at_work[batch.flow] = self._at_work.get(batch.flow, frozenset()) | begun


def waiting_for_time(
    programs: Programs, states: Mapping[str, FlowState], begun: Iterable[DueBatch], now: datetime
) -> dict[str, datetime]:
    """The moments at which flows become due by the passing of time alone: a batch's end, or the end of a failed attempt's backoff.

    begun: batches that are due already, which wait for nothing.
    """
    done = {(batch.flow, dataset) for batch in begun for dataset in batch.datasets}
    found: dict[str, datetime] = {}
    for batch in due_batches(programs, states, now + HORIZON):
        waiting = [dataset for dataset in batch.datasets if (batch.flow, dataset) not in done]
        for dataset in waiting:
            moment = _moment(programs, states, batch, dataset)
            found[batch.flow] = min(moment, found.get(batch.flow, moment))
    return found


def _moment(programs: Programs, states: Mapping[str, FlowState], batch: DueBatch, dataset: str) -> datetime:
    known = programs.with_flow(batch.flow, batch.interval.start)
    assert known is not None  # it is due in one of the programs
    end = next_interval(batch.interval.start, known[1].flows[batch.flow].interval_seconds).end
    retry_at = states[batch.flow].tables[dataset].retry_at
    return max(end, retry_at) if retry_at and not batch.advanced else end
