"""Verifies the records, one group of flows at a time; a difference is checked twice, because a write in progress is gone by then.

In memory is one group at a time; events, which are kept by day and not by flow, are noted part by part, and so are verified groups: a
verification that was interrupted goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

from shared_metadata.aws.at_once import beside_one_another
from shared_metadata.contract.landed import Landed
from shared_metadata.state.records import EventKind, FlowState
from shared_metadata.state.timeline import Programs
from shared_metadata.store import items, keys
from shared_metadata.store.reader import MetadataReader
from shared_metadata.store.table_actions import EVENT_DAYS
from shared_metadata.store.table_reader import utc_now
from shared_metadata.verification.difference import Difference
from shared_metadata.verification.differences import recorded_otherwise
from shared_metadata.verification.event_notes import parts
from shared_metadata.verification.facts import Completed, Facts, completed
from shared_metadata.verification.groups import datasets_of, groups
from shared_metadata.verification.notes import FIRST, SECOND, Flows, Looked, Notes
from shared_metadata.verification.other_side import Seen, other_sides

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE_ITEMS = 500  # a page of all that DynamoDB gives, 1 MB, is 15 MB of objects
DAYS_AT_ONCE = 2  # whose events are read beside one another: more would only be more in memory, where a processor has enough to do
DAY, WEEK = timedelta(days=1), timedelta(days=7)
EPOCH = datetime.fromtimestamp(0, UTC)
Ask = Callable[[Programs], Mapping[str, Sequence[Landed]]]
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Progress:
    """The progress of a verification, in groups of flows; items: how many this call read."""

    done: int
    of: int
    items: int


Said = Callable[[Progress], None]


@dataclass(frozen=True)
class Verified:
    """The differences, and how much was verified. unseen_cursors: dataset ▸ why its cursor could not be compared."""

    differences: tuple[Difference, ...]
    datasets: int
    batches: int
    versions: int
    unseen_cursors: Mapping[str, str] = field(default_factory=dict)


def _by_now(seen: Seen, states: Mapping[str, FlowState]) -> Seen:
    """Moves a dataset's facts on to now: what was committed since its group was verified has not landed too early."""
    table = states[seen.flow].tables.get(seen.dataset) if seen.flow in states else None
    return replace(seen, complete=max(seen.complete, table.watermark)) if table else seen


def _differing(looked: Mapping[Flows, Looked]) -> list[Difference]:
    return [one for group in looked.values() for one in group.differing]


def verify(
    client: DynamoDBClient,
    table: str,
    ask: Ask,
    said: Said = lambda _: None,
    notes: Notes | None = None,
    clock: Clock = utc_now,
    go_on: Callable[[], None] = lambda: None,
) -> Verified:
    """Verifies all records. Raises DefinitionError where no program was ever applied.

    ask: the landed batches of the programs' datasets, asked for after the table was read, so that every recorded batch has landed.
    notes: those of an interrupted verification, whose verified groups are skipped.  go_on: called after each further note; may raise,
    to stop. Batches may run meanwhile. Flows that no program of the timeline has are left out: they are neither made nor read.
    """
    return _Verification(client, table, ask, said, notes or Notes(), clock, go_on).run()


