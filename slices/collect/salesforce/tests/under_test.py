"""The door of the collect suite to the Salesforce double."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Any

from doubles.salesforce import Field, SalesforceServer
from shared_metadata.contract.collect import OpenSource
from shared_metadata.program import Mode
from slices.collect.salesforce.client import open_source
from slices.collect.salesforce.slice import SLICE
from tests.conformance.collect import Row

TYPES = {"string": "string", "double": "double", "boolean": "boolean", "date": "date", "timestamptz": "datetime"}
TYPES |= {"int": "int", "long": "long"}


class SalesforceUnderTest:
    """Custom objects of an org of the double."""

    declaration = SLICE
    incremental: Mapping[str, Any] = {"mode": Mode.MERGE, "key": ("id",), "cursor": "systemmodstamp"}
    appending: Mapping[str, Any] = {"mode": Mode.APPEND, "cursor": "systemmodstamp"}
    large_rows, most_columns = 5_000, 500
    unreadable_day = "10000"
    moments = datetime(1700, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
    hostile_names = ("select", "from", "where", "null", "limit", "group", "order", "not_in", "x" * 37)  # letters, digits and _ only

    def __init__(self, server: SalesforceServer, options: Mapping[str, Any]) -> None:
        self.server, self.options = server, options
        self._ids: dict[tuple[str, str], str] = {}
        self.secret = jwt_secret(server)
        self.refused_secret = {**client_secret(server), "client_secret": "wrong-but-secret"}
        self.unreachable_secret = {**self.secret, "login_url": "http://127.0.0.1:1"}
        self.secret_values = (server.credentials.private_key, server.credentials.client_secret, "wrong-but-secret")

    def open_source(self, aws: Any) -> OpenSource:
        return partial(open_source, aws=aws)

    def create_table(self, columns: Mapping[str, str]) -> str:
        name = f"Thing{len(self.server.org.store.objects())}__c"
        self.server.org.add_object(name, [Field(self._field(n), TYPES[kind]) for n, kind in columns.items()])
        return name

    def put(self, table: str, rows: Sequence[Row], at: datetime) -> None:
        new = []
        for row in rows:
            values = {self._field(name): value for name, value in row.items()}
            known = self._ids.get((table, row["label"]))
            if known:
                self.server.org.update(table, known, values, at)
            else:
                new.append(values)
        made = self.server.org.insert(table, new, at)
        self._ids |= {(table, values["label__c"]): record_id for values, record_id in zip(new, made, strict=True)}

    def put_slowly(self, table: str, label: str, at: datetime) -> AbstractContextManager[None]:
        return nullcontext()

    def put_unreadable(self, table: str, label: str, at: datetime) -> None:
        """Past the double's checks: Salesforce has such values of fields whose type was changed."""
        self.put(table, [{"label": label}], at)
        with self.server.org.store.transaction() as connection:
            connection.execute(f'UPDATE "{table}" SET day__c = ? WHERE label__c = ?', ("10000-02-31", label))

    def delete(self, table: str, labels: Sequence[str], at: datetime) -> None:
        for label in labels:
            self.server.org.delete(table, self._ids.pop((table, label)), at)

    def drop_column(self, table: str, column: str) -> None:
        self.server.org.remove_field(table, self._field(column))

    def add_column(self, table: str, column: str, kind: str) -> None:
        self.server.org.add_field(table, Field(self._field(column), TYPES[kind]))

    def retype_column(self, table: str, column: str, kind: str) -> None:
        self.server.org.add_field(table, Field(self._field(column), TYPES[kind]))

    def rename_column(self, table: str, column: str, name: str) -> None:
        self.server.org.rename_field(table, self._field(column), self._field(name))

    def drop_table(self, table: str) -> None:
        self.server.org.store.drop_object(table)

    def collected_name(self, column: str) -> str:
        return self._field(column)

    @staticmethod
    def _field(column: str) -> str:
        return f"{column}__c"


def client_secret(server: SalesforceServer) -> dict[str, str]:
    """The secret of the client credentials flow."""
    c = server.credentials
    return {"client_id": c.client_id, "client_secret": c.client_secret, "login_url": server.url}


def jwt_secret(server: SalesforceServer) -> dict[str, str]:
    """The secret of the JWT bearer flow."""
    c = server.credentials
    return {"client_id": c.client_id, "username": c.username, "private_key": c.private_key, "login_url": server.url}
