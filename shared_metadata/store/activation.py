"""Stores and activates program versions, and decides at which batch a new dataset starts."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from shared_metadata.aws.at_once import beside_one_another
from shared_metadata.errors import DefinitionError, InputError, RetryLater
from shared_metadata.program import Flow, Program
from shared_metadata.program.intervals import ceil, floor, next_interval, to_text
from shared_metadata.program.lineage import Lineage
from shared_metadata.state.effect import Effect, begins_again
from shared_metadata.state.entries import BEGINNING, Entry, Timeline
from shared_metadata.state.records import EventKind, FlowState, TableState
from shared_metadata.state.timeline import Programs
from shared_metadata.store import formats, items, keys
from shared_metadata.store.actions import Actions
from shared_metadata.store.reader import MetadataReader
from shared_metadata.store.stored_lineage import stored_items
from shared_metadata.store.table_actions import Action
from shared_metadata.store.writes import put_all, transacted, written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PART_BYTES = 300_000  # an item may have 400 KB
STATES_AT_ONCE = 100  # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
KEPT_ENTRIES = 2
MAX_ENTRIES = 20  # the conductor loads the programs of them all


def _meanwhile() -> RetryLater:
    return RetryLater("another program was activated meanwhile", remedy="look at it with `atoll status`, then apply again")


class Activation:
    """Writes programs for `atoll apply`."""

    def __init__(self, client: DynamoDBClient, table: str, reader: MetadataReader) -> None:
        self._client, self._table, self._reader, self._actions = client, table, reader, Actions(table)

    def put_program(self, program: Program, lineage: Lineage | None) -> None:
        """Stores a program after its lineage, so that every reader that finds a typed program finds that too."""
        version = program.version
        if lineage is not None:
            put_all(self._client, self._table, map(items.to_item, stored_items(version, lineage)))
        body = zlib.compress(program.to_json().encode(), 9)
        for number, at in enumerate(range(0, len(body), PART_BYTES)):
            item = items.to_item({**keys.program_part(version, number), "body": body[at : at + PART_BYTES]})
            self._client.put_item(TableName=self._table, Item=item)

    def schedule(self, program: Program, effect: Effect, expected: Timeline, by: str, now: datetime) -> Timeline:
        boundary = effect.boundary
        if boundary < expected.earliest and not effect.restates:
            raise InputError(
                f"the boundary {to_text(boundary)} lies before that of the program applied last, {to_text(expected.earliest)}",
                remedy="choose a later one",
            )
        needed = self._needed(expected, boundary)
        programs = Programs([(known, self._reader.program(known.version)) for known in needed])
        kept = programs.kept_before(program, boundary, restates=effect.restates)
        restates = effect.restates or any(entry.restates for entry in needed[kept:])
        entry = Entry(program.version, boundary, now, by, expected.next_number, restates and kept > 0)
        former = expected.entries[-1].version if expected.entries else ""
        along = Programs([*programs.entries[:kept], (entry, program)])
        self._open_states(program, programs, along, None if effect.soon else boundary, now)
        timeline = self._put((*needed[:kept], entry), expected, self._event(EventKind.PROGRAM_ACTIVATED, entry, former, now))
        self._begin_earlier(effect.earlier, programs, boundary)  # not by one that lost against another
        return timeline

    def cancel(self, expected: Timeline, now: datetime) -> Timeline:
        pending = expected.pending(now)
        if pending is None:
            raise InputError("no update set is pending", remedy="`atoll rollback` brings the former program back")
        event = self._event(EventKind.UPDATE_SET_CANCELLED, pending, expected.entries[-2].version, now)
        return self._put(expected.entries[:-1], expected, event)

    def activate(self, program: Program, former_version: str, now: datetime) -> None:
        expected = self._reader.timeline()
        active = expected.active(now)
        if (active.version if active else "") != former_version:
            raise _meanwhile()
        entry = Entry(program.version, BEGINNING, now, "", expected.next_number)
        self._open_states(program, Programs([]), Programs.always(program), None, now)
        self._put((entry,), expected, self._event(EventKind.PROGRAM_ACTIVATED, entry, former_version, now))

    def _needed(self, timeline: Timeline, boundary: datetime) -> tuple[Entry, ...]:
        """The entries with unfinished batches, those in force since a boundary, the one before them, and two for `rollback`.

        By the one before, the first of them is told to have changed something.
        """
        entries = timeline.entries
        if len(entries) <= KEPT_ENTRIES:
            return entries
        programs = Programs([(entry, self._reader.program(entry.version)) for entry in entries])
        states = self._reader.flow_states(programs.flow_ids, programs)
        last = min(len(entries) - KEPT_ENTRIES, max(programs.in_force_from(boundary) - 1, 0))
        needed = programs.needs(next((number for number in range(last) if programs.outstanding(number, states)), last))
        if len(entries) - needed >= MAX_ENTRIES:
            raise DefinitionError(
                f"batches of {len(entries) - needed} former program versions are still to be made",
                remedy="look at what stands still with `atoll status`, and mend or remove it",
            )
        return entries[needed:]

    def _event(self, kind: EventKind, entry: Entry, former: str, now: datetime) -> dict[str, Any]:
        detail = {"version": entry.version, "former": former, "boundary": to_text(entry.boundary), "by": entry.by}
        identity = f"program#{entry.version}#{entry.number}#{kind.value}"
        return {**keys.event(now, identity), "kind": kind.value, "at": to_text(now), "flow": "", "detail": detail}

    def _put(self, entries: tuple[Entry, ...], expected: Timeline, event: dict[str, Any]) -> Timeline:
        """Replaces the timeline `expected` by these entries, together with the event. Raises RetryLater when it has changed."""
        timeline = Timeline(entries, expected.revision + 1)
        condition, more = "attribute_not_exists(pk)", dict[str, Any]()
        if expected.revision:
            condition, more = "revision = :expected", {":expected": expected.revision}
        values = {**keys.timeline(), **items.timeline_values(timeline), formats.NAME: formats.PRESENT}
        put = self._actions.put(values, condition, **({"ExpressionAttributeValues": items.to_item(more)} if more else {}))
        if not transacted(self._client, [put, self._actions.put(event)]):
            raise _meanwhile()
        return timeline

    def _open_states(self, program: Program, programs: Programs, along: Programs, boundary: datetime | None, now: datetime) -> None:
        """Sets the start of new datasets: the boundary, or as soon as possible.

        A dataset counts as new if no program version still in use (programs) produces it.  along: the programs as they will be.
        """
        states = self._reader.states_of(program.datasets())
        starts = Starts(program, states, self._reader, along, boundary, now)
        opened, begun = list[Action](), list[Action]()
        for flow in program.flows.values():
            known = states[flow.id].tables if flow.id in states else {}
            for dataset in (table.dataset for table in flow.tables):
                state = known.get(dataset)
                if state is None:
                    fresh = TableState(starts.of(flow), begins=starts.of(flow))
                    opened.append(self._actions.put(items.new_state(flow.id, dataset, fresh), "attribute_not_exists(pk)"))
                elif programs.entries and begins_again(programs, flow.id, dataset, state, partial(starts.of, flow)):
                    start = starts.of(flow)
                    again_until = state.watermark if state.watermark > start else None  # a restatement: it was made before
                    fresh = TableState(start, state.cursor, again_until=again_until)
                    begun.append(self._begin(flow.id, dataset, fresh, state))
        beside_one_another(self._send_all, [opened[at : at + STATES_AT_ONCE] for at in range(0, len(opened), STATES_AT_ONCE)])
        beside_one_another(self._send, begun)

    def _begin_earlier(self, flows: Collection[str], programs: Programs, boundary: datetime) -> None:
        """Moves the beginning of these flows' datasets back to a boundary, from which they are to be made."""
        moved = list[Action]()
        for flow, state in self._reader.flow_states(sorted(flows), programs).items():
            for dataset, table in state.tables.items():
                if table.begins and table.begins > boundary:
                    names, values = {"#b": "begins"}, {":held": to_text(table.begins), ":begins": to_text(boundary)}
                    moved.append(self._actions.update(keys.state(flow, dataset), "SET #b = :begins", "#b = :held", names, values))
        beside_one_another(self._send, moved)

    def _begin(self, flow: str, dataset: str, state: TableState, held: TableState) -> Action:
        """Moves the start of a flow's dataset, if its state still is as in `held`."""
        names = {"#t": "table", "#b": "begins", "#w": "watermark"}
        values: dict[str, Any] = {":held": to_text(held.watermark)}
        values |= {":state": items.state_values(state), ":begins": to_text(state.watermark)}
        return self._actions.update(keys.state(flow, dataset), "SET #t = :state, #b = :begins", "#t.#w = :held", names, values)

    def _send(self, action: Action) -> None:
        """Sends writes; does nothing where a concurrent `atoll apply` has just opened the state."""
        written(self._client, action)

    def _send_all(self, actions: list[Action]) -> None:
        """Sends writes as `_send`, in one request unless a concurrent call opens one of the states."""
        if not transacted(self._client, actions):
            for action in actions:
                self._send(action)