class _Verification:
    def __init__(
        self, client: DynamoDBClient, table: str, ask: Ask, said: Said, notes: Notes, clock: Clock, go_on: Callable[[], None]
    ) -> None:
        self._client, self._table, self._ask, self._said, self._notes, self._clock = client, table, ask, said, notes, clock
        self._go_on = go_on
        self._reader, self._items = MetadataReader(client, table), 0
        self._aged: Mapping[str, datetime] = {}  # flow ▸ the end of its aged batches

    def run(self) -> Verified:
        programs = self._reader.programs()
        wanted = groups(programs)
        began = self._notes.begin(self._clock(), self._reader.timeline().revision, parts(programs, wanted))
        self._read_events(max(self._needed_since(programs), began - timedelta(days=EVENT_DAYS)), unless_known=True)
        looked = self._look_at(programs, wanted, FIRST)
        found = [*_differing(looked), *self._other_sides(programs, looked)]
        if found:
            found = self._again(programs, wanted, looked, found, began)
        every = looked.values()
        unseen = {name: why for one in every for name, why in one.unseen.items()}
        figures = (sum(o.datasets for o in every), sum(o.batches for o in every), sum(o.versions for o in every))
        return Verified(tuple(found), *figures, unseen)

    def _look_at(self, programs: Programs, wanted: Sequence[Flows], look: int) -> dict[Flows, Looked]:
        """Verifies and notes each group."""
        looked = self._notes.looked(look, wanted)
        for flows in wanted:
            if flows not in looked:
                looked[flows] = self._group(programs, flows)
                self._notes.keep(look, flows, looked[flows])
                self._said(Progress(len(looked), len(wanted), self._items))
                self._go_on()
        return looked

    def _group(self, programs: Programs, flows: Flows) -> Looked:
        partitions = [keys.schema(dataset, 0)["pk"] for dataset in datasets_of(programs, flows)]
        partitions += [keys.flow(flow) for flow in flows]
        recorded = chain.from_iterable(map(self._partition, (*partitions, keys.open_drifts()["pk"])))
        facts = Facts.of(recorded, self._notes.events(flows))
        compared = recorded_otherwise(facts, programs, self._clock(), flows)
        figures = (sum(len(state.tables) for state in facts.states.values()), len(facts.heads), len(facts.versions))
        return Looked(*figures, compared.unseen, tuple(compared.seen), tuple(compared.differences))

    def _other_sides(self, programs: Programs, looked: Mapping[Flows, Looked]) -> list[Difference]:
        landed, seen = self._ask(programs), [one for group in looked.values() for one in group.seen]
        wanted: dict[str, list[str]] = {}
        for one in seen:
            if one.dataset in landed:
                wanted.setdefault(one.flow, []).append(one.dataset)
        states = self._reader.states_of(wanted)
        return list(other_sides([_by_now(one, states) for one in seen], programs, self._clock(), landed))

    def _again(
        self, programs: Programs, wanted: Sequence[Flows], looked: dict[Flows, Looked], found: list[Difference], began: datetime
    ) -> list[Difference]:
        """Returns the differences that are still there."""
        flows = {one.flow for one in found}
        differing = [group for group in wanted if flows.intersection(group)]
        self._read_events(began - DAY, unless_known=False)
        second = self._look_at(programs, differing, SECOND)
        looked |= second
        still = [*_differing(second), *self._other_sides(programs, second)]
        first = set(found)
        return [one for one in still if one in first]

    # -- reading

    def _needed_since(self, programs: Programs) -> datetime:
        """The moment since which there may be events that anybody asks for: those of batches that have not aged.

        An event is written after its batch's end. Before a dataset begins there are batches only if an operator ran them while the
        beginning lay ahead, which it does by a week at most.
        """
        summaries = self._reader.aged_batches_of(programs.flow_ids)
        self._aged = {flow: summary.through for flow, summary in summaries.items()}
        others = {flow: programs.datasets(flow) for flow in programs.flow_ids if flow not in self._aged}
        states = self._reader.states_of(others)
        tables = (states[flow].tables.get(name) if flow in states else None for flow, names in others.items() for name in names)
        begins = [(table.begins - WEEK) if table and table.begins else EPOCH for table in tables]
        return min([self._clock() - DAY, *(through - DAY for through in self._aged.values()), *begins])

    def _read_events(self, since: datetime, *, unless_known: bool) -> None:
        """Notes the completed batches of the events since then, some days at a time; a clock may run ahead."""
        now = self._clock()
        days = [since + timedelta(days=number) for number in range((now.date() - since.date()).days + 2)]
        unread = [day for day in days if not (unless_known and self._notes.has_day(f"{day:%Y-%m-%d}"))]
        beside_one_another(self._read_day, unread, DAYS_AT_ONCE)

    def _read_day(self, day: datetime) -> None:
        values, pk = {":kind": EventKind.BATCH_COMPLETED.value}, keys.event(day, "")["pk"]
        only: dict[str, Any] = {"FilterExpression": "#kind = :kind", "ExpressionAttributeNames": {"#kind": "kind"}}
        events = (completed(item) for page in self._pages(pk, values, **only) for item in page)
        self._notes.keep_events(f"{day:%Y-%m-%d}", (one for one in events if not self._has_aged(one)))
        if day.date() < self._clock().date() - DAY:
            self._notes.keep_day(f"{day:%Y-%m-%d}")
            self._go_on()

    def _has_aged(self, done: Completed) -> bool:
        return done.flow in self._aged and done.interval.end <= self._aged[done.flow]

    def _partition(self, pk: str) -> Iterator[items.Item]:
        for page in self._pages(pk, {}):
            self._items += len(page)
            yield from page

    def _pages(self, pk: str, values: Mapping[str, str], **more: object) -> Iterator[list[items.Item]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=items.to_item({":pk": pk, **values}),
            ConsistentRead=True,
            **{"Limit": PAGE_ITEMS, **more},  # type: ignore[arg-type]
        )
        return (page["Items"] for page in pages)
