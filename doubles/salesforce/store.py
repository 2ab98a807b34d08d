"""The org's state on disk: one SQLite table an object, and the schemas, settings and jobs beside them."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from doubles.salesforce.schema import Field, ObjectSchema, object_from_json, object_to_json
from doubles.salesforce.soql_sql import CompiledQuery
from doubles.salesforce.values import Stored, csv_expression, java_double

_TABLES = """
CREATE TABLE IF NOT EXISTS _object (name TEXT PRIMARY KEY, definition TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _job (id TEXT PRIMARY KEY, definition TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _purged (object TEXT NOT NULL, id TEXT NOT NULL, at TEXT NOT NULL);
"""


class Store:
    """Rows, schemas, settings and jobs in one SQLite file; readers never wait for the one writer."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._write_lock = threading.RLock()
        self._connection.executescript(_TABLES)
        definitions = self._connection.execute("SELECT definition FROM _object ORDER BY name")
        self._objects = {one.name: one for one in (object_from_json(json.loads(row[0])) for row in definitions)}

    @property
    def _connection(self) -> sqlite3.Connection:
        """This thread's own connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            path = self.directory / "org.sqlite"
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
            connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY")
            connection.create_function("java_double", 1, java_double, deterministic=True)
            self._local.connection = connection
            self._connections.append(connection)
        return connection

    def close(self) -> None:
        """Close every thread's connection; the state stays on disk."""
        for connection in self._connections:
            connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The only way to write: all of the block's statements, or none."""
        with self._write_lock:
            connection = self._connection
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def objects(self) -> list[ObjectSchema]:
        """Every object, by name."""
        return sorted(self._objects.values(), key=lambda one: one.name)

    def find_object(self, name: str) -> ObjectSchema | None:
        """The object of that name, in any case, as Salesforce finds it."""
        found = self._objects.get(name)
        return found or next((one for one in self._objects.values() if one.name.lower() == name.lower()), None)

    def save_object(self, schema: ObjectSchema) -> None:
        """Create an object's table, or add and drop columns until it is the schema's."""
        with self.transaction() as connection:
            self._shape_table(connection, schema)
            definition = json.dumps(object_to_json(schema))
            connection.execute("INSERT OR REPLACE INTO _object VALUES (?, ?)", (schema.name, definition))
            self._objects = {**self._objects, schema.name: schema}

    def _shape_table(self, connection: sqlite3.Connection, schema: ObjectSchema) -> None:
        wanted = [one.name for one in schema.stored_fields()]
        present = [row[1] for row in connection.execute(f'PRAGMA table_info("{schema.name}")')]
        if not present:
            columns = ", ".join(f'"{name}"' + (" NOT NULL UNIQUE" if name == "Id" else "") for name in wanted)
            connection.execute(f'CREATE TABLE "{schema.name}" ({columns})')
            connection.execute(f'CREATE INDEX "{schema.name}.modified" ON "{schema.name}" ("SystemModstamp")')
            return
        for name in present:
            if name not in wanted:
                if name == "SystemModstamp":
                    connection.execute(f'DROP INDEX IF EXISTS "{schema.name}.modified"')
                connection.execute(f'ALTER TABLE "{schema.name}" DROP COLUMN "{name}"')
        for name in wanted:
            if name not in present:
                connection.execute(f'ALTER TABLE "{schema.name}" ADD COLUMN "{name}"')
        booleans = [one.name for one in schema.stored_fields() if one.type == "boolean" and one.name not in present]
        for name in booleans:
            connection.execute(f'UPDATE "{schema.name}" SET "{name}" = 0')

    def fill(self, schema: ObjectSchema, names: Sequence[str], rows: Sequence[Sequence[Stored]]) -> None:
        """Give a table that is no object of the org's these rows and no others."""
        with self.transaction() as connection:
            self._shape_table(connection, schema)
            connection.execute(f'DELETE FROM "{schema.name}"')
            self.insert_rows(schema, names, rows)

    def rename_column(self, name: str, column: str, new_name: str) -> None:
        with self.transaction() as connection:
            connection.execute(f'ALTER TABLE "{name}" RENAME COLUMN "{column}" TO "{new_name}"')

    def drop_object(self, name: str) -> None:
        """Remove an object and its rows."""
        with self.transaction() as connection:
            connection.execute(f'DROP TABLE "{name}"')
            connection.execute("DELETE FROM _object WHERE name = ?", (name,))
            self._objects = {key: one for key, one in self._objects.items() if key != name}

    def setting(self, name: str) -> Any:
        """A stored JSON value; None if there is none."""
        row = self._connection.execute("SELECT value FROM _setting WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def save_setting(self, name: str, value: Any) -> None:
        """Store a JSON value."""
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO _setting VALUES (?, ?)", (name, json.dumps(value)))

    def reserve_numbers(self, name: str, count: int) -> int:
        """The first of `count` consecutive numbers of a sequence that nobody else gets."""
        with self.transaction():
            first = int(self.setting(f"sequence.{name}") or 1)
            self.save_setting(f"sequence.{name}", first + count)
        return first

    def save_job(self, job_id: str, definition: dict[str, Any]) -> None:
        """Store a Bulk job."""
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO _job VALUES (?, ?)", (job_id, json.dumps(definition)))

    def delete_job(self, job_id: str) -> None:
        """Forget a Bulk job."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM _job WHERE id = ?", (job_id,))

    def jobs(self) -> list[dict[str, Any]]:
        """Every Bulk job, oldest first."""
        return [json.loads(row[0]) for row in self._connection.execute("SELECT definition FROM _job ORDER BY rowid")]

    def purge(self, name: str, record_id: str, at: str) -> None:
        """Remove a row for good; only the log of deletions has it from now on."""
        with self.transaction() as connection:
            connection.execute(f'DELETE FROM "{name}" WHERE "Id" = ?', (record_id,))
            connection.execute("INSERT INTO _purged VALUES (?, ?, ?)", (name, record_id, at))

    def purged(self, name: str, first: str, last: str) -> list[tuple[str, str]]:
        """Ids of an object's rows that were removed, and when they were deleted, in the half-open span."""
        found = self._connection.execute("SELECT id, at FROM _purged WHERE object = ? AND at >= ? AND at < ?", (name, first, last))
        return list(found)

    def insert_rows(self, schema: ObjectSchema, names: Sequence[str], rows: Iterable[Sequence[Stored]]) -> None:
        """Add rows of stored values, in the order of `names`."""
        columns = ", ".join(f'"{name}"' for name in names)
        marks = ", ".join("?" * len(names))
        with self.transaction() as connection:
            connection.executemany(f'INSERT INTO "{schema.name}" ({columns}) VALUES ({marks})', rows)

    def rows(self, schema: ObjectSchema, condition: str, parameters: Sequence[Stored]) -> list[dict[str, Stored]]:
        """The rows that meet a condition in SQL, as stored values by field name, in insertion order."""
        names = [one.name for one in schema.stored_fields()]
        columns = ", ".join(f'"{name}"' for name in names)
        sql = f'SELECT {columns} FROM "{schema.name}" WHERE {condition} ORDER BY rowid'
        return [dict(zip(names, row, strict=True)) for row in self._connection.execute(sql, tuple(parameters))]

    def count(self, query: CompiledQuery) -> int:
        """How many rows a query finds."""
        sql = f'SELECT count(*) FROM (SELECT 1 FROM "{query.schema.name}"{query.tail})'
        return int(self._connection.execute(sql, query.parameters).fetchone()[0])

    def count_present(self, schema: ObjectSchema) -> int:
        """How many records are not in the recycle bin."""
        return int(self._connection.execute(f'SELECT count(*) FROM "{schema.name}" WHERE "IsDeleted" = 0').fetchone()[0])

    def row_numbers(self, query: CompiledQuery) -> list[int]:
        """The rowids that a query finds, in its order."""
        sql = f'SELECT rowid FROM "{query.schema.name}"{query.tail}'
        return [row[0] for row in self._connection.execute(sql, query.parameters)]

    def rows_by_number(self, schema: ObjectSchema, fields: Sequence[Field], numbers: Sequence[int]) -> list[dict[str, Stored]]:
        """The rows with these rowids, in this order; a field that is gone by now is null."""
        present = {one.name for one in (self._objects.get(schema.name) or schema).stored_fields()}
        names = [one.name for one in fields if one.name in present]
        columns = ", ".join(["rowid", *(f'"{name}"' for name in names)])
        marks = ", ".join("?" * len(numbers))
        sql = f'SELECT {columns} FROM "{schema.name}" WHERE rowid IN ({marks})'
        found = {row[0]: dict(zip(names, row[1:], strict=True)) for row in self._connection.execute(sql, numbers)}
        return [found[number] for number in numbers if number in found]

    def csv_rows(self, query: CompiledQuery) -> sqlite3.Cursor:
        """A query's rows as the texts of a Bulk result; the cursor sees the rows as they are now, whatever follows."""
        columns = ", ".join(csv_expression(one) for one in query.fields)
        return self._connection.cursor().execute(f'SELECT {columns} FROM "{query.schema.name}"{query.tail}', query.parameters)
