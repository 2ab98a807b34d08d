"""Repairs differences: each by one conditional transaction, with an event that records it.

Nothing is deleted. What has changed since it was found is left alone: the next verification finds it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from shared_metadata.program.intervals import to_text
from shared_metadata.state.records import Batch, Claim, EventKind, TableState, Version
from shared_metadata.store import items, keys
from shared_metadata.store.actions import Actions
from shared_metadata.store.table_actions import Action
from shared_metadata.store.table_reader import Clock, utc_now
from shared_metadata.store.writes import transacted, written
from shared_metadata.verification.difference import Difference, Kind
from shared_metadata.verification.facts import Completed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Repair:
    """Repairs one metadata table. by: the user or function that asks, for the events."""

    def __init__(self, client: DynamoDBClient, table: str, by: str, clock: Clock = utc_now) -> None:
        self._client, self._table, self._by, self._clock, self._actions = client, table, by, clock, Actions(table)

    def mend(self, differences: Sequence[Difference]) -> list[tuple[Difference, bool]]:
        """Returns each repairable difference, and whether it was repaired: False where the record has changed meanwhile."""
        return [(one, self._mend(one)) for one in differences if one.repairable]

    def _mend(self, difference: Difference) -> bool:
        build: Mapping[Kind, Callable[[Difference], list[Action]]] = {
            Kind.STATE: self._state,
            Kind.WATERMARK: self._watermark,
            Kind.CURSOR: self._cursor,
            Kind.VERSION: self._version,
            Kind.POINTER: self._version,
            Kind.EVENT: self._event,
            Kind.BATCH: self._batch,
        }
        if difference.kind == Kind.BATCH:
            self._head(difference.due)
        return transacted(self._client, [*build[difference.kind](difference), self._said(difference)], place=difference.flow)

    def _head(self, batch: Batch) -> None:
        """Restores what the tables of a batch share, where it is gone."""
        written(self._client, self._actions.put(items.head_values(batch), "attribute_not_exists(pk)"))

    def _state(self, found: Difference) -> list[Action]:
        due: TableState = found.due
        return [self._actions.put(items.new_state(found.flow, found.dataset, due), "attribute_not_exists(pk)")]

    def _watermark(self, found: Difference) -> list[Action]:
        return [self._actions.move(found.flow, found.dataset, found.held, found.due)]

    def _cursor(self, found: Difference) -> list[Action]:
        held, due = found.held, found.due
        names = {"#t": "table", "#c": "cursor", "#w": "watermark"}
        values = {":due": due.cursor, ":held": held.cursor, ":watermark": to_text(held.watermark)}
        condition = "#t.#c = :held AND #t.#w = :watermark"
        return [self._actions.update(keys.state(found.flow, found.dataset), "SET #t.#c = :due", condition, names, values)]

    def _version(self, found: Difference) -> list[Action]:
        held: Version | None = found.held
        if held is None:
            return [self._actions.put(items.version_values(found.due), "attribute_not_exists(pk)")]
        return [self._actions.remade(found.due, "#token = :former", {":former": held.token})]

    def _event(self, found: Difference) -> list[Action]:
        due: Completed = found.due
        claim = Claim(due.flow, due.interval, due.token, tuple(due.datasets), "")
        detail = {"datasets": dict(due.datasets), "end": to_text(due.interval.end)}
        return [self._actions.event(EventKind.BATCH_COMPLETED, self._clock(), claim, found.dataset, detail)]

    def _batch(self, found: Difference) -> list[Action]:
        due: Batch = found.due
        return [
            self._actions.put(items.batch_table_values(due, name, due.moved), "attribute_not_exists(pk)") for name in due.datasets
        ]

    def _said(self, found: Difference) -> Action:
        now = self._clock()
        what = f"repair#{found.flow}#{found.dataset}#{found.place}"
        detail = {**found.to_dict(), "by": self._by}
        values = {"kind": EventKind.STATE_REPAIRED.value, "at": to_text(now), "flow": found.flow, "detail": detail}
        return self._actions.put({**keys.event(now, what), **values})
