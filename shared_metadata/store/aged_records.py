"""Reads and writes batches and versions for ageing; each write holds under its condition only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared_metadata.program.intervals import Interval, to_text
from shared_metadata.state.records import Version
from shared_metadata.store import items, keys
from shared_metadata.store.actions import Actions
from shared_metadata.store.aged import AgedBatches
from shared_metadata.store.expressions import setting
from shared_metadata.store.writes import written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Values = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """A page of items in the order of their keys. after: the last one's key, to go on from; None where no more are left."""

    found: tuple[Values, ...]
    after: Any = None


class AgedRecords:
    """The ageing of one metadata table. Writes return whether their condition held: where it did not, another writer was first."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table, self._actions = client, table, Actions(table)

    # -- batches

    def tables(self, flow: str, before: datetime, limit: int, after: Any = None, *, since: datetime | None = None) -> Page:
        """Lists the tables of batches that start before a moment, and not before `since`, oldest first."""
        low = f"{keys.TABLE_PREFIX}{to_text(since)}" if since else keys.TABLE_PREFIX
        return self._page(keys.flow(flow), low, f"{keys.TABLE_PREFIX}{to_text(before)}", limit, after)

    def heads(self, flow: str, before: datetime, limit: int, after: Any = None) -> Page:
        """Reads what the tables of these batches share."""
        return self._page(keys.flow(flow), keys.BATCH_PREFIX, f"{keys.BATCH_PREFIX}{to_text(before)}", limit, after)

    def summarize(self, flow: str, former: AgedBatches | None, now: AgedBatches) -> bool:
        """Writes the summary of a flow's aged batches, if it still is as in `former`."""
        expression, names, values = setting(now.values())
        condition = "attribute_not_exists(#through)"
        if former:
            condition = " AND ".join(f"#{name} = :former_{name}" for name in former.values())
            values |= {f":former_{name}": value for name, value in former.values().items()}
        return written(self._client, self._actions.update(keys.aged_batches(flow), expression, condition, names, values), place=flow)

    def delete_table(self, values: Values) -> bool:
        """Deletes a table of a batch, unless it was claimed, or its lease extended, since it was read."""
        names = {"#worker": "worker", "#token": "token", "#lease": "lease_until"}
        held = {":token": values["worker"]["token"], ":lease": values["worker"]["lease_until"]}
        return self._delete(values, "#worker.#token = :token AND #worker.#lease = :lease", names, held)

    def delete_head(self, values: Values) -> bool:
        """Deletes the head of a batch, unless another program has begun the batch since it was read."""
        held = {":end": values["end"], ":program": values["program_version"]}
        return self._delete(values, "#end = :end AND #program = :program", {"#end": "end", "#program": "program_version"}, held)

    # -- versions

    def versions(self, dataset: str, upto: datetime, limit: int) -> list[Version]:
        """Lists the first versions up to a moment, oldest first."""
        last = keys.version(dataset, upto)
        page = self._page(last["pk"], keys.VERSION_PREFIX, last["sk"], limit)
        return [items.version(values) for values in page.found]

    def follow(self, version: Version, following: Interval) -> bool:
        """Records in a version which one followed it, if it is as it was read."""
        names = {"#token": "token", "#followed": "followed_by"}
        values: Values = {":token": version.token, ":following": items.interval_values(following)}
        condition = "#token = :token AND attribute_not_exists(#followed)"
        if version.followed_by:
            condition, values[":former"] = "#token = :token AND #followed = :former", items.interval_values(version.followed_by)
        key = keys.version(version.dataset, version.interval.end)
        return written(self._client, self._actions.update(key, "SET #followed = :following", condition, names, values))

    def forget_before(self, dataset: str, moment: datetime) -> None:
        """Records that versions before a moment may be forgotten; does nothing where a later moment is recorded."""
        names, values = {"#before": "before"}, {":before": to_text(moment)}
        condition = "attribute_not_exists(#before) OR #before <= :before"
        written(self._client, self._actions.update(keys.aged_versions(dataset), "SET #before = :before", condition, names, values))

    def delete_version(self, version: Version) -> bool:
        """Deletes a version, unless it was made again since it was read."""
        key = keys.version(version.dataset, version.interval.end)
        return self._delete(key, "#token = :token", {"#token": "token"}, {":token": version.token})

    # -- the pieces

    def _delete(self, key: Mapping[str, Any], condition: str, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
        where = {name: key[name] for name in ("pk", "sk")}
        return written(self._client, self._actions.delete(where, condition, names, values), place=key["pk"])

    def _page(self, pk: str, low: str, high: str, limit: int, after: Any = None) -> Page:
        page = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :low AND :high",
            ExpressionAttributeValues=items.to_item({":pk": pk, ":low": low, ":high": high}),
            Limit=limit,
            ConsistentRead=True,
            **({"ExclusiveStartKey": after} if after else {}),
        )
        return Page(tuple(map(items.from_item, page["Items"])), page.get("LastEvaluatedKey"))
