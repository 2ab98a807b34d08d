"""Reads the metadata layer; needs no more than read access to its table."""

from __future__ import annotations

import dataclasses
import json
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared_metadata.aws.at_once import beside_one_another
from shared_metadata.aws.later import pauses
from shared_metadata.errors import DefinitionError, WaitForAws
from shared_metadata.program import Program
from shared_metadata.program.intervals import Interval, from_text
from shared_metadata.program.lineage import Lineage
from shared_metadata.state.entries import Timeline
from shared_metadata.state.records import Batch, Event, EventKind, FlowState, SchemaVersion, Version
from shared_metadata.state.timeline import Programs
from shared_metadata.store import formats, items, keys
from shared_metadata.store.aged import AgedBatches, covered_by_forgotten, forgotten, stands
from shared_metadata.store.stored_lineage import Reads, stored_lineage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Clock = Callable[[], datetime]
COLUMNS = "COLUMNS#"
EventKey = tuple[str, str]
MANY = 25  # datasets of a flow: a range of them costs some three units, and a request of its own
BATCH_GET_LIMIT = 100  # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html


def utc_now() -> datetime:
    return datetime.now(UTC)


class MetadataReader:
    """Reads the metadata layer for slices, the conductor and commands; consistently where a decision needs it."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock = utc_now) -> None:
        self._client, self._table, self._clock = client, table, clock
        self._programs: dict[str, Program] = {}
        self._last: tuple[Timeline, Programs] | None = None
        self._lineages: dict[str, Lineage | None] = {}

    def timeline(self) -> Timeline:
        """The program versions by boundary; empty when no program was ever applied.

        Raises DefinitionError where the records have another format than this code's.
        """
        values = self._get(keys.timeline())
        if values is None:
            return Timeline()
        formats.check(formats.format_of(values))
        return items.timeline(values)

    def programs(self) -> Programs:
        """The timeline with its programs. Raises DefinitionError when no program was ever applied."""
        timeline = self.timeline()
        if not timeline.entries:
            raise DefinitionError("no program is active", remedy="run `atoll apply`")
        if self._last is None or self._last[0] != timeline:
            self._last = timeline, Programs([(entry, self.program(entry.version)) for entry in timeline.entries])
        return self._last[1]

    def active_version(self) -> str:
        """The version of the active program; '' when there is none."""
        active = self.timeline().active(self._clock())
        return active.version if active else ""

    def active_program(self) -> Program:
        """The active program. Raises DefinitionError when no program was ever applied."""
        version = self.active_version()
        if not version:
            raise DefinitionError("no program is active", remedy="run `atoll apply`")
        return self.program(version)

    def program(self, version: str) -> Program:
        """A stored program version; versions never change, so each is read once."""
        if version not in self._programs:
            text = self._parts(keys.program_part(version, 0), "PART#")
            if not text:
                raise DefinitionError(f"program version {version} is not stored", remedy="run `atoll apply`")
            self._programs[version] = Program.from_json(text)
        return self._programs[version]

    def lineage(self, version: str) -> Lineage | None:
        """The lineage of a stored program version; None for one that was compiled without schemas.

        A dataset's lineage is read on demand.
        """
        if version not in self._lineages:
            known = next(self._query(keys.dataset_lineage(version, "")["pk"], COLUMNS, limit=1), None)
            self._lineages[version] = self._stored_lineage(version) if known else None
        return self._lineages[version]

    def _stored_lineage(self, version: str) -> Lineage:
        def reads(key: Callable[[str, str], keys.Key]) -> Reads:
            everything = key(version, "")
            return Reads(
                lambda names: _bodies(self._items(key(version, name) for name in names)),
                lambda: _bodies(self._query(everything["pk"], everything["sk"])),
            )

        return stored_lineage(reads(keys.dataset_lineage), reads(keys.source_lineage))

    def installed_slices(self) -> dict[str, Mapping[str, Any]]:
        """Slice id ▸ the deployment that `atoll apply` found."""
        return {item["sk"]: item for item in self._query("SLICES", "")}

    def flow_states(self, flows: Iterable[str], programs: Programs | None = None) -> dict[str, FlowState]:
        """The states of flows' datasets, for each flow that has any. programs: those that name them, by default the timeline's."""
        known = self.programs() if programs is None else programs
        return self.states_of({flow: known.datasets(flow) for flow in flows})

    def states_of(self, wanted: Mapping[str, Collection[str]]) -> dict[str, FlowState]:
        """The states of these datasets of flows, for each flow that has any of them.

        A hundred are one read. Many of one flow are read as a range, a megabyte at a time: by their bytes, not by their number.
        """
        ranges = [flow for flow, datasets in wanted.items() if len(datasets) > MANY]
        few = (keys.state(flow, name) for flow, names in wanted.items() if len(names) <= MANY for name in names)
        found = [*self._items(few)]
        for flow, states in zip(ranges, beside_one_another(self._all_states, ranges), strict=True):
            asked = frozenset(wanted[flow])
            found += (values for values in states if values["dataset"] in asked)
        return items.flow_states(found)

    def _all_states(self, flow: str) -> list[dict[str, Any]]:
        return list(self._query(keys.flow(flow), keys.STATE_PREFIX))

    def batches_at(self, wanted: Mapping[tuple[str, datetime], Collection[str]]) -> dict[tuple[str, datetime], Batch]:
        """The batch of each flow that starts then, with these tables of it, if it was ever claimed."""
        heads = [keys.batch(*key) for key in wanted]
        tables = [keys.batch_table(*key, dataset) for key, datasets in wanted.items() for dataset in datasets]
        found = list(self._items([*heads, *tables]))
        return items.batches(*_apart(found))

    def _items(self, wanted: Iterable[keys.Key]) -> Iterator[dict[str, Any]]:
        """Returns the existing items of these keys: a read for a hundred, concurrently where there are more."""
        found = [items.to_item(key) for key in wanted]
        pages = [found[at : at + BATCH_GET_LIMIT] for at in range(0, len(found), BATCH_GET_LIMIT)]
        for page in beside_one_another(self._page, pages):
            yield from map(items.from_item, page)

    def _page(self, wanted: list[dict[str, Any]]) -> list[Any]:
        """Returns the existing items of a hundred keys; asks again for those that DynamoDB leaves over when it throttles."""
        found: list[Any] = []
        for pause in pauses():
            answer = self._client.batch_get_item(RequestItems={self._table: {"Keys": wanted, "ConsistentRead": True}})
            found += answer["Responses"].get(self._table, [])
            left = answer.get("UnprocessedKeys", {})
            if self._table not in left:
                return found
            wanted = [dict(key) for key in left[self._table]["Keys"]]
            time.sleep(pause)
        raise WaitForAws("DynamoDB throttles the metadata table")

    def batch(self, flow: str, start: datetime, datasets: Collection[str] | None = None) -> Batch | None:
        """Returns a batch with these tables of it, or with all."""
        if datasets is not None:
            return self.batches_at({(flow, start): datasets}).get((flow, start))
        head, tables = self._get(keys.batch(flow, start)), self._query(keys.flow(flow), keys.batch_table(flow, start, "")["sk"])
        return items.batches([head] if head else [], tables).get((flow, start))

    def batches(self, flow: str, dataset: str, limit: int = 20) -> list[Batch]:
        """Lists the latest batches of a flow that made a dataset, or were to, newest first, with that table alone."""
        heads = self._query(keys.flow(flow), keys.BATCH_PREFIX, newest_first=True, limit=limit)
        found = self.batches_at({(flow, from_text(head["start"])): [dataset] for head in heads})
        return [batch for _, batch in sorted(found.items(), reverse=True) if batch.datasets]

    def batch_before(self, flow: str, moment: datetime) -> Interval | None:
        """The interval of the last batch of a flow that starts before a moment."""
        upto = keys.batch(flow, moment - timedelta(microseconds=1))
        found = self._one({**upto, "sk": keys.BATCH_PREFIX}, upto["sk"], newest_first=True)
        return items.interval(found) if found else None

    def batches_between(self, flow: str, start: datetime, end: datetime) -> list[Interval]:
        """The intervals of the batches of a flow that start at `start` or later and at `end` or earlier, oldest first."""
        pages = self._pages(keys.batch(flow, start), keys.batch(flow, end)["sk"], ConsistentRead=True)
        return [items.interval(items.from_item(item)) for page in pages for item in page["Items"]]

    def aged_batches(self, flow: str) -> AgedBatches | None:
        """The summary of a flow's aged batches; None where none has aged."""
        values = self._get(keys.aged_batches(flow))
        return AgedBatches.of(values) if values else None

    def forgotten_before(self, dataset: str) -> datetime | None:
        """The moment before which versions of a dataset are forgotten; None where none is."""
        values = self._get(keys.aged_versions(dataset))
        return from_text(values["before"]) if values else None

    def version_at(self, dataset: str, moment: datetime) -> Version | None:
        """The version of `dataset` that belongs to `moment`: the last made by a batch that ends at or before it.

        Raises DefinitionError, as the other questions about a moment do, where that one is forgotten.
        """
        return self._known(dataset, moment, self.last_recorded(dataset, moment))

    def last_recorded(self, dataset: str, moment: datetime) -> Version | None:
        """The last version recorded by then; where some are forgotten another may belong to the moment."""
        return self._version(dataset, keys.VERSION_PREFIX, keys.version(dataset, moment)["sk"], newest_first=True)

    def _known(self, dataset: str, moment: datetime, found: Version | None) -> Version | None:
        """Returns the last version by a moment, if it belongs to it.

        `forgotten_before` is read after the version, because it is written before anything is deleted.
        """
        before = None if found and found.interval.end == moment else self.forgotten_before(dataset)
        if before is None or moment >= before or stands(found, moment):
            return found
        found = self.last_recorded(dataset, moment)  # the version was perhaps read just before its follower was recorded in it
        if stands(found, moment):
            return found
        raise forgotten(dataset, moment, before)

    def covering_version(self, dataset: str, moment: datetime) -> Version | None:
        """The version as in `version_at`, but for a moment inside a batch of several intervals the version that this batch made."""
        found = self.last_recorded(dataset, moment)
        if found and found.interval.end == moment:
            return found
        later = self._version(dataset, _after(dataset, moment)["sk"], "VERSION#~")
        found = self._known(dataset, moment, found)
        if covered_by_forgotten(found, later, moment):
            raise forgotten(dataset, moment, self.forgotten_before(dataset) or moment)
        return later if later and later.interval.start < moment else found

    def first_version_within(self, dataset: str, interval: Interval) -> Version | None:
        """The oldest version of those made by batches that end after an interval's start and not after its end."""
        found = self._version(dataset, _after(dataset, interval.start)["sk"], keys.version(dataset, interval.end)["sk"])
        standing = self.version_at(dataset, interval.start)
        following = standing.followed_by if standing else None
        if following and following.end <= interval.end and (found is None or found.interval.end > following.end):
            raise forgotten(dataset, following.end, self.forgotten_before(dataset) or interval.end)
        return found

    def last_version_within(self, dataset: str, interval: Interval) -> Version | None:
        """The newest version of those; None when these batches changed nothing."""
        found = self.version_at(dataset, interval.end)
        return found if found and found.interval.end > interval.start else None

    def version_of(self, dataset: str, end: datetime) -> Version | None:
        """The version that the batch ending at `end` made; None when that batch changed nothing."""
        values = self._get(keys.version(dataset, end))
        return items.version(values) if values else None

    def latest_version(self, dataset: str) -> Version | None:
        found = list(self._query(keys.version(dataset, datetime.now(UTC))["pk"], "VERSION#", newest_first=True, limit=1))
        return items.version(found[0]) if found else None

    def versions_after(self, dataset: str, moment: datetime) -> list[Version]:
        """The versions made by batches that end after `moment`, oldest first, as far as they are recorded (`forgotten_before`)."""
        pages = self._pages(_after(dataset, moment), "VERSION#~", ConsistentRead=True)
        return [items.version(items.from_item(item)) for page in pages for item in page["Items"]]

    def count_versions_after(self, dataset: str, moment: datetime) -> int:
        return sum(page["Count"] for page in self._pages(_after(dataset, moment), "VERSION#~", Select="COUNT"))

    def first_version(self, dataset: str) -> Version | None:
        """The oldest version, which never ages."""
        found = list(self._query(keys.version(dataset, datetime.now(UTC))["pk"], "VERSION#", limit=1))
        return items.version(found[0]) if found else None

    def latest_schema(self, dataset: str) -> SchemaVersion | None:
        found = list(self._query(keys.schema(dataset, 0)["pk"], "SCHEMA#", newest_first=True, limit=1))
        return items.schema_version(found[0]) if found else None

    def changes(self, since: datetime, until: datetime, known: Collection[EventKey] = ()) -> dict[EventKey, Event]:
        """The data events since then without the `known` ones, by their keys; those of the day of `until` include what a clock ahead
        has put.

        Reads no more than these and the known ones, for a key begins with its event's moment.
        """
        found, low = dict[EventKey, Event](), keys.first_event(since)
        for day in range((until.date() - since.date()).days + 1):
            for page in self._pages(low, "~", ConsistentRead=True):
                new = {(item["pk"]["S"], item["sk"]["S"]): item for item in page["Items"]}
                found |= {key: items.event(items.from_item(item)) for key, item in new.items() if key not in known}
            low = {**keys.event(since + timedelta(days=day + 1), ""), "sk": "0"}
        return found

    def events(self, since: datetime, until: datetime | None = None) -> Iterator[Event]:
        """The data events in the order in which they were put."""
        day, last = since, until or datetime.now(UTC)
        while day.date() <= last.date():
            for values in self._query(keys.event(day, "")["pk"], ""):
                event = items.event(values)
                if since <= event.at <= last:
                    yield event
            day += timedelta(days=1)

    def statistics(self, flow: str, limit: int = 100) -> list[dict[str, Any]]:
        """Rows, bytes, seconds, skew, GB-seconds and dollars of the latest batches that did anything, newest first."""
        return list(self._query(f"STATISTICS#{flow}", "", newest_first=True, limit=limit))

    def failed_expectations(self, flow: str, since: datetime) -> list[Event]:
        """The failed expectations of a flow since then, oldest first. It reads past all flows' events, so ask for a day at most."""
        found, day, last = [], since, datetime.now(UTC)
        while day.date() <= last.date():
            low = keys.event(since, "") if day == since else {**keys.event(day, ""), "sk": "0"}
            names = {"#kind": "kind", "#flow": "flow"}
            values = {":kind": EventKind.EXPECTATION_FAILED.value, ":flow": flow}
            pages = self._pages(low, "~", values, FilterExpression="#kind = :kind AND #flow = :flow", ExpressionAttributeNames=names)
            found += [items.event(items.from_item(item)) for page in pages for item in page["Items"]]
            day += timedelta(days=1)
        return [one for event in found for one in _by_expectation(event)]

    def _version(self, dataset: str, low: str, high: str, *, newest_first: bool = False) -> Version | None:
        """The oldest version between two sort keys, or the newest."""
        found = self._one({**keys.version(dataset, datetime.now(UTC)), "sk": low}, high, newest_first=newest_first)
        return items.version(found) if found else None

    def _one(self, low: keys.Key, high: str, *, newest_first: bool) -> dict[str, Any] | None:
        """The first item between two sort keys of one partition, or the last."""
        page = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :low AND :high",
            ExpressionAttributeValues=items.to_item({":pk": low["pk"], ":low": low["sk"], ":high": high}),
            ScanIndexForward=not newest_first,
            Limit=1,
            ConsistentRead=True,
        )
        return items.from_item(page["Items"][0]) if page["Items"] else None

    def _parts(self, key: keys.Key, prefix: str) -> str:
        parts = [bytes(item["body"]) for item in self._query(key["pk"], prefix)]
        return zlib.decompress(b"".join(parts)).decode() if parts else ""

    def _pages(self, low: keys.Key, high: str, values: Mapping[str, Any] | None = None, **more: Any) -> Iterator[Any]:
        """Pages of a query for the sort keys from `low` to `high` of one partition."""
        return iter(
            self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :low AND :high",
                ExpressionAttributeValues=items.to_item({":pk": low["pk"], ":low": low["sk"], ":high": high, **(values or {})}),
                **more,
            )
        )

    def _get(self, key: keys.Key) -> dict[str, Any] | None:
        item = self._client.get_item(TableName=self._table, Key=items.to_item(key), ConsistentRead=True).get("Item")
        return items.from_item(item) if item else None

    def _query(self, pk: str, sk_prefix: str, *, newest_first: bool = False, limit: int | None = None) -> Iterator[dict[str, Any]]:
        condition, values = "pk = :pk", {":pk": pk}
        if sk_prefix:
            condition, values = condition + " AND begins_with(sk, :sk)", {**values, ":sk": sk_prefix}
        arguments: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": items.to_item(values),
            "ScanIndexForward": not newest_first,
            "ConsistentRead": True,
        }
        if limit:
            arguments["Limit"] = limit
        yielded = 0
        while True:
            page = self._client.query(**arguments)
            for item in page["Items"]:
                yield items.from_item(item)
                yielded += 1
                if limit and yielded >= limit:
                    return
            if "LastEvaluatedKey" not in page:
                return
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _apart(found: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Separates the heads of batches from their tables."""
    heads, tables = list[dict[str, Any]](), list[dict[str, Any]]()
    for values in found:
        (heads if values["sk"].startswith(keys.BATCH_PREFIX) else tables).append(values)
    return heads, tables


def _bodies(found: Iterable[dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
    return ((values["name"], bytes(values["body"])) for values in found)


def _after(dataset: str, moment: datetime) -> keys.Key:
    """The least key of a version that is later than the one at `moment`."""
    at = keys.version(dataset, moment)
    return {**at, "sk": at["sk"] + " "}


def _by_expectation(event: Event) -> Iterator[Event]:
    """An event for each expectation that failed; an older record is of one, and has its figures beside the batch."""
    batch = {name: value for name, value in event.detail.items() if name != "failed"}
    for failed in event.detail.get("failed", [{}]):
        yield dataclasses.replace(event, detail={**batch, **failed})


def schema_json(schema: Any) -> str:
    """A schema as the text that is stored and compared."""
    return json.dumps(dataclasses.asdict(schema), sort_keys=True)
