"""Puts the double into the embedded AWS, in the place of what its emulator has for Athena.

Workgroups, also of CloudFormation, and whatever else the double does not answer, stay the emulator's.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from ministack import app  # type: ignore[import-untyped]
from ministack.core import iam_actions  # type: ignore[import-untyped]
from ministack.core.iam_evaluator import ResolvedCredential, resolve_credential  # type: ignore[import-untyped]
from ministack.core.responses import error_response_json, json_response  # type: ignore[import-untyped]
from ministack.core.router import extract_access_key_id, extract_region  # type: ignore[import-untyped]


def install() -> None:
    """To be called once, before the first call is answered; nothing is loaded until Athena is called."""
    _answer_ourselves()
    _name_workgroups()


def _answer_ourselves() -> None:
    from doubles.athena.errors import Refused

    made = list[Any]()

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        emulated, name = app._get_module("athena"), headers.get("x-amz-target", "").rpartition(".")[2]
        if not made:
            made.append(await asyncio.to_thread(_double, emulated))
        emulated._ensure_default_workgroup()
        if made[0].action(name) is None:
            return await emulated.handle_request(method, path, headers, body, query)
        try:
            given = json.loads(body or b"{}")
            return json_response(await asyncio.to_thread(made[0].answer, name, given, _caller(headers, query)))
        except Refused as refused:
            return error_response_json(refused.code, refused.message, refused.status, extra=refused.more or None)

    app.SERVICE_HANDLERS["athena"] = handle_request


def _double(emulated: Any) -> Any:
    """The double, whose libraries are read when they are needed first."""
    from doubles.athena.service import Athena

    for name in ("botocore", "pyiceberg"):  # which tell of each client and table
        logging.getLogger(name).setLevel(logging.WARNING)
    return Athena(emulated._executions, emulated._workgroups)


def _caller(headers: Any, query: Any) -> Any:
    """Whoever calls, whose signature has been checked: the query runs by the same key."""
    from doubles.athena.errors import Refused
    from doubles.athena.files import Caller

    found = resolve_credential(extract_access_key_id(headers, query))
    if not isinstance(found, ResolvedCredential):
        raise Refused("UnrecognizedClientException", "The security token included in the request is invalid.")
    return Caller(found.access_key_id, found.secret_access_key, found.session_token, extract_region(headers))


def _name_workgroups() -> None:
    """Checks a call that names a query against the query's workgroup, where the emulator checks it against everything.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonathena.html
    """
    resource_of = iam_actions.extract_resource_arn

    def corrected(service: str, method: str, path: str, headers: Any, body: bytes, *more: Any, **named: Any) -> str:
        found: str = resource_of(service, method, path, headers, body, *more, **named)
        if service != "athena" or found != "*":
            return found
        emulated, given = app._get_module("athena"), json.loads(body or b"{}")
        if "QueryExecutionId" in given or "QueryString" in given:
            execution = emulated._executions.get(str(given.get("QueryExecutionId")))
            return str(emulated._arn_workgroup(execution["WorkGroup"] if execution else "primary"))
        return str(emulated._arn_workgroup(given["Name"])) if "Name" in given else found

    iam_actions.extract_resource_arn = corrected
