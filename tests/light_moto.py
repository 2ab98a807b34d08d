"""moto without its copies of whole tables: it makes one for each item of a transaction, to be able to take the transaction back."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any


@functools.cache
def make_transactions_light() -> None:
    """From now on moto keeps, for each transaction, the items that it names, and not all others too."""
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

    Table.__deepcopy__ = lambda table, _: table  # what moto would put back instead; its backups, which nobody here makes, copy too
    DynamoDBBackend.transact_write_items = transact_write_items


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
