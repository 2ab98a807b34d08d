"""Puts the double into the embedded AWS, whose emulator has no Redshift: its calls, grants and resources of stacks.

Its databases are of the embedded PostgreSQL, beside those that play the customer's.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import types
import uuid
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

from ministack import app  # type: ignore[import-untyped]
from ministack.core import iam_actions, iam_evaluator, lambda_runtime, router  # type: ignore[import-untyped]
from ministack.core.responses import (  # type: ignore[import-untyped]
    AccountRegionScopedDict,
    error_response_json,
    get_account_id,
    get_region,
    json_response,
)
from ministack.services.cloudformation import provisioners  # type: ignore[import-untyped]

SERVICE, MODULE, TARGET = "redshift-data", "redshift_data", "RedshiftData"
PRINCIPAL = "redshift.amazonaws.com"
ARCHIVED = ("statements", "warehouses", "namespaces")
_state = {name: AccountRegionScopedDict() for name in ARCHIVED}
_made = list[Any]()
_asked: ContextVar[str] = ContextVar("asked", default="")  # the statement that a call names


def install() -> None:
    """To be called once, before the first call is answered; nothing is loaded until Redshift is called."""
    router.SERVICE_PATTERNS[SERVICE] = {"target_prefixes": [TARGET], "host_patterns": [], "credential_scope": SERVICE}
    app.SERVICE_HANDLERS[SERVICE] = _handle
    iam_actions.SERVICE_TO_IAM_NAMESPACE[SERVICE] = SERVICE
    iam_actions._BOTOCORE_SERVICE_MAP[SERVICE] = [SERVICE]
    _name_warehouses()
    _know_owners()
    _keep()
    handlers = provisioners._RESOURCE_HANDLERS
    handlers["AWS::RedshiftServerless::Namespace"] = {
        "create": lambda logical_id, properties, stack: _namespace(properties),
        "update": lambda id, former, properties, stack: _namespace(properties),
        "delete": lambda id, properties: _state["namespaces"].pop(id, None),
    }
    handlers["AWS::RedshiftServerless::Workgroup"] = {
        "create": lambda logical_id, properties, stack: _workgroup(properties),
        "update": lambda id, former, properties, stack: _workgroup(properties),
        "delete": lambda id, properties: _state["warehouses"].pop(id, None),
    }


async def _handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
    from doubles.redshift_data.errors import Refused

    name = headers.get("x-amz-target", "").rpartition(".")[2]
    try:
        given = json.loads(body or b"{}")
        return json_response(await asyncio.to_thread(_service().answer, name, given, _caller(headers, query)))
    except Refused as refused:
        return error_response_json(refused.code, refused.message, refused.status)


def _service() -> Any:
    """The double, whose libraries are read when they are needed first."""
    if not _made:
        from doubles.redshift_data.database import Databases
        from doubles.redshift_data.service import RedshiftData

        _made.append(RedshiftData(_state["statements"], _state["warehouses"], Databases(_connection)))
    return _made[0]


def _connection(database: str) -> Any:
    import psycopg

    from infra.embedded.postgres import dsn

    known = json.loads((Path(os.environ["STATE_DIR"]).parents[1] / "local.json").read_text())
    return psycopg.connect(dsn(known["postgres_port"], known["postgres_password"], database or "postgres"), autocommit=True)


def _caller(headers: Any, query: Any) -> Any:
    """Whoever calls, whose signature has been checked."""
    from doubles.redshift_data.errors import Refused
    from doubles.redshift_data.service import Caller

    key, region, account = router.extract_access_key_id(headers, query), get_region(), get_account_id()
    found = iam_evaluator.resolve_credential(key)

    arn_of_caller = str(getattr(found, "principal_arn", ""))

    class Signed(Caller):
        id = str(getattr(found, "principal_id", "") or Caller.id)

        def s3(self, warehouse: str, role: str) -> Any:
            return _client_of(warehouse, role, region)

        def sign_in(self, body: Any) -> None:
            """https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-iam.html"""
            if secret := str(body.get("SecretArn", "")):
                arn = secret if secret.startswith("arn:") else f"arn:aws:secretsmanager:{region}:{account}:secret:{secret}-AbCdEf"
                self._may("secretsmanager:GetSecretValue", "secretsmanager", arn)
            elif "ClusterIdentifier" in body:
                cluster = body["ClusterIdentifier"]
                for resource in (f"dbuser:{cluster}/{body.get('DbUser', '')}", f"dbname:{cluster}/{body.get('Database', '')}"):
                    self._may("redshift:GetClusterCredentials", "redshift", f"arn:aws:redshift:{region}:{account}:{resource}")
            else:
                arn = _state["warehouses"][body["WorkgroupName"]]["arn"]
                self._may("redshift-serverless:GetCredentials", "redshift-serverless", arn)

        def _may(self, action: str, service: str, arn: str) -> None:
            if iam_evaluator.enforce(key, action, service, region, resource_arn=arn):
                said = f"User: {arn_of_caller} is not authorized to perform: {action} on resource: {arn}"
                raise Refused("AccessDeniedException", said)

    return Signed()


def _client_of(warehouse: str, role: str, region: str) -> Any:
    """A client of S3 by a role that the warehouse has, and that trusts Redshift. Raises StatementFailed."""
    from ministack.services import iam  # type: ignore[import-untyped]

    from doubles.redshift_data.errors import StatementFailed

    found = iam._roles.get(role.rsplit("/", 1)[-1])
    trusts = found is not None and PRINCIPAL in json.dumps(found.get("AssumeRolePolicyDocument"))
    if role not in _state["warehouses"][warehouse]["roles"] or not trusts:
        raise StatementFailed(
            f"User arn:aws:redshift:{region}:{get_account_id()}:{warehouse} is not authorized to assume IAM Role {role}"
        )
    function = f"arn:aws:lambda:{region}:{get_account_id()}:function:redshift"
    keys = lambda_runtime.execution_credentials({"FunctionArn": function, "Role": role, "FunctionName": "redshift"})
    return _s3(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], keys.get("AWS_SESSION_TOKEN"), region)


@lru_cache(maxsize=16)
def _s3(key: str, secret: str, token: str | None, region: str) -> Any:
    import boto3

    return boto3.Session(key, secret, token, region_name=region).client("s3")


def _name_warehouses() -> None:
    """Checks a call that names a workgroup or a cluster against that, and one that names a statement against everything.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonredshiftdataapi.html
    """
    resource_of = iam_actions.extract_resource_arn

    def corrected(service: str, method: str, path: str, headers: Any, body: bytes, *more: Any, **named: Any) -> str:
        if service != SERVICE:
            found: str = resource_of(service, method, path, headers, body, *more, **named)
            return found
        given = json.loads(body or b"{}")
        _asked.set(str(given.get("Id", "")).partition(":")[0])
        if name := given.get("WorkgroupName"):
            known = _state["warehouses"].get(name)
            return str(known["arn"]) if known else f"arn:aws:redshift-serverless:{get_region()}:{get_account_id()}:workgroup/none"
        cluster = given.get("ClusterIdentifier")
        return f"arn:aws:redshift:{get_region()}:{get_account_id()}:cluster:{cluster}" if cluster else "*"

    iam_actions.extract_resource_arn = corrected
    if hasattr(app, "extract_resource_arn"):
        app.extract_resource_arn = corrected


def _know_owners() -> None:
    """Lets a policy distinguish statements by whoever submitted them; one that is not there is everybody's.

    https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-iam-access-control-identity-based.html
    """
    value_of = iam_evaluator._resolve_condition_key

    def value_with_owners(key: str, *context: Any) -> Any:
        if key.lower() != "redshift-data:statement-owner-iam-userid":
            return value_of(key, *context)
        found, mine = _state["statements"].get(_asked.get()), value_of("aws:userid", *context)
        # The emulator compares with the policy's text, in which it fills in no variable.
        return "${aws:userid}" if found is None or found["_owner"] == mine else "another"

    iam_evaluator._resolve_condition_key = value_with_owners


def _keep() -> None:
    """Has warehouses and statements saved and restored with all else."""
    module = types.ModuleType(f"ministack.services.{MODULE}")

    def load(data: Any) -> None:
        for name in ARCHIVED:
            _state[name].update((data or {}).get(name, {}))

    module.get_state = lambda: dict(_state)  # type: ignore[attr-defined]
    module.load_persisted_state = module._restore_state = load  # type: ignore[attr-defined]
    module.reset = lambda: [one.clear() for one in _state.values()]  # type: ignore[attr-defined]
    sys.modules[module.__name__] = app._loaded_modules[MODULE] = module
    app._state_map[SERVICE] = MODULE


def _namespace(properties: Any) -> tuple[str, dict[str, Any]]:
    name = properties["NamespaceName"]
    roles = [role["RoleArn"] if isinstance(role, dict) else role for role in properties.get("IamRoles", ())]
    _state["namespaces"][name] = {"databases": [properties.get("DbName", "dev")], "roles": roles}
    return name, {"Namespace.NamespaceName": name}


def _workgroup(properties: Any) -> tuple[str, dict[str, Any]]:
    name, former = properties["WorkgroupName"], _state["warehouses"].get(properties["WorkgroupName"], {})
    arn = former.get("arn") or f"arn:aws:redshift-serverless:{get_region()}:{get_account_id()}:workgroup/{uuid.uuid4()}"
    of = _state["namespaces"][properties["NamespaceName"]]
    _state["warehouses"][name] = {"kind": "workgroup", "state": "AVAILABLE", "arn": arn, **of}
    return name, {"Workgroup.WorkgroupArn": arn, "Workgroup.WorkgroupId": arn.rpartition("/")[2], "Workgroup.WorkgroupName": name}
