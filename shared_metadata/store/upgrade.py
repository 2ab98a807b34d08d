"""Moves the metadata table to the present format, from any former one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.store import formats, items, keys
from shared_metadata.store.actions import Actions
from shared_metadata.store.writes import written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Said = Callable[[int], None]
# Moves a whole table from one format to the next. An interrupted migration begins anew: it leaves the items that are moved.
# Batches begun by the former code may run meanwhile: the migration leaves alone what they may write.
Migration = Callable[["DynamoDBClient", str, Said], None]
MIGRATIONS: Mapping[int, Migration] = {}


@dataclass(frozen=True)
class Upgraded:
    """The former and the present format; equal where there was nothing to do."""

    former: int
    present: int


def upgrade(client: DynamoDBClient, table: str, said: Said = lambda _: None) -> Upgraded:
    """Moves the table to the present format, one format after the other; goes on where it was stopped.

    said: called with the number of items moved so far.
    Raises DefinitionError for a table of a later format, or in which no program was ever applied, and RetryLater if one is meanwhile.
    """
    item = client.get_item(TableName=table, Key=items.to_item(keys.timeline()), ConsistentRead=True).get("Item")
    if item is None:
        raise DefinitionError("no program is active, so nothing is recorded", remedy="run `atoll apply`")
    timeline = items.from_item(item)
    former = formats.format_of(timeline)
    if former > formats.PRESENT:
        formats.check(former)
    for number in range(former, formats.PRESENT):
        MIGRATIONS[number](client, table, said)
        timeline = _told(client, table, timeline, number + 1)
    return Upgraded(former, formats.PRESENT)


def _told(client: DynamoDBClient, table: str, timeline: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The timeline with the new format, under a revision of its own, if it has not changed since it was read."""
    told = {**timeline, formats.NAME: number, "revision": timeline["revision"] + 1}
    held = items.to_item({":held": timeline["revision"]})
    if not written(client, Actions(table).put(told, "revision = :held", ExpressionAttributeValues=held)):
        raise RetryLater("a program was applied meanwhile", remedy="call it again: it goes on where it stopped")
    return told