class Starts:
    """The start of each flow's new datasets: the boundary or else the batch that ended last, or, where its inputs exist only later,
    the first batch whose inputs do.
    """

    def __init__(
        self,
        program: Program,
        states: Mapping[str, FlowState],
        reader: MetadataReader,
        along: Programs,
        boundary: datetime | None,
        now: datetime,
    ) -> None:
        self._states, self._reader, self._along, self._boundary, self._now = states, reader, along, boundary, now
        self._producers = program.producers
        self._found: dict[str, datetime] = {}

    def of(self, flow: Flow) -> datetime:
        """The start of the first batch of a dataset that is new in this flow."""
        if flow.id not in self._found:
            length = timedelta(seconds=flow.interval_seconds)
            start = self._boundary or floor(self._now, flow.interval_seconds) - length
            self._found[flow.id] = start  # ends the recursion where a program reads itself
            needed = {name: self._first_end(name) for t in flow.tables for name in t.inputs if name in self._producers}
            for name, end in needed.items():
                while ceil(start + length, self._producers[name].interval_seconds) < end:
                    start += length
            self._found[flow.id] = start
        return self._found[flow.id]

    def _first_end(self, dataset: str) -> datetime:
        """The first end at which a version of a dataset can be read.

        A first batch of several intervals covers each of them; one that a restatement cuts is made again, and then ends earlier.
        """
        flow = self._producers[dataset]
        state = self._states[flow.id].tables.get(dataset) if flow.id in self._states else None
        if state is None:
            return self.of(flow) + timedelta(seconds=flow.interval_seconds)
        progress, first = self._along.progress(flow.id, dataset, state), self._reader.first_version(dataset)
        maker = progress.program.flows[flow.id] if progress.program else flow
        following = next_interval(progress.through, maker.interval_seconds).end
        following = max(following, progress.once_more_as_one or following)
        if first is None:
            return following
        return min(next_interval(first.interval.start, maker.interval_seconds).end, following)
