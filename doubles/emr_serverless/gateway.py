"""Puts the double into the embedded AWS, whose emulator has no EMR Serverless: its calls, grants and resource of stacks."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import types
from pathlib import Path
from typing import Any

from ministack import app  # type: ignore[import-untyped]
from ministack.core import iam_actions, iam_evaluator, router  # type: ignore[import-untyped]
from ministack.core.responses import (  # type: ignore[import-untyped]
    AccountRegionScopedDict,
    get_account_id,
    get_region,
    json_response,
)
from ministack.services.cloudformation import provisioners  # type: ignore[import-untyped]

SERVICE, MODULE = "emr-serverless", "emr_serverless"
ARCHIVED = ("applications", "runs")
PRINCIPAL = "emr-serverless.amazonaws.com"
_state = {name: AccountRegionScopedDict() for name in ARCHIVED}
_made = list[Any]()


def install() -> None:
    """To be called once, before the first call is answered; nothing is loaded until EMR Serverless is called."""
    router.SERVICE_PATTERNS[SERVICE] = {"host_patterns": [r"^emr-serverless\."], "credential_scope": SERVICE}
    app.SERVICE_HANDLERS[SERVICE] = _handle
    iam_actions.SERVICE_TO_IAM_NAMESPACE[SERVICE] = SERVICE
    iam_actions._BOTOCORE_SERVICE_MAP[SERVICE] = [SERVICE]
    _name_resources()
    _keep()
    provisioners._RESOURCE_HANDLERS["AWS::EMRServerless::Application"] = {
        "create": lambda logical_id, properties, stack: _created(properties),
        "update": _updated,
        "delete": lambda id, properties: _state["applications"].pop(id, None),
    }


async def _handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
    from doubles.emr_serverless.errors import Refused
    from doubles.emr_serverless.service import route

    try:
        action, named = route(method, path)
        given = json.loads(body or b"{}")
        service = _service()
        answer = await asyncio.to_thread(service.answer, action, named, given, _caller(headers, query))
        return json_response(answer)
    except Refused as refused:
        status, more, text = json_response({"message": refused.message}, refused.status)
        return status, {**more, "x-amzn-errortype": refused.code}, text


def _service() -> Any:
    """The double, whose libraries are read when they are needed first."""
    if not _made:
        from doubles.emr_serverless.process import SparkProcess
        from doubles.emr_serverless.service import EmrServerless

        certificate, region = Path(os.environ["MINISTACK_SSL_CERT"]), get_region()
        endpoint, log = f"https://127.0.0.1:{os.environ['GATEWAY_PORT']}", Path.cwd() / "spark.log"
        runner = SparkProcess(endpoint, region, certificate, log)
        _made.append(EmrServerless(_state["applications"], _state["runs"], runner, region))
    return _made[0]


def _caller(headers: Any, query: Any) -> Any:
    """Whoever calls, whose signature has been checked."""
    from doubles.emr_serverless.errors import Refused
    from doubles.emr_serverless.service import Caller

    key = router.extract_access_key_id(headers, query)
    found = iam_evaluator.resolve_credential(key)

    class Signed(Caller):
        arn = str(getattr(found, "principal_arn", Caller.arn))

        def pass_role(self, role: str) -> dict[str, str]:
            denied = iam_evaluator.enforce(
                key, "iam:PassRole", "iam", get_region(), resource_arn=role, service_context={"iam:PassedToService": PRINCIPAL}
            )
            if denied:
                said = f"{self.arn} is not authorized to perform: iam:PassRole on resource: {role}"
                raise Refused("AccessDeniedException", f"User: {said}", 403)
            return _keys_of(role)

    return Signed()


def _keys_of(role: str) -> dict[str, str]:
    """The keys of a role for a job, as functions have theirs. Raises Refused where the role does not trust EMR Serverless."""
    from ministack.core import lambda_runtime
    from ministack.services import iam  # type: ignore[import-untyped]

    from doubles.emr_serverless.errors import invalid

    name = role.rsplit("/", 1)[-1]
    known = iam._roles.get(name)
    if known is None or PRINCIPAL not in json.dumps(known.get("AssumeRolePolicyDocument")):
        raise invalid(f"Failed to assume execution role {role}: it is not there, or does not trust {PRINCIPAL}")
    function = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:emr-serverless"
    keys: dict[str, str] = lambda_runtime.execution_credentials(
        {"FunctionArn": function, "Role": role, "FunctionName": "emr-serverless"}
    )
    return keys


def _name_resources() -> None:
    """Checks each call against the application or the job run that its path names.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonemrserverless.html
    """
    resource_of = iam_actions.extract_resource_arn

    def corrected(service: str, method: str, path: str, *more: Any, **named: Any) -> str:
        if service != SERVICE:
            found: str = resource_of(service, method, path, *more, **named)
            return found
        words = path.strip("/").split("/")
        if words[0] != "applications" or len(words) < 2:
            return "*"
        resource = "/".join(words[:4] if len(words) >= 4 and words[2] == "jobruns" else words[:2])
        return f"arn:aws:emr-serverless:{get_region()}:{get_account_id()}:/{resource}"

    iam_actions.extract_resource_arn = corrected
    if hasattr(app, "extract_resource_arn"):
        app.extract_resource_arn = corrected


def _keep() -> None:
    """Has applications and runs saved and restored with all else."""
    module = types.ModuleType(f"ministack.services.{MODULE}")

    def load(data: Any) -> None:
        for name in ARCHIVED:
            _state[name].update((data or {}).get(name, {}))

    module.get_state = lambda: dict(_state)  # type: ignore[attr-defined]
    module.load_persisted_state = module._restore_state = load  # type: ignore[attr-defined]
    module.reset = lambda: [one.clear() for one in _state.values()]  # type: ignore[attr-defined]
    sys.modules[module.__name__] = app._loaded_modules[MODULE] = module
    app._state_map[SERVICE] = MODULE


def _created(properties: Any) -> tuple[str, dict[str, Any]]:
    application = _service().create(_as_api(properties))
    return application["applicationId"], {"ApplicationId": application["applicationId"], "Arn": application["arn"]}


def _updated(id: str, former: Any, properties: Any, stack: str) -> tuple[str, dict[str, Any]]:
    application = _state["applications"][id]
    application.update(_as_api(properties))
    return id, {"ApplicationId": id, "Arn": application["arn"]}


def _as_api(properties: Any) -> Any:
    """A resource's properties as the API names them: the same, with a small letter first; switches and numbers may be texts."""
    if isinstance(properties, dict):
        return {name[:1].lower() + name[1:]: _as_api(value) for name, value in properties.items()}
    if isinstance(properties, list):
        return [_as_api(value) for value in properties]
    return {"true": True, "false": False}.get(properties, properties) if isinstance(properties, str) else properties
