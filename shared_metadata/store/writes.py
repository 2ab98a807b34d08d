"""Sends writes to the metadata table: returns whether their conditions held, and raises an error for what DynamoDB never takes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared_metadata.aws.at_once import beside_one_another
from shared_metadata.aws.later import Refusal, is_contended, pauses, refusal, refused_record
from shared_metadata.errors import RetryLater, WaitForAws
from shared_metadata.store.table_actions import Action

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WRITTEN_AT_ONCE = 25  # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html


def written(client: DynamoDBClient, action: Action, *, place: str = "") -> bool:
    """Sends one put, update or deletion; False when its condition does not hold.

    Raises DefinitionError for what DynamoDB never takes.
    """
    try:
        if "Put" in action:
            client.put_item(**action["Put"])
        elif "Delete" in action:
            client.delete_item(**action["Delete"])
        else:
            client.update_item(**action["Update"])
        return True
    except ClientError as error:
        if refusal(error) == Refusal.CONDITION:
            return False
        raise refused_record(error, place) from None


def transacted(client: DynamoDBClient, actions: Sequence[Action], *, place: str = "") -> bool:
    """Sends writes as one, again while others write the same items; False when a condition does not hold.

    Raises WaitForAws when those do not cease, DefinitionError for what DynamoDB never takes.
    """
    if len(actions) == 1:
        return written(client, actions[0], place=place)
    for pause in pauses():
        try:
            client.transact_write_items(TransactItems=actions)  # type: ignore[arg-type]
            return True
        except ClientError as error:
            if refusal(error) == Refusal.CONDITION:
                return False
            if not is_contended(error):
                raise refused_record(error, place) from None
            time.sleep(pause)
    raise given_up(Refusal.LATER, place)


def given_up(last: Refusal, place: str) -> RetryLater:
    """Returns the error after the last try. Contention is for later; a condition that never holds is a mistake, and counted."""
    if last == Refusal.LATER:
        return WaitForAws("the metadata table stays contended", place=place)
    remedy = "it is tried again; if it stays so: atoll state verify"
    return RetryLater("what is recorded is, again and again, not what is to be changed", place=place, remedy=remedy)


def put_all(client: DynamoDBClient, table: str, items: Iterable[dict[str, Any]]) -> None:
    """Puts items that are the same for every writer, and may be put repeatedly."""
    requests = [{"PutRequest": {"Item": item}} for item in items]
    some = [requests[at : at + WRITTEN_AT_ONCE] for at in range(0, len(requests), WRITTEN_AT_ONCE)]
    beside_one_another(lambda few: write_several(client, table, few), some)


def write_several(client: DynamoDBClient, table: str, requests: list[dict[str, Any]]) -> None:
    """Writes a batch of items; unprocessed ones are sent again. It may have 16 MB: 25 items of at most 400 KB have less."""
    left: Any = {table: requests}
    for pause in pauses():
        left = client.batch_write_item(RequestItems=left).get("UnprocessedItems")
        if not left:
            return
        time.sleep(pause)
    raise WaitForAws("DynamoDB throttles what is written", remedy="call it again: it goes on where it stopped")
