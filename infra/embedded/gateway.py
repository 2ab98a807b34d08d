"""The emulator's own process: ministack over TLS on one loopback port, saved once a minute, with some faults corrected.

Run as a script by `aws.py`, which sets its environment. It does not use ministack's own command because that also
listens on port 443, and because it saves state only when it ends, so that a crash or a power cut would lose
everything since the start.
"""

import asyncio
import asyncio.constants
import contextlib
import copy
import importlib
import json
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import _build_persistence_save_dict, app  # type: ignore[import-untyped]
from ministack.core import iam_actions, iam_evaluator  # type: ignore[import-untyped]
from ministack.core.persistence import save_all  # type: ignore[import-untyped]
from ministack.services import dynamodb  # type: ignore[import-untyped]

from infra.embedded import api_gateway, formation, functions, kinesis, step_functions

_SAVE_INTERVAL_SECONDS = float(os.environ["ATOLL_SAVE_INTERVAL_SECONDS"])
# Saving may take at most this part of the process's time, however large the state has grown.
_SAVE_SHARE = 0.05
# A client that keeps its connection open would otherwise hold up the end, and with it `atoll local down`, by 30 s.
_CLOSE_TIMEOUT_SECONDS = 1.0
_leading_keys: ContextVar[list[str] | None] = ContextVar("leading_keys", default=None)


def _keep_stream_records() -> None:
    """Save the records of the tables' streams too.

    ministack saves how many records each event source mapping has read, but not the records: after a restart the
    count starts at nothing, and a mapping would overlook as many changes as it had read before.
    """
    tables_state, load_tables = dynamodb.get_state, dynamodb.load_persisted_state
    streams = {"stream_records": dynamodb._stream_records, "stream_trimmed": dynamodb._stream_trimmed}

    def get_state() -> dict[str, Any]:
        return {**tables_state(), **{name: copy.deepcopy(records) for name, records in streams.items()}}

    def load_persisted_state(data: dict[str, Any]) -> None:
        load_tables(data)
        for name, records in streams.items():
            records.update(data.get(name, {}))

    dynamodb.get_state, dynamodb.load_persisted_state = get_state, load_persisted_state


def _name_glue_databases() -> None:
    """Check a grant on a Glue database against that database.

    ministack takes the `Name` of a database for that of a table, so no exact grant on the database matches.
    https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html
    """
    resource_of = iam_actions.extract_resource_arn

    def corrected(service: str, method: str, path: str, headers: Any, *args: Any, **kwargs: Any) -> str:
        found: str = resource_of(service, method, path, headers, *args, **kwargs)
        target = {str(name).lower(): str(value) for name, value in dict(headers).items()}.get("x-amz-target", "")
        return found.replace(":table/", ":database/", 1) if service == "glue" and target.endswith("Database") else found

    iam_actions.extract_resource_arn = corrected


class _ItemChecks(list[tuple[str, str]]):
    """The checks of each item of a transaction; iterating makes each item's key the one that is checked."""

    def __init__(self, checks: list[tuple[str, str]], keys: list[str]) -> None:
        super().__init__(checks)
        self._keys = keys

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for check, key in zip(super().__iter__(), self._keys, strict=True):
            _leading_keys.set([key])
            yield check


def _know_leading_keys() -> None:
    """Lets a policy distinguish the items of a table by their partition keys.

    ministack does not know dynamodb:LeadingKeys, so that every condition on it would hold.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    context_of, checks_of = iam_actions.dynamodb_service_context, iam_actions.dynamodb_transaction_checks
    value_of = iam_evaluator._resolve_condition_key

    def context_with_keys(body: bytes) -> Any:
        _leading_keys.set(_keys_of(json.loads(body or b"{}")))
        return context_of(body)

    def checks_by_item(action: str, body: bytes, *where: str) -> Any:
        found = checks_of(action, body, *where)
        return _ItemChecks(found, _keys_of(json.loads(body))) if found else found

    def value_with_keys(key: str, *context: Any) -> Any:
        return _leading_keys.get() if key.lower() == "dynamodb:leadingkeys" else value_of(key, *context)

    iam_actions.dynamodb_service_context, iam_actions.dynamodb_transaction_checks = context_with_keys, checks_by_item
    iam_evaluator._resolve_condition_key = value_with_keys


def _keys_of(call: dict[str, Any]) -> list[str]:
    """The partition keys of the items in a call of DynamoDB; none for a missing table, as its answer will say."""
    if "TransactItems" in call:
        return [key for item in call["TransactItems"] for one in item.values() for key in _keys_of(one)]
    if "RequestItems" in call:
        wanted = call["RequestItems"].items()
        items = [(table, item) for table, found in wanted for item in (found["Keys"] if "Keys" in found else _written(found))]
        return [key for table, item in items for key in _key(table, item)]
    if "KeyConditionExpression" in call:
        names, values = call.get("ExpressionAttributeNames", {}), call.get("ExpressionAttributeValues", {})
        equal = re.findall(r"(#?\w+)\s*=\s*(:\w+)", call["KeyConditionExpression"])
        return _key(call["TableName"], {names.get(name, name): values[value] for name, value in equal})
    item = call.get("Key") or call.get("Item")
    return _key(call["TableName"], item) if item else []


def _written(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one.get("Item") or one["Key"] for request in requests for one in request.values()]


def _key(table: str, item: dict[str, Any]) -> list[str]:
    known = dynamodb._tables.get(table)
    return [str(value) for value in item[known["pk_name"]].values()] if known else []


def _answer_by_doubles() -> None:
    """Has services answered by those who stand beside the project as `doubles/<service>/gateway.py`; there may be none."""
    root = Path(__file__).parents[2]
    sys.path.append(str(root))
    for found in sorted(root.glob("doubles/*/gateway.py")):
        importlib.import_module(f"doubles.{found.parent.name}.gateway").install()


async def _save_regularly() -> None:
    """Saves the state regularly, and when SIGUSR1 asks for it."""
    pause_seconds, asked = _SAVE_INTERVAL_SECONDS, asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, asked.set)
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asked.wait(), pause_seconds)
        asked.clear()
        started = time.monotonic()
        await asyncio.to_thread(save_all, _build_persistence_save_dict())
        pause_seconds = max(_SAVE_INTERVAL_SECONDS, (time.monotonic() - started) / _SAVE_SHARE)


async def _serve() -> None:
    config = Config()
    config.bind = [f"127.0.0.1:{os.environ['GATEWAY_PORT']}"]
    config.certfile = os.environ["MINISTACK_SSL_CERT"]
    config.keyfile = os.environ["MINISTACK_SSL_KEY"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = _CLOSE_TIMEOUT_SECONDS
    config.loglevel = "WARNING"
    saving = asyncio.create_task(_save_regularly())
    await serve(app, config)
    saving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await saving


if __name__ == "__main__":
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    asyncio.constants.SSL_SHUTDOWN_TIMEOUT = _CLOSE_TIMEOUT_SECONDS
    _keep_stream_records()
    functions.keep_error_names()
    functions.name_refusals()
    functions.prefer_free_environments()
    functions.end_idle_environments()
    _name_glue_databases()
    _know_leading_keys()
    step_functions.keep_limits()
    step_functions.tell_of_interrupted()
    formation.import_buckets()
    kinesis.keep_closed_shards()
    api_gateway.serve_default_stages()
    _answer_by_doubles()
    asyncio.run(_serve())
