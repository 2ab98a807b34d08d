"""The door of the collect suite to an Oracle, or its double: tables are made and filled by Oracle's own SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from functools import partial
from typing import Any
from unittest.mock import patch

import oracledb

from shared_metadata.contract.collect import OpenSource
from shared_metadata.program import Mode
from slices.collect.oracle import horizon
from slices.collect.oracle.catalog import identifier
from slices.collect.oracle.client import open_source
from slices.collect.oracle.slice import SLICE
from tests.conformance import hostile
from tests.conformance.collect import Row
from tests.oracle import PASSWORD, Database

TYPES = {"string": "VARCHAR2(4000)", "double": "BINARY_DOUBLE", "boolean": "BOOLEAN", "date": "DATE"}
TYPES |= {"int": "NUMBER(9)", "long": "NUMBER(18)", "timestamptz": "TIMESTAMP(6) WITH TIME ZONE"}
LABEL = "VARCHAR2(300) UNIQUE"
MANY = 1000  # rows, from which on the server is told to look at them


class OracleUnderTest:
    """Tables of a schema whose rows carry when they were changed."""

    declaration = SLICE
    options: Mapping[str, Any] = {"lag": "0 seconds"}
    incremental: Mapping[str, Any] = {"mode": Mode.MERGE, "key": ("label",), "cursor": "updated_at"}
    appending: Mapping[str, Any] = {"mode": Mode.APPEND, "cursor": "updated_at"}
    large_rows, most_columns = 10_000, 190
    # Oracle's names have no quote and no zero byte, and at most 128 bytes.
    hostile_names = tuple(name for name in hostile.NAMES if '"' not in name and "\0" not in name and 0 < len(name.encode()) <= 128)
    unreadable_day = "-4712"
    days_are_moments = True
    moments = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    secret_values = (PASSWORD,)

    def __init__(self, database: Database) -> None:
        self._database, self._made = database, 0
        self.secret = database.secret
        self.refused_secret = {**database.secret, "password": PASSWORD + "!"}
        self.unreachable_secret = {**database.secret, "port": 1}

    def open_source(self, aws: Any) -> OpenSource:
        return partial(open_source, aws=aws)

    def create_table(self, columns: Mapping[str, str]) -> str:
        """Plain names stand in capitals, as they do where nobody quotes them."""
        self._made += 1
        name = f"Thing {self._made}"
        listed = ", ".join(f"{_column(n)} {LABEL if n == 'label' else TYPES[kind]}" for n, kind in columns.items())
        self._database.run(f"CREATE TABLE {identifier(name)} ({listed}, UPDATED_AT TIMESTAMP(6) WITH TIME ZONE)")
        return f"{self._database.schema}.{name}"

    def put(self, table: str, rows: Sequence[Row], at: datetime) -> None:
        with self._database.connect() as session:
            self._put(session, table, rows, at)
            session.commit()
        if len(rows) >= MANY:
            schema, _, name = table.partition(".")
            self._database.run(f"BEGIN DBMS_STATS.GATHER_TABLE_STATS('{schema}', '{name}'); END;")

    def _put(self, session: oracledb.Connection, table: str, rows: Sequence[Row], at: datetime) -> None:
        columns = sorted({name for row in rows for name in row})
        names = [*columns, "updated_at"]
        kinds = [oracledb.DB_TYPE_TIMESTAMP if _is_moment(name, rows) else None for name in columns]
        listed, marks = ", ".join(map(_column, names)), ", ".join(f":{number}" for number in range(1, len(names) + 1))
        values = [[*(_value(row.get(name)) for name in columns), at.replace(tzinfo=None)] for row in rows]
        with session.cursor() as cursor:
            for start in range(0, len(rows), MANY):
                labels = [[row["label"]] for row in rows[start : start + MANY]]
                cursor.setinputsizes(oracledb.DB_TYPE_VARCHAR)
                cursor.executemany(f"DELETE FROM {self._name(table)} WHERE LABEL = :1", labels)
            for start in range(0, len(rows), MANY):
                cursor.setinputsizes(*kinds, oracledb.DB_TYPE_TIMESTAMP)
                cursor.executemany(f"INSERT INTO {self._name(table)} ({listed}) VALUES ({marks})", values[start : start + MANY])

    @contextmanager
    def put_slowly(self, table: str, label: str, at: datetime) -> Iterator[None]:
        """Nobody waits for it to end."""
        with patch.object(horizon, "WAIT_SECONDS", 0.0), self._database.connect() as session:
            self._put(session, table, [{"label": label}], at)
            yield
            session.commit()

    def put_unreadable(self, table: str, label: str, at: datetime) -> None:
        self.put(table, [{"label": label}], at)
        day = "TO_DATE('-4712-02-01', 'SYYYY-MM-DD')"
        self._database.run(f'UPDATE {self._name(table)} SET "DAY" = {day} WHERE LABEL = :1', [label])

    def delete(self, table: str, labels: Sequence[str], at: datetime) -> None:
        for label in labels:
            self._database.run(f"DELETE FROM {self._name(table)} WHERE LABEL = :1", [label])

    def drop_column(self, table: str, column: str) -> None:
        self._database.run(f"ALTER TABLE {self._name(table)} DROP COLUMN {_column(column)}")

    def add_column(self, table: str, column: str, kind: str) -> None:
        self._database.run(f"ALTER TABLE {self._name(table)} ADD ({_column(column)} {TYPES[kind]})")

    def retype_column(self, table: str, column: str, kind: str) -> None:
        """Oracle makes a number wider in its place; else it takes empty columns only."""
        if kind != "long":
            self._database.run(f"UPDATE {self._name(table)} SET {_column(column)} = NULL")
        self._database.run(f"ALTER TABLE {self._name(table)} MODIFY ({_column(column)} {TYPES[kind]})")

    def rename_column(self, table: str, column: str, name: str) -> None:
        self._database.run(f"ALTER TABLE {self._name(table)} RENAME COLUMN {_column(column)} TO {_column(name)}")

    def drop_table(self, table: str) -> None:
        self._database.run(f"DROP TABLE {self._name(table)}")

    def collected_name(self, column: str) -> str:
        return column

    def _name(self, table: str) -> str:
        schema, _, name = table.partition(".")
        return f"{identifier(schema)}.{identifier(name)}"


def _column(name: str) -> str:
    return identifier(name.upper() if re.fullmatch(r"[a-z][a-z0-9_]*", name) else name)


def _is_moment(name: str, rows: Sequence[Row]) -> bool:
    return any(isinstance(row.get(name), datetime) for row in rows)


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return datetime.combine(value, time()) if isinstance(value, date) else value
