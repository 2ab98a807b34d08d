"""Executions that `atoll deploy` reserves for the conductor, where the account has enough, so that nothing keeps it from its clock.

Lambda takes what is reserved from what everything else may use, of which it keeps a hundred executions: a new account, with 10 in
all, has nothing to reserve.
"""

from __future__ import annotations

from typing import Any

from infra.concurrency import CONDUCTOR, CONDUCTOR_RESERVE
from shared_metadata import naming

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
KEPT_UNRESERVED = 100
OPTION, RESERVED = "concurrencyOf", f"{CONDUCTOR}={CONDUCTOR_RESERVE}"


def reserved(client: Any, given: str) -> tuple[str, str]:
    """The value of `concurrencyOf` with the conductor's executions, and what to tell of it; ('', …) where none can be reserved.

    given: the option's value so far. What the conductor has from an earlier deployment it keeps.
    """
    from botocore.exceptions import ClientError

    try:
        left = client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] + _has(client)
    except ClientError as error:  # a caller who may not ask may still deploy by the roles of the CDK
        code = error.response["Error"]["Code"]
        return "", f"what the account may reserve cannot be asked for ({error.operation_name}: {code}): see -c {OPTION}={RESERVED}"
    if left < KEPT_UNRESERVED + CONDUCTOR_RESERVE:
        return "", (
            f"the conductor has no executions of its own: the account has {left} that are not reserved, of which Lambda keeps "
            f"{KEPT_UNRESERVED}; raise Service Quotas ▸ Lambda ▸ Concurrent executions, then deploy again"
        )
    return ",".join(filter(None, (given, RESERVED))), ""


def _has(client: Any) -> int:
    """What is reserved for the conductor now."""
    try:
        found = client.get_function_concurrency(FunctionName=naming.CONDUCTOR_FUNCTION)
    except client.exceptions.ResourceNotFoundException:
        return 0
    return int(found.get("ReservedConcurrentExecutions", 0))
