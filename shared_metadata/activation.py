"""Stores and activates program versions, and decides at which batch a new dataset starts."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared_metadata import items, keys
from shared_metadata.actions import Actions
from shared_metadata.errors import RetryLater
from shared_metadata.intervals import floor, next_interval, to_text
from shared_metadata.lineage import Lineage
from shared_metadata.program import Flow, Program
from shared_metadata.reader import MetadataReader
from shared_metadata.records import EventKind, FlowState

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PART_BYTES = 300_000  # an item may have 400 KB


class Activation:
    """What `atoll apply` writes."""

    def __init__(self, client: DynamoDBClient, table: str, reader: MetadataReader) -> None:
        self._client, self._table, self._reader, self._actions = client, table, reader, Actions(table)

    def put_program(self, program: Program, lineage: Lineage | None) -> None:
        """Its lineage comes first: whoever finds a typed program finds that too."""
        if lineage is not None:
            self._put_parts(partial(keys.lineage_part, program.version), lineage.to_json())
        self._put_parts(partial(keys.program_part, program.version), program.to_json())

    def _put_parts(self, key: Callable[[int], keys.Key], text: str) -> None:
        body = zlib.compress(text.encode(), 9)
        for number, at in enumerate(range(0, len(body), PART_BYTES)):
            item = items.to_item({**key(number), "body": body[at : at + PART_BYTES]})
            self._client.put_item(TableName=self._table, Item=item)

    def activate(self, program: Program, former_version: str, now: datetime) -> None:
        self._open_states(program, now)
        values = {**keys.active_program(), "version": program.version, "at": to_text(now), "former": former_version}
        put = self._actions.put(values, "attribute_not_exists(version)")
        if former_version:
            expected = items.to_item({":former": former_version})
            put = self._actions.put(values, "version = :former", ExpressionAttributeValues=expected)
        event = {
            **keys.event(now, f"program#{program.version}"),
            "kind": EventKind.PROGRAM_ACTIVATED.value,
            "at": to_text(now),
            "flow": "",
            "detail": {"version": program.version, "former": former_version},
        }
        try:
            self._client.transact_write_items(TransactItems=[put, self._actions.put(event)])  # type: ignore[list-item]
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            raise RetryLater(
                "another program was activated meanwhile", remedy="look at it with `atoll status`, then apply again"
            ) from error

    def _open_states(self, program: Program, now: datetime) -> None:
        states = self._reader.flow_states(list(program.flows))
        starts = Starts(program, states, self._reader, now)
        for flow in program.flows.values():
            known = states[flow.id].tables if flow.id in states else {}
            fresh = {t.dataset: {"watermark": to_text(starts.of(flow))} for t in flow.tables if t.dataset not in known}
            if not known:
                self._send(
                    self._actions.put({**keys.flow_state(flow.id), "flow": flow.id, "tables": fresh}, "attribute_not_exists(pk)")
                )
            for dataset, state in fresh.items() if known else ():
                self._send(self._new_table(flow.id, dataset, state))

    def _new_table(self, flow: str, dataset: str, state: Mapping[str, Any]) -> dict[str, Any]:
        names, condition = {"#t": "tables", "#d": dataset}, "attribute_not_exists(#t.#d)"
        return self._actions.update(keys.flow_state(flow), "SET #t.#d = :state", condition, names, {":state": dict(state)})

    def _send(self, action: dict[str, Any]) -> None:
        """Nothing where another `atoll apply` has opened it just now."""
        try:
            if "Put" in action:
                self._client.put_item(**action["Put"])
            else:
                self._client.update_item(**action["Update"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise


class Starts:
    """Where each flow's new datasets start: at the batch that ended last, or the first later one at whose end all inputs exist."""

    def __init__(self, program: Program, states: Mapping[str, FlowState], reader: MetadataReader, now: datetime) -> None:
        self._states, self._reader, self._now = states, reader, now
        self._producers = program.producers()
        self._found: dict[str, datetime] = {}

    def of(self, flow: Flow) -> datetime:
        """The start of the first batch of a dataset that is new in this flow."""
        if flow.id not in self._found:
            length = timedelta(seconds=flow.interval_seconds)
            start = floor(self._now, flow.interval_seconds) - length
            self._found[flow.id] = start  # ends the recursion where a program reads itself
            needed = [self._first_end(name) for table in flow.tables for name in table.inputs if name in self._producers]
            while needed and start + length < max(needed):
                start += length
            self._found[flow.id] = start
        return self._found[flow.id]

    def _first_end(self, dataset: str) -> datetime:
        """The end of the first batch of a dataset: before it there is no version to read."""
        flow = self._producers[dataset]
        state = self._states[flow.id].tables.get(dataset) if flow.id in self._states else None
        if state is None:
            return self.of(flow) + timedelta(seconds=flow.interval_seconds)
        first = self._reader.first_version(dataset)
        return first.interval.end if first else next_interval(state.watermark, flow.interval_seconds).end
