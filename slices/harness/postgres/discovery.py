"""Looks at the tables of a PostgreSQL database that a program publishes to; needs no data library."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from shared_metadata.contract.discovery import MOST_NAMES
from shared_metadata.contract.steps import Deadline
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection
from shared_metadata.records import Schema, SchemaColumn
from slices.harness.postgres import database as db
from slices.harness.postgres.catalog import read_table
from slices.harness.postgres.column_types import iceberg_type
from slices.harness.postgres.config import read_config, read_credentials
from slices.harness.postgres.logic import TargetTable, split_name
from slices.harness.postgres.refusals import row_security, translated

STATEMENT_SECONDS = 30
_NAMES = """SELECT n.nspname || '.' || c.relname, row_security_active(c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'INSERT') ORDER BY 1 LIMIT %s"""
# What a column's type is called where it is a domain is the type below it, as whoever reads the column is told.
_COLUMNS = """SELECT wanted.name, CASE WHEN n.nspname = 'pg_catalog' THEN t.typname ELSE '' END,
  pg_catalog.format_type(t.oid, wanted.modifier), a.attnotnull, a.attndims
FROM unnest(%(names)s::text[], %(types)s::oid[], %(modifiers)s::int[]) WITH ORDINALITY AS wanted(name, type, modifier, place)
JOIN pg_catalog.pg_type t ON t.oid = wanted.type JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = %(table)s::regclass AND a.attname = wanted.name
ORDER BY wanted.place"""


class PostgresCatalog:
    """The Catalog of contract/discovery.py."""

    def __init__(self, connection: Connection, secret: Mapping[str, Any]) -> None:
        self._reference, self._credentials = read_config(connection).secret, read_credentials(connection, secret)
        self._place = f"connection {connection.name} ({connection.position})"

    def tables(self) -> list[str]:
        return list(self._names())

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        return {name: self._describe(name) for name in tables}

    def warnings(self, tables: Sequence[str] | None) -> dict[str, str]:
        """Of which tables row level security holds for the user: they are described, and nothing is published to them."""
        listed = self._names() if tables is None else {name: table.guarded for name in tables if (table := self._table(name))}
        return {name: self._warning(*split_name(name)) for name, guarded in listed.items() if guarded}

    def _warning(self, schema: str, name: str) -> str:
        error = row_security(TargetTable(schema, name, ()), self._place, self._credentials.username)
        return f"{error.what}; {error.remedy}"

    def _names(self) -> dict[str, bool]:
        """Each table that may be written to ▸ whether row level security holds for the user."""
        with translated(self._place, None, self._credentials.username):
            return dict(self._session.execute(_NAMES, (MOST_NAMES,)).fetchall())

    def close(self) -> None:
        if "_session" in self.__dict__:
            self._session.close()

    @cached_property
    def _session(self) -> db.Connection:
        return db.connect(self._credentials, self._place, self._reference, Deadline(time.monotonic() + STATEMENT_SECONDS))

    def _describe(self, name: str) -> Schema | None:
        table = self._table(name)
        if table is None:
            return None
        with translated(f"{self._place}: {name}", table, self._credentials.username):
            return Schema(tuple(self._columns(table)))

    def _table(self, name: str) -> TargetTable | None:
        place, session = f"{self._place}: {name}", self._session
        try:
            with translated(place, None, self._credentials.username):
                return read_table(session, *split_name(name))
        except DefinitionError as error:
            raise DefinitionError(error.what, place=place, remedy=error.remedy) from None

    def _columns(self, table: TargetTable) -> list[SchemaColumn]:
        self._session.execute("SET row_security = on")  # a table whose policies hold for the user can be described
        try:
            answer = self._session.execute(f"SELECT * FROM {table.sql} LIMIT 0").pgresult
        finally:
            self._session.execute("SET row_security = off")
        assert answer is not None
        places = range(answer.nfields)
        wanted = {
            "names": [(answer.fname(i) or b"").decode() for i in places],
            "types": [answer.ftype(i) for i in places],
            "modifiers": [answer.fmod(i) for i in places],
            "table": table.sql,
        }
        return [
            SchemaColumn(name.lower(), iceberg_type(base, word, dimensions), not not_null, name, word)
            for name, base, word, not_null, dimensions in self._session.execute(_COLUMNS, wanted).fetchall()
        ]
