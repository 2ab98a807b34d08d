"""Reads the metadata layer; needs no more than read access to its table."""

from __future__ import annotations

import dataclasses
import json
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared_metadata import items, keys
from shared_metadata.errors import DefinitionError, WaitForAws
from shared_metadata.later import pauses
from shared_metadata.lineage import Lineage
from shared_metadata.program import Program
from shared_metadata.records import Batch, Event, EventKind, FlowState, SchemaVersion, Version
from shared_metadata.timeline import Programs, Timeline

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Clock = Callable[[], datetime]
EventKey = tuple[str, str]
BATCH_GET_LIMIT = 100  # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html


def utc_now() -> datetime:
    return datetime.now(UTC)


class MetadataReader:
    """All that slices, the conductor and commands ask of the metadata layer. Reads are consistent where a decision hangs on them."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock = utc_now) -> None:
        self._client, self._table, self._clock = client, table, clock
        self._programs: dict[str, Program] = {}
        self._last: tuple[Timeline, Programs] | None = None
        self._lineages: dict[str, Lineage | None] = {}

    def timeline(self) -> Timeline:
        """The program versions by boundary; empty when no program was ever applied."""
        values = self._get(keys.timeline())
        return items.timeline(values) if values else Timeline()

    def programs(self) -> Programs:
        """The timeline with its programs. Raises DefinitionError when no program was ever applied."""
        timeline = self.timeline()
        if not timeline.entries:
            raise DefinitionError("no program is active", remedy="run `atoll apply`")
        if self._last is None or self._last[0] != timeline:
            self._last = timeline, Programs([(entry, self.program(entry.version)) for entry in timeline.entries])
        return self._last[1]

    def active_version(self) -> str:
        """The version of the program whose time is now; '' when none is."""
        active = self.timeline().active(self._clock())
        return active.version if active else ""

    def active_program(self) -> Program:
        """The program whose time is now. Raises DefinitionError when no program was ever applied."""
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
        """What the compiler knew of the columns of a stored program version; None of one that was compiled without schemas."""
        if version not in self._lineages:
            text = self._parts(keys.lineage_part(version, 0), "LINEAGE#")
            self._lineages[version] = Lineage.from_json(text) if text else None
        return self._lineages[version]

    def installed_slices(self) -> dict[str, Mapping[str, Any]]:
        """Slice id ▸ what `atoll apply` found deployed."""
        return {item["sk"]: item for item in self._query("SLICES", "")}

    def flow_states(self, flows: list[str]) -> dict[str, FlowState]:
        """The state of each flow that has one."""
        found = [items.flow_state(values) for values in self._each([keys.flow_state(flow) for flow in flows])]
        return {state.flow: state for state in found}

    def batches_at(self, starts: Collection[tuple[str, datetime]]) -> dict[tuple[str, datetime], Batch]:
        """The batch of each flow that starts then, if it was ever claimed."""
        found = [items.batch(values) for values in self._each([keys.batch(flow, start) for flow, start in starts])]
        return {(batch.flow, batch.interval.start): batch for batch in found}

    def _each(self, wanted: list[keys.Key]) -> Iterator[dict[str, Any]]:
        """Those items that are there."""
        for at in range(0, len(wanted), BATCH_GET_LIMIT):
            for item in self._items([items.to_item(key) for key in wanted[at : at + BATCH_GET_LIMIT]]):
                yield items.from_item(item)

    def _items(self, wanted: list[dict[str, Any]]) -> Iterator[Any]:
        """Those of a hundred keys that are there. What DynamoDB leaves over, it throttles, and no client waits for that by itself."""
        for pause in pauses():
            answer = self._client.batch_get_item(RequestItems={self._table: {"Keys": wanted, "ConsistentRead": True}})
            yield from answer["Responses"].get(self._table, [])
            left = answer.get("UnprocessedKeys", {})
            if self._table not in left:
                return
            wanted = [dict(key) for key in left[self._table]["Keys"]]
            time.sleep(pause)
        raise WaitForAws("DynamoDB throttles the metadata table")

    def batch(self, flow: str, start: datetime) -> Batch | None:
        values = self._get(keys.batch(flow, start))
        return items.batch(values) if values else None

    def batches(self, flow: str, limit: int = 20) -> list[Batch]:
        """The latest batches of a flow, newest first."""
        found = self._query(keys.flow_state(flow)["pk"], "BATCH#", newest_first=True, limit=limit)
        return [items.batch(values) for values in found]

    def version_at(self, dataset: str, moment: datetime) -> Version | None:
        """The version of `dataset` that belongs to `moment`: the last made by a batch that ends at or before it."""
        upto = keys.version(dataset, moment)
        page = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :low AND :high",
            ExpressionAttributeValues=items.to_item({":pk": upto["pk"], ":low": "VERSION#", ":high": upto["sk"]}),
            ScanIndexForward=False,
            Limit=1,
            ConsistentRead=True,
        )
        return items.version(items.from_item(page["Items"][0])) if page["Items"] else None

    def version_of(self, dataset: str, end: datetime) -> Version | None:
        """The version that the batch ending at `end` made; None when that batch changed nothing."""
        values = self._get(keys.version(dataset, end))
        return items.version(values) if values else None

    def latest_version(self, dataset: str) -> Version | None:
        found = list(self._query(keys.version(dataset, datetime.now(UTC))["pk"], "VERSION#", newest_first=True, limit=1))
        return items.version(found[0]) if found else None

    def versions_after(self, dataset: str, moment: datetime) -> list[Version]:
        """Those made by batches that end after `moment`, oldest first."""
        pages = self._pages(_after(dataset, moment), "VERSION#~", ConsistentRead=True)
        return [items.version(items.from_item(item)) for page in pages for item in page["Items"]]

    def count_versions_after(self, dataset: str, moment: datetime) -> int:
        return sum(page["Count"] for page in self._pages(_after(dataset, moment), "VERSION#~", Select="COUNT"))

    def first_version(self, dataset: str) -> Version | None:
        """The oldest version."""
        found = list(self._query(keys.version(dataset, datetime.now(UTC))["pk"], "VERSION#", limit=1))
        return items.version(found[0]) if found else None

    def latest_schema(self, dataset: str) -> SchemaVersion | None:
        found = list(self._query(keys.schema(dataset, 0)["pk"], "SCHEMA#", newest_first=True, limit=1))
        return items.schema_version(found[0]) if found else None

    def changes(self, since: datetime, until: datetime, known: Collection[EventKey] = ()) -> dict[EventKey, Event]:
        """Data events since then that are not `known`, by their keys, with those of the day of `until` that a clock ahead has put.

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
        """Data events in the order in which they were put."""
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

    def batch_count_since(self, flow: str, since: datetime) -> int:
        """How many batches that start at `since` or later were claimed."""
        low, high = keys.batch(flow, since), "BATCH#~"
        return sum(page["Count"] for page in self._pages(low, high, Select="COUNT"))

    def failed_expectations(self, flow: str, since: datetime) -> list[Event]:
        """Expectations of a flow that failed since then, oldest first. Reads past all flows' events, so ask for a day at most."""
        found, day, last = [], since, datetime.now(UTC)
        while day.date() <= last.date():
            low = keys.event(since, "") if day == since else {**keys.event(day, ""), "sk": "0"}
            names = {"#kind": "kind", "#flow": "flow"}
            values = {":kind": EventKind.EXPECTATION_FAILED.value, ":flow": flow}
            pages = self._pages(low, "~", values, FilterExpression="#kind = :kind AND #flow = :flow", ExpressionAttributeNames=names)
            found += [items.event(items.from_item(item)) for page in pages for item in page["Items"]]
            day += timedelta(days=1)
        return found

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


def _after(dataset: str, moment: datetime) -> keys.Key:
    """The least key of a version that is later than the one at `moment`."""
    at = keys.version(dataset, moment)
    return {**at, "sk": at["sk"] + " "}


def schema_json(schema: Any) -> str:
    """A schema as the text that is stored and compared."""
    return json.dumps(dataclasses.asdict(schema), sort_keys=True)
