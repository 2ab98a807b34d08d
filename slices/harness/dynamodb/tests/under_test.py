"""A table of DynamoDB as the harness suite's target, in moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from shared_metadata.contract.runtime.services import Services
from shared_metadata.program import Connection
from shared_metadata.program.schema import SchemaColumn
from slices.harness.dynamodb.client import DynamoDbTarget
from slices.harness.dynamodb.discovery import DynamoDbCatalog
from slices.harness.dynamodb.items import MARK
from slices.harness.dynamodb.logic import kind_of
from tests.conformance.harness import CARRIERS, Rows
from tests.memory.light_moto import moto_client

_READ = TypeDeserializer()
READ: Mapping[str, Callable[[Any], Any]] = {
    **{"int": int, "long": int, "float": float, "double": float, "decimal": Decimal, "binary": lambda told: told.value},
    **{"date": date.fromisoformat, "time": time.fromisoformat, "timestamp": datetime.fromisoformat},
    "timestamptz": datetime.fromisoformat,
}


class Writes:
    """A client that does to a write what `before` and `after` do, which are given the operation and what is asked."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.before: Callable[[str, Mapping[str, Any]], None] = lambda operation, asked: None
        self.after: Callable[[str, Mapping[str, Any]], None] = lambda operation, asked: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def close(self) -> None:
        """Others go on with it."""

    def put_item(self, **asked: Any) -> Any:
        return self._write("put_item", asked)

    def delete_item(self, **asked: Any) -> Any:
        return self._write("delete_item", asked)

    def _write(self, operation: str, asked: dict[str, Any]) -> Any:
        self.before(operation, asked)
        answer = getattr(self._client, operation)(**asked)
        self.after(operation, asked)
        return answer


class Target:
    """narrow: columns in which it refuses numbers of more than 32 bits, as no table does; DynamoDB's other refusals are rare."""

    slice_id, connection, table, there = "harness.dynamodb", "app", "carriers", "prod-carriers"
    secret: Mapping[str, Any] = {}
    refused: Mapping[str, Any] = {}
    down: Mapping[str, Any] = {}

    def __init__(self, client: Any) -> None:
        self.client, self.shape, self.narrow = Writes(client), tuple(CARRIERS), list[str]()
        self.client.before = self._refuse
        self.options: Mapping[str, Any] = {"tables": self.table, "prefix": "prod-"}

    def open_target(self, connection: Connection, secret: Mapping[str, Any], services: Services) -> DynamoDbTarget:
        return DynamoDbTarget(connection, services, lambda config, session, place: self.client)  # type: ignore[arg-type, return-value]

    def open_catalog(self, connection: Connection, secret: Mapping[str, Any]) -> DynamoDbCatalog:
        return DynamoDbCatalog(connection, None, lambda config, session, place: self.client)  # type: ignore[arg-type, return-value]

    def create(self, columns: Sequence[SchemaColumn], key: Sequence[str]) -> None:
        """There is no table without a key: by itself it is the first column."""
        self.narrow = [column.name for column in columns if column.type == "int"]
        named = key or [columns[0].name]
        self.make({column.name: kind_of(column.type) for column in columns if column.name in named})

    def make(self, key: Mapping[str, str]) -> None:
        """A table with this key: attribute ▸ kind, the partition's first."""
        parts = [{"AttributeName": name, "KeyType": kind} for name, kind in zip(key, ("HASH", "RANGE"), strict=False)]
        kinds = [{"AttributeName": name, "AttributeType": kind} for name, kind in key.items()]
        self.client.create_table(TableName=self.there, KeySchema=parts, AttributeDefinitions=kinds, BillingMode="PAY_PER_REQUEST")

    @property
    def is_there(self) -> bool:
        return self.there in self.client.list_tables()["TableNames"]

    def insert(self, rows: Rows) -> None:
        for row in rows:
            self.put({name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in row.items()})

    def put(self, item: Mapping[str, Any]) -> None:
        """An item of another's."""
        self.client._client.put_item(TableName=self.there, Item=item)

    def items(self) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("scan").paginate(TableName=self.there)
        return [item for page in pages for item in page["Items"]]

    def rows(self) -> Rows:
        types = {column.name: column.type.partition("(")[0] for column in self.shape}
        found = [{name: _READ.deserialize(value) for name, value in item.items() if name != MARK} for item in self.items()]
        return [{name: _read(kind, item.get(name)) for name, kind in types.items()} for item in found]

    def widen(self, column: str, type: str) -> None:
        self.narrow.remove(column)

    def read_while(self, during: Any) -> list[int]:
        raise NotImplementedError

    def _refuse(self, operation: str, asked: Mapping[str, Any]) -> None:
        values = [Decimal(asked.get("Item", {}).get(name, {}).get("N", 0)) for name in self.narrow]
        if any(abs(value) >= 2**31 for value in values):
            raise refusal("ValidationException", operation)


def refusal(code: str, operation: str) -> ClientError:
    said: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(said, operation)


@contextmanager
def under_test() -> Iterator[Target]:
    with moto_client("dynamodb") as client:
        yield Target(client)


def _read(kind: str, told: Any) -> Any:
    return None if told is None else READ.get(kind, lambda same: same)(told)
