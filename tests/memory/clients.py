"""boto3's clients over services in memory: without HTTP, and without what botocore does for it."""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import boto3
from botocore import xform_name
from botocore.client import ClientMeta
from botocore.exceptions import ClientError, ParamValidationError
from botocore.hooks import HierarchicalEmitter
from botocore.response import StreamingBody
from botocore.validate import ParamValidator

ASKED = "asked of what is in memory"
# Parameters that change nothing of what is kept or told.
NOT_ANSWERED = frozenset(("ReturnConsumedCapacity", "ChecksumAlgorithm", "ChecksumMode", "EncodingType"))
_VALIDATOR = ParamValidator()


class QuickSession(boto3.Session):
    """A session whose clients ask services in memory; a second client of a kind is made out of the first in a tenth of the time.

    Parameters are judged as botocore does it, and events told that somebody asks to be told of; botocore's own work for HTTP is left
    out. A call that a service does not know is an error.
    """

    def __init__(self, in_memory: Mapping[str, Any], **given: Any) -> None:
        """in_memory: by the names of services, objects with methods of the names that calls have, and a `lock` for one at a time."""
        super().__init__(**{"aws_access_key_id": "testing", "aws_secret_access_key": "testing", **given})
        self._in_memory, self._first = in_memory, dict[str, Any]()

    def client(self, service_name: str, *args: Any, **given: Any) -> Any:
        config = given.get("config")
        key = repr((service_name, args, sorted(given.items() - {("config", config)}), config and config._user_provided_options))
        if key not in self._first:
            self._first[key] = super().client(service_name, *args, **given)
        if service_name not in self._in_memory:
            return _twin(self._first[key], copy.copy(self._first[key].meta.events))
        made = _twin(self._first[key], HierarchicalEmitter())
        made._make_api_call = partial(_call, made, self._in_memory[service_name])
        return made


def _twin(client: Any, events: Any) -> Any:
    made, meta = object.__new__(type(client)), object.__new__(ClientMeta)
    vars(meta).update(vars(client.meta), events=events)
    vars(made).update(vars(client), meta=meta)
    return made


def _call(client: Any, memory: Any, operation: str, given: dict[str, Any]) -> dict[str, Any]:
    """In place of the client's `_make_api_call`."""
    model, service, context = client.meta.service_model.operation_model(operation), client.meta.service_model, dict[str, Any]()
    asked = client._emit_api_params(api_params=given, operation_model=model, context=context)
    report = _VALIDATOR.validate(asked, model.input_shape) if model.input_shape else None
    if report and report.has_errors():
        raise ParamValidationError(report=report.generate_report())
    status, found = answer_of(memory, service.service_name, operation, asked)
    if "Body" in found:
        found["Body"] = StreamingBody(io.BytesIO(found["Body"]), len(found["Body"]))
    event, http = f"after-call.{service.service_id.hyphenize()}.{operation}", SimpleNamespace(status_code=status)
    client.meta.events.emit(event, http_response=http, parsed=found, model=model, context=context)
    if status >= 300:
        raise client.exceptions.from_code(found["Error"]["Code"])(found, operation)
    return found


def answer_of(memory: Any, service: str, operation: str, asked: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """The status of HTTP, and what botocore would read in the answer."""
    said = {name: value for name, value in asked.items() if name not in NOT_ANSWERED}
    if service == "s3" and "Body" in said:
        said["Body"] = _bytes(said["Body"])
    try:
        with memory.lock:
            found = getattr(memory, xform_name(operation))(**said) or {}
    except ClientError as error:
        return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400), copy.deepcopy(dict(error.response))
    return 200, {"ResponseMetadata": {"HTTPStatusCode": 200}, **found}


def awaiting(events: Any, memory: Any) -> None:
    """Has the calls to S3 of aiobotocore's clients answered, which s3fs uses."""

    def note(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context[ASKED] = dict(params)

    def answer(model: Any, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        status, found = answer_of(memory, "s3", model.name, context[ASKED])
        if "Body" in found:
            found["Body"] = _Awaited(found["Body"])
        return SimpleNamespace(status_code=status), found

    events.register("before-parameter-build.s3", note)
    events.register("before-call.s3", answer)


def _bytes(body: Any) -> bytes:
    if hasattr(body, "read"):
        body.seek(0)
        body = body.read()
    return body.encode() if isinstance(body, str) else bytes(body)


class _Awaited:
    """What aiobotocore gives for the body of an object."""

    def __init__(self, body: bytes) -> None:
        self._body = io.BytesIO(body)

    async def read(self, amount: int = -1) -> bytes:
        return self._body.read(amount)

    def close(self) -> None:
        self._body.close()
