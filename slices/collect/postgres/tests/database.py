"""A PostgreSQL database of one test, and how Atoll's user reaches it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

PASSWORD = "pa'ss \\w\"ord €"


@dataclass(frozen=True)
class Database:
    """Reached through the server's socket; the admin needs no password, Atoll's user does."""

    host: str
    port: int
    name: str

    @property
    def user(self) -> str:
        return f"{self.name}_reader"

    @property
    def secret(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.name,
            "username": self.user,
            "password": PASSWORD,
            "sslmode": "prefer",
        }

    def run(self, statement: str, parameters: Sequence[Any] | None = None, *, database: str = "") -> list[tuple[Any, ...]]:
        """Executes as the database's owner; the rows, if it answers any."""
        with psycopg.connect(host=self.host, port=self.port, dbname=database or self.name, user="postgres", autocommit=True) as c:
            answer = c.execute(statement, parameters)  # type: ignore[call-overload]
            return answer.fetchall() if answer.description else []

    def create(self, encoding: str = "UTF8") -> None:
        role, name = sql.Identifier(self.user), sql.Identifier(self.name)
        with psycopg.connect(host=self.host, port=self.port, dbname="postgres", user="postgres", autocommit=True) as c:
            c.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(PASSWORD)))
            own = (
                sql.SQL("")
                if encoding == "UTF8"
                else sql.SQL("ENCODING {} LOCALE 'C' TEMPLATE template0").format(sql.Literal(encoding))
            )
            c.execute(sql.SQL("CREATE DATABASE {} STRATEGY FILE_COPY {}").format(name, own))
        self.run(f'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO "{self.user}"')

    def drop(self) -> None:
        self.run(f'DROP DATABASE "{self.name}" WITH (FORCE)', database="postgres")
        self.run(f'DROP ROLE "{self.user}"', database="postgres")
