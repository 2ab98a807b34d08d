"""Calls a slice's function outside of any batch, and makes its errors the command's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from console.again import again
from console.deploy_hint import deploy_command
from console.target import Target
from shared_metadata import errors, naming
from shared_metadata.contract.declaration import Slice
from shared_metadata.errors import AtollError, DefinitionError, split

ANSWER_SECONDS = 930  # a function runs 900 seconds at most


def call(target: Target, slice_: Slice, step: str, event: Mapping[str, Any], program: str) -> dict[str, Any]:
    """The answer of `step`. program: the files' names, for the command that deploys.

    Raises DefinitionError when the slice is not deployed, and its function's errors.
    """
    from botocore.config import Config

    # not sent again: a call without an answer may still be at work
    client = target.session.client("lambda", config=Config(read_timeout=ANSWER_SECONDS, retries={"total_max_attempts": 1}))
    name = naming.function(slice_.id, step)
    try:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
    except client.exceptions.ResourceNotFoundException:
        raise DefinitionError(
            f"there is no function {name} in this account and region: {slice_.id} is not deployed, or not this version of it",
            remedy=f"{again(deploy_command(slice_.stack_name, program))}, or choose another account with `--profile`",
        ) from None
    body = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise _error(slice_, step, body)
    return body  # type: ignore[no-any-return]


def _error(slice_: Slice, step: str, body: Mapping[str, Any]) -> AtollError:
    """The function's error, under its own name where that is one of Atoll's."""
    name, message = str(body.get("errorType", "")), str(body.get("errorMessage", "it gives no cause"))
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, AtollError):
        what, remedy = split(message)
        return kind(what, remedy=remedy)
    return AtollError(
        f"{step} of {slice_.id} failed: {name}: {message}", remedy=f"{again(f'atoll logs {slice_.id}')}; and then {step} again"
    )
