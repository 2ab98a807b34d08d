"""The format of what is recorded, by number, and how a table of a former format becomes one of the present.

The timeline of programs holds the number: whatever begins any work reads the timeline first, so nothing is begun on another format
than its own code knows. A timeline without a number is of format 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.store import items, keys

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FIRST, PRESENT = 1, 1
NAME = "format"

Said = Callable[[int], None]
# What moves a whole table from one format to the next. One that was stopped is begun anew: what it finds moved it leaves.
# Batches that the code of before has begun may run meanwhile: it leaves alone what they may write.
Migration = Callable[["DynamoDBClient", str, Said], None]
MIGRATIONS: Mapping[int, Migration] = {}


def format_of(timeline: Mapping[str, Any]) -> int:
    """The format that the values of a timeline's item tell."""
    return int(timeline.get(NAME, FIRST))


def check(found: int) -> None:
    """Raises DefinitionError where a table is of another format than this code works with."""
    if found < PRESENT:
        raise DefinitionError(
            f"what is recorded has format {found}, and this version of Atoll works with {PRESENT}",
            remedy="`atoll state upgrade` moves it; nothing is begun before",
        )
    if found > PRESENT:
        raise DefinitionError(
            f"what is recorded has format {found}, of a later version of Atoll; this one works with {PRESENT}",
            remedy="install and deploy the version that was here before, or a later one",
        )


@dataclass(frozen=True)
class Upgraded:
    """From which format to which; both are the same where there was nothing to do."""

    former: int
    present: int


def upgrade(client: DynamoDBClient, table: str, said: Said = lambda _: None) -> Upgraded:
    """Moves the table to the present format, one after the other; goes on where it was stopped.

    said: is told how many items were moved so far.
    Raises DefinitionError for a table of a later format, or in which no program was ever applied, and RetryLater if one is meanwhile.
    """
    item = client.get_item(TableName=table, Key=items.to_item(keys.timeline()), ConsistentRead=True).get("Item")
    if item is None:
        raise DefinitionError("no program is active, so nothing is recorded", remedy="run `atoll apply`")
    timeline = items.from_item(item)
    former = format_of(timeline)
    if former > PRESENT:
        check(former)
    for number in range(former, PRESENT):
        MIGRATIONS[number](client, table, said)
        timeline = _told(client, table, timeline, number + 1)
    return Upgraded(former, PRESENT)


def _told(client: DynamoDBClient, table: str, timeline: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The timeline with the new format, under a revision of its own, if nobody has changed it since it was read."""
    told = {**timeline, NAME: number, "revision": timeline["revision"] + 1}
    condition, held = "revision = :held", items.to_item({":held": timeline["revision"]})
    try:
        client.put_item(TableName=table, Item=items.to_item(told), ConditionExpression=condition, ExpressionAttributeValues=held)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        raise RetryLater("a program was applied meanwhile", remedy="call it again: it goes on where it stopped") from error
    return told
