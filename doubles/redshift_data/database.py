"""The databases of warehouses: each a PostgreSQL database, made when it is asked for first, with what Redshift has beside it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

PRELUDE = Path(__file__).with_name("prelude.sql")
# What Redshift does and PostgreSQL does only if it is told: a backslash escapes in a text. And settings of the user's own, by which
# nobody computes.
SETTINGS = {
    "search_path": "redshift_double, pg_catalog, public",
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "backslash_quote": "on",
    "timezone": "'Asia/Kolkata'",
    "datestyle": "'ISO, DMY'",
    "default_transaction_isolation": "'repeatable read'",
}
Connect = Callable[[str], "psycopg.Connection[Any]"]  # a database's name ▸ a connection that commits by itself


class Databases:
    """connect: to a database of the server; '' for the one that is there.  prefix: of the names of those that are made here."""

    def __init__(self, connect: Connect, prefix: str = "redshift") -> None:
        self._connect, self._prefix = connect, prefix
        self._made, self._idle = set[str](), dict[str, list[psycopg.Connection[Any]]]()
        self._lock = threading.Lock()

    def open(self, warehouse: str, database: str) -> psycopg.Connection[Any]:
        """A connection to a warehouse's database, in no transaction, that commits when it is told."""
        name = self.name(warehouse, database)
        with self._lock:
            if name not in self._made:
                self._make(name)
                self._made.add(name)
            idle = self._idle.setdefault(name, [])
            connection = idle.pop() if idle else None
        connection = connection or self._connect(name)
        connection.autocommit = True
        connection.execute("; ".join(f"SET {setting} = {value}" for setting, value in SETTINGS.items()))
        connection.autocommit = False
        return connection

    def close(self, connection: psycopg.Connection[Any]) -> None:
        """Keeps a connection for the next session, which finds nothing of this one."""
        if connection.closed or connection.broken:
            return
        connection.rollback()
        connection.execute("DISCARD TEMP")
        connection.commit()
        self._idle[connection.info.dbname].append(connection)

    def name(self, warehouse: str, database: str) -> str:
        return f"{self._prefix}_{hashlib.sha256(f'{warehouse}/{database}'.encode()).hexdigest()[:16]}"

    def clear(self, warehouse: str, database: str) -> None:
        """Empties a warehouse's database."""
        connection = self.open(warehouse, database)
        with connection.transaction():
            found = connection.execute(
                "SELECT nspname FROM pg_namespace "
                "WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'redshift_double')"
            ).fetchall()
            for (name,) in found:
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
            connection.execute("CREATE SCHEMA public")
        self.close(connection)

    def _make(self, name: str) -> None:
        with self._connect("") as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                return
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name)))
        with self._connect(name) as connection:
            connection.execute(PRELUDE.read_bytes())
