"""boto3's clients over the DynamoDB in memory: all that botocore does with a call happens, but for its way to AWS and back."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import boto3
from botocore import xform_name
from botocore.exceptions import ClientError

from tests.metadata.memory import MemoryDynamoDB

NOT_ANSWERED = ("ReturnConsumedCapacity",)
ASKED = "asked of the table in memory"
Answer = tuple[Any, dict[str, Any]]  # what botocore takes for an answer of HTTP, and what it has read in it


def keep_dynamodb_in_memory(session: boto3.Session, memory: MemoryDynamoDB | None = None) -> MemoryDynamoDB:
    """From now on the session's new clients of DynamoDB ask the one that is given back; calls that it does not know are errors.

    memory: that of another session; None for a new one.
    """
    memory, one_call = memory or MemoryDynamoDB(), threading.Lock()

    def note(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context[ASKED] = {name: value for name, value in params.items() if name not in NOT_ANSWERED}

    def answer(model: Any, context: dict[str, Any], **_: Any) -> Answer:
        call = getattr(memory, xform_name(model.name))
        try:
            with one_call:
                return SimpleNamespace(status_code=200), call(**context[ASKED]) or {}
        except ClientError as refused:
            return SimpleNamespace(status_code=400), refused.response

    session.events.register("before-parameter-build.dynamodb", note)
    session.events.register("before-call.dynamodb", answer)
    return memory
