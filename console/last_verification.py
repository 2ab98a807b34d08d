"""The recorded result of the state machine atoll-verify."""

from __future__ import annotations

import json
from typing import Any

from console.again import again
from console.target import Target
from shared_metadata import naming
from shared_metadata.errors import InputError
from shared_metadata.store import items, keys


def last_verification(target: Target) -> dict[str, Any]:
    """The result as in `atoll state verify --json`, with its moment and 'more': the number of differences not kept. Raises
    InputError.
    """
    key = items.to_item(keys.last_verification())
    found = target.client("dynamodb").get_item(TableName=naming.METADATA_TABLE, Key=key, ConsistentRead=True).get("Item")
    if found is None:
        raise InputError(
            "nothing was verified inside the account yet",
            remedy=f"start the state machine {naming.VERIFY} with {{}}, or verify from here: {again('atoll state verify')}",
        )
    values = items.from_item(found)
    told: dict[str, Any] = json.loads(values["body"])
    return {**told, "at": values["at"], "more": int(values["differences"]) - len(told["differences"])}
