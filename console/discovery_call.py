"""Calls the discover function of a slice, and makes its errors those of the command."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from console.target import Target
from shared_metadata import errors, naming
from shared_metadata.contract.declaration import Slice
from shared_metadata.errors import AtollError, DefinitionError
from shared_metadata.program import Connection, from_plain
from shared_metadata.records import Schema

STEP = "discover"
ANSWER_SECONDS = 330  # the function runs 300 at most


def list_names(target: Target, slice_: Slice, connection: Connection, program: str) -> list[str]:
    """What can be read at the connection. program: the files' names, for the command that deploys. Raises as `describe`."""
    return list(_call(target, slice_, {"connection": asdict(connection)}, program)["names"])


def describe(
    target: Target, slice_: Slice, connection: Connection, tables: Sequence[str], program: str
) -> tuple[dict[str, Schema | None], dict[str, str]]:
    """Each table's schema, None where it is not there; and missing table ▸ one of a similar name.

    Raises DefinitionError when the slice is not deployed, and what its function raises.
    """
    found: dict[str, Schema | None] = {}
    close: dict[str, str] = {}
    left = list(tables)
    while left:
        answer = _call(target, slice_, {"connection": asdict(connection), "tables": left}, program)
        found |= {name: from_plain(Schema, schema) if schema else None for name, schema in answer["tables"].items()}
        close |= answer["close"]
        left = answer["left"]
    return found, close


def _call(target: Target, slice_: Slice, event: Mapping[str, Any], program: str) -> dict[str, Any]:
    from botocore.config import Config

    client = target.session.client("lambda", config=Config(read_timeout=ANSWER_SECONDS))
    name = naming.function(slice_.id, STEP)
    try:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
    except client.exceptions.ResourceNotFoundException:
        raise DefinitionError(
            f"there is no function {name} in this account and region: {slice_.id} is not deployed, or not this version of it",
            remedy=f"npx cdk deploy {slice_.stack_name} -c program={program}, or choose another account with `--profile`",
        ) from None
    body = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise _error(slice_, body)
    return body  # type: ignore[no-any-return]


def _error(slice_: Slice, body: Mapping[str, Any]) -> AtollError:
    """What the function raised, under its own name where that is one of Atoll's."""
    name, message = str(body.get("errorType", "")), str(body.get("errorMessage", "it gives no cause"))
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, AtollError):
        what, _, remedy = message.partition(" Remedy: ")
        return kind(what, remedy=remedy)
    return AtollError(f"{slice_.id} could not look: {name}: {message}", remedy="atoll logs; and then discover again")
