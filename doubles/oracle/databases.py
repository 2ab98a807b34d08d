"""The databases of the double: PostgreSQL's, with what Oracle has beside it; users are roles with a schema each."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

PRELUDE = Path(__file__).with_name("prelude.sql")
# Of what Oracle's own account grants, what PostgreSQL has no word for.
RIGHTS = ("FLASHBACK", "DBMS_FLASHBACK")


class Databases:
    """uri: of a superuser of the PostgreSQL server; a service of Oracle's is a database there."""

    def __init__(self, uri: str) -> None:
        self._uri, self._lock = uri, threading.Lock()
        self._administering: dict[str, psycopg.Connection[Any]] = {}

    def make(self, name: str) -> None:
        with psycopg.connect(self._uri, autocommit=True) as session:
            session.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'").format(sql.Identifier(name)))
        with self.connect(name) as session:
            session.execute(PRELUDE.read_bytes())

    def drop(self, name: str) -> None:
        roles = [role for (role,) in self.ask(name, "SELECT role FROM oracle.users")]
        self._administering.pop(name).close()
        with psycopg.connect(self._uri, autocommit=True) as session:
            session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            for role in roles:
                session.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))

    def create_user(self, database: str, name: str, password: str, *rights: str) -> None:
        """rights: 'FLASHBACK' (on any table), 'DBMS_FLASHBACK', 'GV$TRANSACTION', 'EXEMPT ACCESS POLICY'."""
        role = f"{database}_{name.lower()}"
        with self.connect(database) as session:
            bypass = "BYPASSRLS" if "EXEMPT ACCESS POLICY" in rights else "NOBYPASSRLS"
            session.execute(sql.SQL(f"CREATE ROLE {{}} {bypass}").format(sql.Identifier(role)))  # type: ignore[arg-type]
            session.execute("INSERT INTO oracle.users VALUES (%s, %s, %s)", (name, password, role))
            named = {"schema": sql.Identifier(name), "role": sql.Identifier(role)}
            session.execute(sql.SQL("CREATE SCHEMA {schema} AUTHORIZATION {role}").format(**named))
            session.execute(sql.SQL("GRANT USAGE ON SCHEMA {schema} TO PUBLIC").format(**named))
            for right in rights:
                if right in RIGHTS:
                    session.execute("INSERT INTO oracle.rights VALUES (%s, %s)", (name, right))
            if "GV$TRANSACTION" in rights:
                session.execute(sql.SQL('GRANT SELECT ON oracle."GV$TRANSACTION" TO {role}').format(**named))

    def user(self, database: str, name: str) -> tuple[str, str] | None:
        """A user's password, and the role that it is. Raises psycopg.Error where there is no such database."""
        found = self.ask(database, "SELECT password, role FROM oracle.users WHERE name = %s", (name,))
        return found[0] if found else None

    def ask(self, database: str, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """As the superuser, beside all transactions of others. Raises psycopg.OperationalError where there is no such database."""
        with self._lock:
            if database not in self._administering:
                self._administering[database] = self.connect(database)
            return self._administering[database].execute(query, parameters).fetchall()  # type: ignore[arg-type]

    def connect(self, database: str) -> psycopg.Connection[Any]:
        """As the superuser, each statement by itself."""
        return psycopg.connect(self._uri, dbname=database, autocommit=True)

    def sign_in(self, database: str, name: str, role: str) -> psycopg.Connection[Any]:
        """As a user, in UTC."""
        session = self.connect(database)
        session.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(role)))
        path = sql.SQL(", ").join(map(sql.Identifier, (name, "oracle", "pg_catalog")))
        session.execute(sql.SQL("SET search_path = {}; SET timezone = 'UTC'").format(path))
        return session
