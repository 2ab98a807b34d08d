"""moto without what makes it slow, copies of whole tables and HTTP within one process, and without its races."""

from __future__ import annotations

import copy
import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import mock_aws

_ONE_CALL = threading.RLock()


@functools.cache
def mend_moto() -> None:
    """From now on moto keeps, to take a transaction back, the items that it names; it would copy their table for each of them.

    And it does one call after the other.
    """
    from moto.dynamodb.models import DynamoDBBackend, Table

    transact = DynamoDBBackend.transact_write_items

    def transact_write_items(backend: Any, transact_items: list[dict[str, Any]]) -> None:
        undo = list(_undo(backend, transact_items))
        try:
            transact(backend, transact_items)
        except BaseException:
            for step in undo:
                step()
            raise

    _make_calls_wait()
    Table.__deepcopy__ = lambda table, _: table  # what moto would put back instead; its backups, which nobody here makes, copy too
    DynamoDBBackend.transact_write_items = transact_write_items


@contextmanager
def moto_client(service: str) -> Iterator[Any]:
    """A client of moto in this process, over an account that ends with the block."""
    mend_moto()
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        yield boto3.client(service, "eu-central-1", aws_access_key_id="testing", aws_secret_access_key="testing")


def _make_calls_wait() -> None:
    """For each other: moto reads a table while another thread writes into it, and stops in the middle."""
    from moto.core.botocore_stubber import BotocoreStubber

    process = BotocoreStubber.process_request

    def process_request(stubber: Any, request: Any) -> Any:
        with _ONE_CALL:
            return process(stubber, request)

    BotocoreStubber.process_request = process_request


def _undo(backend: Any, transact_items: list[dict[str, Any]]) -> Iterator[Callable[[], None]]:
    for one in transact_items:
        for action in one.values():
            table = backend.tables.get(action.get("TableName"))
            key = action.get("Key") or action.get("Item") or {}
            if table is not None and {table.hash_key_attr, table.range_key_attr or table.hash_key_attr} <= key.keys():
                yield _as_it_was(table, *backend.get_keys_value(table, key))


def _as_it_was(table: Any, hash_key: Any, range_key: Any) -> Callable[[], None]:
    before, stream = copy.deepcopy(table.get_item(hash_key, range_key)), table.stream_shard
    records = len(stream.items) if stream else 0

    def put_back() -> None:
        rows, key = (table.items, hash_key) if range_key is None else (table.items[hash_key], range_key)
        if before is None:
            rows.pop(key, None)
        else:
            rows[key] = before
        if stream:
            del stream.items[records:]

    return put_back
