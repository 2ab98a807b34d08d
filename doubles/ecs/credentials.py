"""The keys of a role, as a task or a state machine has them, and what they may do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class Denied(Exception):
    """A role that does not trust the service, or may not do what is asked of it."""


def keys_of(role: str, principal: str, whose: str) -> dict[str, str]:
    """The keys of a role for one task or execution. Raises Denied where it is not there, or does not trust the service."""
    from ministack.core import lambda_runtime  # type: ignore[import-untyped]
    from ministack.core.responses import get_account_id, get_region  # type: ignore[import-untyped]
    from ministack.services import iam  # type: ignore[import-untyped]

    known = iam._roles.get(role.rsplit("/", 1)[-1])
    if known is None or principal not in json.dumps(known.get("AssumeRolePolicyDocument")):
        raise Denied(f"unable to assume the role {role}: it is not there, or does not trust {principal}")
    name = whose.replace(":", "/").rsplit("/", 1)[-1]
    function = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{name}"  # the emulator makes keys for functions alone
    found: dict[str, str] = lambda_runtime.execution_credentials({"FunctionArn": function, "Role": role, "FunctionName": name})
    return found


def allowed(keys: Mapping[str, str], action: str, service: str, resource: str, context: Mapping[str, Any] | None = None) -> None:
    """Raises Denied where the role of these keys may not do it."""
    from ministack.core import iam_evaluator
    from ministack.core.responses import get_account_id, get_region

    arn = resource
    if not resource.startswith("arn:"):
        arn = f"arn:aws:{service}:{get_region()}:{get_account_id()}:log-group:{resource}"
    key = keys["AWS_ACCESS_KEY_ID"]
    if iam_evaluator.enforce(key, action, service, get_region(), resource_arn=arn, service_context=dict(context or {})):
        raise Denied(f"no policy of the role allows {action} on {arn}")
