"""Makes the AWS clients of functions: one way of retrying for all services."""

from __future__ import annotations

from itertools import islice
from typing import Any, Literal

from shared_metadata.aws.later import TRIES, pauses

MAX_ATTEMPTS = 6
CONNECTIONS = 10
CONFLICT = "TransactionConflictException"
Mode = Literal["standard", "adaptive"]


def aws_client(
    session: Any,
    service: str,
    *,
    max_attempts: int = MAX_ATTEMPTS,
    connections: int = CONNECTIONS,
    mode: Mode = "standard",
    region: str = "",
    timeout_seconds: float = 0,
) -> Any:
    """A boto3 client that tries again what was throttled, lost or refused for another's transaction; session: a boto3.Session.

    connections: how many it keeps, for as many concurrent calls.  mode: 'adaptive' also slows down when it is throttled.
    region: '' for the session's own.  timeout_seconds: of connecting and of each answer; 0 for botocore's own.
    botocore itself does not retry a call that conflicted with a transaction, though nothing was written:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling
    """
    from botocore.config import Config

    config = Config(retries={"mode": mode, "max_attempts": max_attempts}, max_pool_connections=connections)
    if timeout_seconds:
        config = config.merge(Config(connect_timeout=timeout_seconds, read_timeout=timeout_seconds))
    client = session.client(service, config=config, **({"region_name": region} if region else {}))
    if service == "dynamodb":
        client.meta.events.register("needs-retry.dynamodb", _after_conflict)
    return client


def _after_conflict(response: Any, attempts: int, **_: Any) -> float | None:
    """Seconds to wait before the same call again; None for any other answer, and after too many retries."""
    answer = response[1] if response is not None else {}
    if answer.get("Error", {}).get("Code") != CONFLICT:
        return None
    return next(islice(pauses(TRIES), attempts - 1, None), None)
