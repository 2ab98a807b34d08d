"""An org of the double as the harness suite's target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from functools import partial
from typing import Any

from doubles.salesforce import Field, SalesforceServer
from shared_metadata.program.schema import SchemaColumn
from slices.harness.salesforce.discovery import SalesforceCatalog
from slices.harness.salesforce.handlers import open_target
from slices.harness.salesforce.sessions import session_of
from tests.conformance.harness import CARRIERS, Rows

TYPES = {"boolean": "boolean", "int": "int", "long": "long", "float": "double", "double": "double", "decimal": "double"}
TYPES |= {
    "date": "date",
    "time": "time",
    "timestamp": "datetime",
    "timestamptz": "datetime",
    "binary": "textarea",
    "list": "textarea",
}
READ: Mapping[str, Callable[[Any], Any]] = {
    "boolean": bool,
    "date": date.fromisoformat,
    "time": lambda told: time.fromisoformat(told.removesuffix("Z")),
    "datetime": datetime.fromisoformat,
}
# As which columns of the suite's stand in Salesforce, which has an Id of its own, and no field of a name that SOQL keeps for itself.
RENAMED = {"id": "id__c", "select": "select__c"}


class Target:
    """A custom object; its key is an external id."""

    slice_id, connection, table = "harness.salesforce", "crm", "Thing__c"
    open_target = staticmethod(open_target)

    def __init__(self, server: SalesforceServer, **options: Any) -> None:
        self.server, self.shape = server, tuple(CARRIERS)
        self.options: Mapping[str, Any] = {"rows_a_request": 2, "compression": "none", **options}
        c = server.credentials
        self.secret = {"client_id": c.client_id, "client_secret": c.client_secret, "login_url": server.url}
        self.refused = {**self.secret, "client_secret": "wrong-but-secret"}
        self.down = {**self.secret, "login_url": "http://127.0.0.1:1"}

    @property
    def open_catalog(self) -> Any:
        return lambda connection, secret: SalesforceCatalog(session_of(connection, secret, partial(_no_grant)))

    def create(self, columns: Sequence[SchemaColumn], key: Sequence[str]) -> None:
        """The first column is a key in any case: without one nothing can be merged there."""
        keys = [renamed(name) for name in (*key, *(column.name for column in columns[:1]))]
        fields = [_field(renamed(column.name), column.type, column.name in key, renamed(column.name) in keys) for column in columns]
        self.server.org.add_object(self.table, fields, name_field=False)

    def needed(self, columns: Sequence[SchemaColumn], key: Sequence[str]) -> None:
        """The object, and what of these columns it lacks: Atoll makes none."""
        self.create(columns, [])
        found = self.server.org.records.schema(self.table)
        for column in columns:
            if found.find(renamed(column.name)) is None and renamed(column.name).isidentifier() and column.name.isascii():
                self.server.org.add_field(self.table, _field(renamed(column.name), column.type, False, column.name in key))

    def insert(self, rows: Rows) -> None:
        self.server.org.insert(self.table, rows)

    def rows(self) -> Rows:
        schema = self.server.org.records.schema(self.table)
        fields = [schema.fields[renamed(column.name)] for column in self.shape if renamed(column.name) in schema.fields]
        names = {renamed(column.name): column.name for column in self.shape}
        found = self.server.org.store.rows(schema, '"IsDeleted" = 0', [])
        return [{names[field.name]: _read(field.type, row[field.name]) for field in fields} for row in found]

    def widen(self, column: str, type: str) -> None:
        self.server.org.add_field(self.table, Field(column, TYPES[type]))

    def read_while(self, during: Any) -> list[int]:
        raise NotImplementedError


def renamed(column: str) -> str:
    return RENAMED.get(column, column)


def _field(name: str, type: str, required: bool, key: bool) -> Field:
    kind = TYPES.get(type.replace("<", "(").partition("(")[0], "string" if key else "textarea")
    digits = {"precision": 18, "scale": 4} if kind == "double" else {}
    length = {"length": 32_000} if kind == "textarea" else {}
    return Field(name, kind, nillable=not required, unique=required, external_id=key, **digits, **length)  # type: ignore[arg-type]


def _read(kind: str, stored: Any) -> Any:
    return None if stored is None else READ.get(kind, lambda same: same)(stored)


def _no_grant(*_: Any, **__: Any) -> Any:
    raise AssertionError
