"""The door of the collect suite to a real MariaDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from unittest.mock import patch

from shared_metadata.contract.collect import OpenSource
from shared_metadata.program import Mode
from slices.collect.mysql import horizon
from slices.collect.mysql.client import open_source
from slices.collect.mysql.slice import SLICE
from systems.mysql.catalog import identifier
from tests.conformance import hostile
from tests.conformance.collect import Row
from tests.mariadb import PASSWORD, Database

TYPES = {"string": "text", "double": "double", "boolean": "boolean", "date": "date"}
TYPES |= {"int": "int", "long": "bigint", "timestamptz": "timestamp(6) NULL"}
GRANTS = ("SELECT ON {name}.*", "PROCESS ON *.*")
LABEL = "varchar(300) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin UNIQUE"
MANY = 1000  # rows, from which on the server is told to look at them


class MysqlUnderTest:
    """Tables of a database whose rows carry when they were changed."""

    declaration = SLICE
    options: Mapping[str, Any] = {"lag": "0 seconds"}
    incremental: Mapping[str, Any] = {"mode": Mode.MERGE, "key": ("label",), "cursor": "updated_at"}
    appending: Mapping[str, Any] = {"mode": Mode.APPEND, "cursor": "updated_at"}
    large_rows, most_columns = 10_000, 190
    # MySQL's names end in no space, and have no characters beyond the first 65,536.
    hostile_names = tuple(name for name in hostile.NAMES if not name.endswith(" ") and max(name) < "\U00010000")
    unreadable_day = "0000"
    moments = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 7, 999999, tzinfo=UTC)
    secret_values = (PASSWORD,)

    def __init__(self, database: Database) -> None:
        self._database, self._made = database, 0
        self.secret = database.secret
        self.refused_secret = {**database.secret, "password": PASSWORD + "!"}
        self.unreachable_secret = {**database.secret, "port": 1}

    def open_source(self, aws: Any) -> OpenSource:
        return partial(open_source, aws=aws)

    def create_table(self, columns: Mapping[str, str]) -> str:
        """Its key is one that no `*` stands for."""
        self._made += 1
        name = f"Thing {self._made}"
        listed = ", ".join(f"{identifier(n)} {LABEL if n == 'label' else TYPES[kind]}" for n, kind in columns.items())
        key = "`in order` bigint INVISIBLE AUTO_INCREMENT PRIMARY KEY"
        self._run(f"CREATE TABLE {identifier(name)} ({listed}, updated_at timestamp(6) NULL, KEY (updated_at), {key})")
        return f"{self._database.name}.{name}"

    def put(self, table: str, rows: Sequence[Row], at: datetime) -> None:
        columns = sorted({name for row in rows for name in row})
        names = [identifier(name) for name in (*columns, "updated_at")]
        marks = ", ".join("%s" for _ in names)
        updates = ", ".join(f"{name} = VALUES({name})" for name in names).replace("%", "%%")
        into = ", ".join(names).replace("%", "%%")
        statement = f"INSERT INTO {self._name(table)} ({into}) VALUES ({marks}) ON DUPLICATE KEY UPDATE {updates}"
        with self._connect() as session, session.cursor() as cursor:
            for row in rows if len(rows) < MANY else ():
                cursor.execute(statement, [_value(row.get(name)) for name in columns] + [_value(at)])
            for start in range(0, len(rows) if len(rows) >= MANY else 0, MANY):
                values = [[_value(row.get(name)) for name in columns] + [_value(at)] for row in rows[start : start + MANY]]
                several = statement.replace(f"({marks})", ", ".join([f"({marks})"] * len(values)))
                cursor.execute(several, [value for row in values for value in row])
        if len(rows) >= MANY:
            self._run(f"ANALYZE TABLE {self._name(table)}")

    @contextmanager
    def put_slowly(self, table: str, label: str, at: datetime) -> Iterator[None]:
        """Nobody waits for it to end."""
        with patch.object(horizon, "WAIT_SECONDS", 0.0), self._connect() as session, session.cursor() as cursor:
            cursor.execute("START TRANSACTION")
            cursor.execute(f"INSERT INTO {self._name(table)} (label, updated_at) VALUES (%s, %s)", (label, _value(at)))
            yield
            session.commit()

    def put_unreadable(self, table: str, label: str, at: datetime) -> None:
        with self._connect() as session, session.cursor() as cursor:
            cursor.execute("SET sql_mode = ''")
            statement = f"INSERT INTO {self._name(table)} (label, day, updated_at) VALUES (%s, '0000-00-00', %s)"
            cursor.execute(statement, (label, _value(at)))

    def delete(self, table: str, labels: Sequence[str], at: datetime) -> None:
        with self._connect() as session, session.cursor() as cursor:
            cursor.execute(f"DELETE FROM {self._name(table)} WHERE label IN %s", (list(labels),))

    def drop_column(self, table: str, column: str) -> None:
        self._run(f"ALTER TABLE {self._name(table)} DROP COLUMN {identifier(column)}")

    def add_column(self, table: str, column: str, kind: str) -> None:
        self._run(f"ALTER TABLE {self._name(table)} ADD COLUMN {identifier(column)} {TYPES[kind]}")

    def retype_column(self, table: str, column: str, kind: str) -> None:
        self._run(f"ALTER TABLE {self._name(table)} MODIFY COLUMN {identifier(column)} {TYPES[kind]}")

    def rename_column(self, table: str, column: str, name: str) -> None:
        self._run(f"ALTER TABLE {self._name(table)} RENAME COLUMN {identifier(column)} TO {identifier(name)}")

    def drop_table(self, table: str) -> None:
        self._run(f"DROP TABLE {self._name(table)}")

    def collected_name(self, column: str) -> str:
        return column

    def _name(self, table: str) -> str:
        return ".".join(map(identifier, table.split(".")))

    def _connect(self) -> Any:
        """As whoever writes there, in UTC."""
        session = self._database.connect()
        with session.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00'")
        return session

    def _run(self, statement: str) -> None:
        self._database.run(statement)


def _value(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value
