"""Reads data events, and the statistics of batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from shared_metadata.program.intervals import to_text
from shared_metadata.state.records import Event, EventKind
from shared_metadata.store import items, keys
from shared_metadata.store.table_reader import TableReader

EventKey = tuple[str, str]
BatchTable = tuple[str, datetime, str]  # a flow, the start of a batch, a dataset


class EventReader(TableReader):
    """What has happened, by the moment at which it was recorded."""

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

    def completed(self, since: datetime, until: datetime, after: EventKey | None = None) -> Iterator[tuple[EventKey, Event]]:
        """The completions of batches that were recorded from `since` to before `until`, by their keys and in their order.

        after: only those behind this key. Within a second the order of keys is not that of moments.
        """
        whole_second = until.replace(microsecond=0) + timedelta(seconds=until.microsecond > 0)
        low, high = keys.first_event(since)["sk"], f"{to_text(whole_second)}~"
        for day in range((until.date() - since.date()).days + 1):
            pk = keys.event(since + timedelta(days=day), "")["pk"]
            if after and pk < after[0]:
                continue
            first = max(low, f"{after[1]} ") if after and pk == after[0] else low
            more = {"FilterExpression": "#kind = :kind", "ExpressionAttributeNames": {"#kind": "kind"}, "ConsistentRead": True}
            for page in self._pages({"pk": pk, "sk": first}, high, {":kind": EventKind.BATCH_COMPLETED.value}, **more):
                for item in page["Items"]:
                    event = items.event(items.from_item(item))
                    if since <= event.at < until:
                        yield (item["pk"]["S"], item["sk"]["S"]), event

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

    def statistics(self, flow: str, limit: int = 100) -> list[dict[str, Any]]:
        """Rows, bytes, seconds, skew, GB-seconds and dollars of the latest batches that did anything, newest first."""
        return list(self._query(f"STATISTICS#{flow}", "", newest_first=True, limit=limit))

    def statistics_of(self, tables: Collection[BatchTable]) -> dict[BatchTable, dict[str, Any]]:
        """The statistics of these tables of batches, where there are any; a hundred are one read."""
        wanted = {tuple(keys.statistics(*table).values()): table for table in tables}
        found = self._items(keys.statistics(*table) for table in tables)
        return {wanted[values["pk"], values["sk"]]: values for values in found}


def _by_expectation(event: Event) -> Iterator[Event]:
    """An event for each expectation that failed; an older record is of one, and has its figures beside the batch."""
    batch = {name: value for name, value in event.detail.items() if name != "failed"}
    for failed in event.detail.get("failed", [{}]):
        yield dataclasses.replace(event, detail={**batch, **failed})
