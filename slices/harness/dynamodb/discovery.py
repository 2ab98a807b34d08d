"""Describes the tables of a connection: by their keys, which are all that they tell."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared_metadata.program import Connection
from shared_metadata.program.schema import Schema
from slices.harness.dynamodb.account import OpenClient, key_of
from slices.harness.dynamodb.config import read_config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDbCatalog:
    """The Catalog of contract/discovery.py.  session: a boto3.Session."""

    def __init__(self, connection: Connection, session: Any, opened: OpenClient) -> None:
        self._config, self._session, self._opened = read_config(connection), session, opened
        self._place = f"connection {connection.name} ({connection.position})"

    def tables(self) -> list[str]:
        """Those that the connection names; others its functions may not ask for."""
        return sorted(self._config.names)

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        return {name: self._described(name) for name in tables}

    def close(self) -> None:
        if "_client" in vars(self):
            self._client.close()

    @cached_property
    def _client(self) -> DynamoDBClient:
        return self._opened(self._config, self._session, self._place)

    def _described(self, name: str) -> Schema | None:
        there = self._config.names.get(name)
        found = key_of(self._client, there, f"{self._place}: {name}") if there else None
        return found.schema if found else None
