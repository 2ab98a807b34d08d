"""Describes the tables of a PostgreSQL database that a program publishes to; needs no data library."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection
from shared_metadata.program.schema import Schema
from slices.harness.postgres import database as db
from slices.harness.postgres.catalog import read_table
from slices.harness.postgres.config import read_config
from slices.harness.postgres.logic import PostgresDialect
from slices.harness.postgres.refusals import row_security, translated
from systems.postgres.address import read_address
from systems.postgres.catalog import WRITTEN_KINDS, allowed_tables, columns_of, table_schema
from systems.sql_target.table import TargetTable, split_name

STATEMENT_SECONDS = 30


class PostgresCatalog:
    """The Catalog of contract/discovery.py."""

    def __init__(self, connection: Connection, secret: Mapping[str, Any]) -> None:
        self._reference, self._address = read_config(connection).secret, read_address(connection, secret)
        self._place = f"connection {connection.name} ({connection.position})"

    def tables(self) -> list[str]:
        return list(self._names())

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        return {name: self._describe(name) for name in tables}

    def warnings(self, tables: Sequence[str] | None) -> dict[str, str]:
        """Warns of tables with row level security for the user: they are described, and nothing is published to them."""
        listed = self._names() if tables is None else {name: table.guarded for name in tables if (table := self._table(name))}
        return {name: self._warning(*_split(name)) for name, guarded in listed.items() if guarded}

    def _warning(self, schema: str, name: str) -> str:
        error = row_security(TargetTable(schema, name, ()), self._place, self._address.username)
        return f"{error.what}; {error.remedy}"

    def _names(self) -> dict[str, bool]:
        """Each writable table ▸ whether row level security holds for the user."""
        with translated(self._place, None, self._address.username):
            return allowed_tables(self._session, "INSERT", WRITTEN_KINDS)

    def close(self) -> None:
        if "_session" in self.__dict__:
            self._session.close()

    @cached_property
    def _session(self) -> db.Connection:
        return db.connect(self._address, self._place, self._reference, Deadline(time.monotonic() + STATEMENT_SECONDS))

    def _describe(self, name: str) -> Schema | None:
        table = self._table(name)
        if table is None:
            return None
        with translated(f"{self._place}: {name}", table, self._address.username):
            return table_schema(columns_of(self._session, f"SELECT * FROM {table.sql}"))

    def _table(self, name: str) -> TargetTable | None:
        place, session = f"{self._place}: {name}", self._session
        try:
            with translated(place, None, self._address.username):
                return read_table(session, *_split(name))
        except DefinitionError as error:
            raise DefinitionError(error.what, place=place, remedy=error.remedy) from None


def _split(name: str) -> tuple[str, str]:
    return split_name(name, PostgresDialect.default_schema)
