"""A database of one test's own, as the conformance suite and the slice's tests use it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row

from shared_metadata.program.schema import SchemaColumn
from slices.harness.postgres import database
from slices.harness.postgres.handlers import open_catalog, open_target
from slices.harness.postgres.logic import PostgresDialect
from systems.postgres.type_mapping import postgres_type
from tests.conformance.harness import Rows

PASSWORD = "s3cr3t-öf-publisher"


class Database:
    """A database of one test's own, with a user who publishes; the suite's TargetUnderTest."""

    slice_id, connection, table = "harness.postgres", "ops", "public.scorecard"
    dialect, receipts_schema, sessions = PostgresDialect(), "atoll", database
    open_target, open_catalog = staticmethod(open_target), staticmethod(open_catalog)

    def __init__(self, folder: str, port: int, name: str) -> None:
        self.options: dict[str, Any] = {}
        self.secret = {"host": folder, "port": port, "dbname": name, "username": name, "password": PASSWORD, "sslmode": "disable"}
        self.refused = {**self.secret, "password": "wr0ng-passw0rd"}
        self.down = {**self.secret, "port": 1}
        self.admin = f"host={folder} port={port} dbname={name} user=postgres"

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Rows:
        with psycopg.connect(self.admin, autocommit=True, row_factory=dict_row) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            cursor = connection.execute(statement, values or None)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def create(self, columns: Sequence[SchemaColumn], key: Sequence[str]) -> None:
        plain = [{"name": c.name, "type": c.type} for c in columns]
        self.execute(self.dialect.create_table(self.dialect.new_table("public", "scorecard", plain, key), key))
        self.execute(f'ALTER TABLE public.scorecard OWNER TO "{self.secret["username"]}"')

    def make(self, definition: str) -> None:
        table = definition.partition(" ")[0]
        self.execute(f'CREATE TABLE {definition}; ALTER TABLE {table} OWNER TO "{self.secret["username"]}"')

    def tables_of_receipts(self) -> list[str]:
        return [row["tablename"] for row in self.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'atoll' ORDER BY 1")]

    @contextmanager
    def transaction(self) -> Iterator[tuple[Callable[[str], Any], Callable[[], None]]]:
        with psycopg.connect(self.admin) as connection:
            yield connection.execute, connection.commit

    def insert(self, rows: Rows) -> None:
        for row in rows:
            marks = ", ".join(["%s"] * len(row))
            self.execute(f"INSERT INTO public.scorecard ({', '.join(row)}) VALUES ({marks})", list(row.values()))

    def rows(self) -> Rows:
        return self.execute("SELECT * FROM public.scorecard")

    def widen(self, column: str, type: str) -> None:
        self.execute(f"ALTER TABLE public.scorecard ALTER COLUMN {column} TYPE {postgres_type(type)}")

    def read_while(self, during: Callable[[], Any]) -> list[int]:
        seen: list[int] = []
        stop, started = threading.Event(), threading.Event()

        def read() -> None:
            with psycopg.connect(self.admin, autocommit=True) as connection:
                while not stop.is_set():
                    seen.append(connection.execute("SELECT count(*) FROM public.scorecard").fetchone()[0])  # type: ignore[index]
                    started.set()

        reader = threading.Thread(target=read)
        reader.start()
        started.wait(10)
        try:
            during()
        finally:
            stop.set()
            reader.join()
        return seen
