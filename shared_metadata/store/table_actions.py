"""Builds updates, puts and deletions of one table for DynamoDB, and those of data events; sends none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared_metadata.program.intervals import Interval, to_text
from shared_metadata.state.freshness import LateDataset
from shared_metadata.state.records import Claim, DeadLetter, EventKind, TableState
from shared_metadata.store import items, keys
from shared_metadata.store.expressions import setting

Action = dict[str, Any]
EVENT_DAYS = 90  # the kinds of event of batches; the batch's own record, which stays, has the details
ERROR_CHARACTERS = 500


class TableActions:
    """Actions on one table, in the form of TransactWriteItems."""

    def __init__(self, table: str) -> None:
        self._table = table

    def delete(self, key: keys.Key, condition: str, names: Mapping[str, str], values: Mapping[str, Any]) -> Action:
        return {
            "Delete": {
                "TableName": self._table,
                "Key": items.to_item(key),
                "ConditionExpression": condition,
                "ExpressionAttributeNames": dict(names),
                "ExpressionAttributeValues": items.to_item(values),
            }
        }

    def update(self, key: keys.Key, expression: str, condition: str, names: Mapping[str, str], values: Mapping[str, Any]) -> Action:
        """DynamoDB refuses empty names and values, which are therefore left out."""
        return {
            "Update": {
                "TableName": self._table,
                "Key": items.to_item(key),
                "UpdateExpression": expression,
                **({"ConditionExpression": condition} if condition else {}),
                **({"ExpressionAttributeNames": dict(names)} if names else {}),
                **({"ExpressionAttributeValues": items.to_item(values)} if values else {}),
            }
        }

    def put(self, values: Mapping[str, Any], condition: str = "", **more: Any) -> Action:
        conditional = {"ConditionExpression": condition} if condition else {}
        return {"Put": {"TableName": self._table, "Item": items.to_item(values), **conditional, **more}}


class EventActions(TableActions):
    """Puts of data events, each under a key that makes it once."""

    def event(self, kind: EventKind, now: datetime, claim: Claim, what: str, detail: Mapping[str, Any]) -> Action:
        start = to_text(claim.interval.start)
        values = {
            **keys.event(now, f"{claim.flow}#{start}#{claim.token}#{kind.value}#{what}"),
            "kind": kind.value,
            "at": to_text(now),
            "flow": claim.flow,
            "detail": {**detail, "start": start, "token": claim.token},
            "expires": int(now.timestamp()) + EVENT_DAYS * 86400,
        }
        return self.put(values)

    def lost(self, flow: str, interval: Interval, dataset: str, error: str, attempts: int, now: datetime) -> Action:
        """The event of an execution that ended without recording an outcome; `attempt` is its number."""
        start, kind = to_text(interval.start), EventKind.BATCH_LOST.value
        values = {
            **keys.event(now, f"{flow}#{start}#{kind}#{dataset}#{attempts}"),
            "kind": kind,
            "at": to_text(now),
            "flow": flow,
            "detail": {"dataset": dataset, "start": start, "attempts": attempts, "error": error[:ERROR_CHARACTERS]},
            "expires": int(now.timestamp()) + EVENT_DAYS * 86400,
        }
        return self.put(values)

    def dead(self, flow: str, interval: Interval, dataset: str, error: str, attempts: int, letter: DeadLetter) -> Action:
        """The event of a batch that is not tried again automatically."""
        start, kind = to_text(interval.start), EventKind.BATCH_DEAD.value
        detail = {"dataset": dataset, "start": start, "end": to_text(interval.end), "attempts": attempts}
        values = {
            **keys.event(letter.at, f"{flow}#{start}#{kind}#{dataset}#{attempts}"),
            "kind": kind,
            "at": to_text(letter.at),
            "flow": flow,
            "detail": {**detail, "error": error[:ERROR_CHARACTERS], "execution": letter.execution},
        }
        return self.put(values)

    def redriven(self, flow: str, tables: Mapping[str, TableState], now: datetime) -> Action:
        """The event of dead batches that an operator redrives."""
        kind = EventKind.BATCH_REDRIVEN.value
        first = next(iter(tables))
        values = {
            **keys.event(now, f"{flow}#{kind}#{first}#{tables[first].attempts}"),
            "kind": kind,
            "at": to_text(now),
            "flow": flow,
            "detail": {"datasets": {dataset: to_text(state.watermark) for dataset, state in tables.items()}},
        }
        return self.put(values)

    def late(self, late: LateDataset) -> Action:
        """The event of a broken freshness promise, under a key of its own, unless it exists."""
        sets, names, values = setting(
            {
                "kind": EventKind.DATASET_LATE.value,
                "at": to_text(late.since),
                "flow": late.flow,
                "detail": {"dataset": late.dataset, "complete_through": to_text(late.watermark)},
            }
        )
        key = keys.event(late.since, f"{late.flow}#{EventKind.DATASET_LATE.value}#{late.dataset}")
        return self.update(key, sets, "attribute_not_exists(pk)", names, values)
