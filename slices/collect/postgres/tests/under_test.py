"""The door of the collect suite to a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from unittest.mock import patch

import psycopg
from psycopg import sql

from shared_metadata.contract.collect import OpenSource
from shared_metadata.program import Mode
from slices.collect.postgres import horizon
from slices.collect.postgres.client import open_source
from slices.collect.postgres.slice import SLICE
from slices.collect.postgres.tests.database import PASSWORD, Database
from tests.conformance import hostile
from tests.conformance.collect import Row

TYPES = {"string": "text", "double": "double precision", "boolean": "boolean", "date": "date", "timestamptz": "timestamptz"}
TYPES |= {"int": "integer", "long": "bigint"}


class PostgresUnderTest:
    """Tables of a database whose rows carry when they were changed."""

    declaration = SLICE
    options: Mapping[str, Any] = {}
    incremental: Mapping[str, Any] = {"mode": Mode.MERGE, "key": ("label",), "cursor": "updated_at"}
    appending: Mapping[str, Any] = {"mode": Mode.APPEND, "cursor": "updated_at"}
    large_rows, most_columns = 10_000, 500
    hostile_names = hostile.NAMES
    secret_values = (PASSWORD,)
    unreadable_day = "10000"
    moments = datetime(1700, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)

    def __init__(self, database: Database) -> None:
        self._database, self._made = database, 0
        self.secret = database.secret
        self.refused_secret = {**database.secret, "password": PASSWORD + "!"}
        self.unreachable_secret = {**database.secret, "port": 1}

    def open_source(self, aws: Any) -> OpenSource:
        return partial(open_source, aws=aws)

    def create_table(self, columns: Mapping[str, str]) -> str:
        self._made += 1
        name = f"Thing {self._made}"
        listed = [sql.SQL("{} {}").format(sql.Identifier(n), sql.SQL(TYPES[kind])) for n, kind in columns.items()]
        self._run(sql.SQL("CREATE TABLE {} ({}, updated_at timestamptz)").format(sql.Identifier(name), sql.SQL(", ").join(listed)))
        self._run(sql.SQL("CREATE UNIQUE INDEX ON {} (label)").format(sql.Identifier(name)))
        return f"public.{name}"

    def put(self, table: str, rows: Sequence[Row], at: datetime) -> None:
        columns = sorted({name for row in rows for name in row})
        names = [sql.Identifier(name) for name in (*columns, "updated_at")]
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT (label) DO UPDATE SET {}").format(
            self._name(table),
            sql.SQL(", ").join(names),
            sql.SQL(", ").join(sql.SQL(f"${number}") for number in range(1, len(names) + 1)),  # type: ignore[arg-type]
            sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in names),
        )
        with self._connect() as connection, psycopg.RawCursor(connection) as cursor:  # a name may hold %s
            cursor.executemany(statement, [(*(row.get(name) for name in columns), at) for row in rows])

    @contextmanager
    def put_slowly(self, table: str, label: str, at: datetime) -> Iterator[None]:
        """Nobody waits for it to end."""
        statement = sql.SQL("INSERT INTO {} (label, updated_at) VALUES ({}, {})")
        with patch.object(horizon, "WAIT_SECONDS", 0.0), self._connect() as connection:
            connection.execute(statement.format(self._name(table), sql.Literal(label), sql.Literal(at)))
            yield

    def put_unreadable(self, table: str, label: str, at: datetime) -> None:
        self._run(
            sql.SQL("INSERT INTO {} (label, day, updated_at) VALUES ({}, '10000-01-01', {})").format(
                self._name(table), sql.Literal(label), sql.Literal(at)
            )
        )

    def delete(self, table: str, labels: Sequence[str], at: datetime) -> None:
        with self._connect() as connection:
            connection.execute(sql.SQL("DELETE FROM {} WHERE label = ANY(%s)").format(self._name(table)), (list(labels),))

    def drop_column(self, table: str, column: str) -> None:
        self._run(sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(self._name(table), sql.Identifier(column)))

    def add_column(self, table: str, column: str, kind: str) -> None:
        statement = sql.SQL("ALTER TABLE {} ADD COLUMN {} {}")
        self._run(statement.format(self._name(table), sql.Identifier(column), sql.SQL(TYPES[kind])))

    def retype_column(self, table: str, column: str, kind: str) -> None:
        statement = sql.SQL("ALTER TABLE {0} ALTER COLUMN {1} TYPE {2} USING {1}::text::{2}")
        self._run(statement.format(self._name(table), sql.Identifier(column), sql.SQL(TYPES[kind])))

    def rename_column(self, table: str, column: str, name: str) -> None:
        statement = sql.SQL("ALTER TABLE {} RENAME COLUMN {} TO {}")
        self._run(statement.format(self._name(table), sql.Identifier(column), sql.Identifier(name)))

    def drop_table(self, table: str) -> None:
        self._run(sql.SQL("DROP TABLE {}").format(self._name(table)))

    def collected_name(self, column: str) -> str:
        return column

    def _name(self, table: str) -> sql.Composable:
        return sql.Identifier(*table.split("."))

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(host=self._database.host, port=self._database.port, dbname=self._database.name, user="postgres")

    def _run(self, statement: sql.Composable) -> None:
        with self._connect() as connection:
            connection.execute(statement)
