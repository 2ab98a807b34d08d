"""Describes the tables of a MySQL database that a program publishes to; needs no data library."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from shared_metadata.contract.discovery import MOST_NAMES
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection
from shared_metadata.program.schema import Schema
from slices.harness.mysql.catalog import TABLES
from slices.harness.mysql.config import read_config
from slices.harness.mysql.session import MysqlSession
from systems.mysql.address import read_address
from systems.mysql.catalog import OWN_SCHEMAS, TableName, columns_of, table_schema
from systems.sql_target.table import split_name

STATEMENT_SECONDS = 30
_NAMES = """SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.TABLES
WHERE TABLE_TYPE IN %s AND ENGINE = 'InnoDB' AND TABLE_SCHEMA NOT IN %s ORDER BY 1 LIMIT %s"""


class MysqlCatalog:
    """The Catalog of contract/discovery.py."""

    def __init__(self, connection: Connection, secret: Mapping[str, Any]) -> None:
        self._config, self._address = read_config(connection), read_address(connection, secret)
        self._place = f"connection {connection.name} ({connection.position})"

    def tables(self) -> list[str]:
        """Those of which MySQL tells the user: where there is any right. Atoll's own are none to publish to."""
        hidden = (*OWN_SCHEMAS, self._config.receipts_schema)
        return sorted(name for (name,) in self._session.ask(_NAMES, (TABLES, hidden, MOST_NAMES)))

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        return {name: self._describe(name) for name in tables}

    def close(self) -> None:
        if "_session" in self.__dict__:
            self._session.close()

    @cached_property
    def _session(self) -> MysqlSession:
        deadline = Deadline(time.monotonic() + STATEMENT_SECONDS)
        return MysqlSession(self._address, self._place, self._config.secret, deadline)

    def _describe(self, name: str) -> Schema | None:
        session, place = self._session, f"{self._place}: {name}"
        try:
            table = session.read_table(*split_name(name, session.dialect.default_schema))
            found = table and columns_of(session.connection, TableName(table.schema, table.name))
            return table_schema(found) if found else None
        except DefinitionError as error:
            raise DefinitionError(error.what, place=place, remedy=error.remedy) from None
        except session.error as error:
            raise session.explained(error, place, None, ()) from None
