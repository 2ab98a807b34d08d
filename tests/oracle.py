"""A database that python-oracledb takes for an Oracle: the double, or a real one where ATOLL_ORACLE names it.

ATOLL_ORACLE is the address of a schema of one's own that tests may fill, as JSON: {"host": …, "port": …, "dbname": …, "username": …,
"password": …, "sslmode": …}. What makes users or changes their rights is skipped there.
"""

from __future__ import annotations

import json
import os
import ssl
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import oracledb

from doubles.oracle.listener import Listener
from infra.embedded.ports import LOOPBACK
from infra.embedded.tls import ensure_certificate
from tests.background import postgres_server

PASSWORD = "pa'ss \\w€"
RIGHTS = ("FLASHBACK", "DBMS_FLASHBACK", "GV$TRANSACTION")
REAL = os.environ.get("ATOLL_ORACLE", "")


@dataclass(frozen=True)
class Server:
    """certificate: of the double, in PEM."""

    listener: Listener
    certificate: str

    @property
    def port(self) -> int:
        return int(self.listener.server_address[1])


@dataclass(frozen=True)
class Database:
    """A schema of one test, and how its owner reaches it. server: the double; None for a real one."""

    server: Server | None
    name: str
    secret: Mapping[str, Any]

    @property
    def schema(self) -> str:
        return str(self.secret["username"]).upper()

    def connect(self) -> oracledb.Connection:
        """As the owner, in UTC."""
        context = ssl.create_default_context(cadata=self.secret.get("sslrootcert") or None)
        plain = self.secret.get("sslmode") == "disable"
        session = oracledb.connect(
            user=self.secret["username"],
            password=self.secret["password"],
            host=self.secret["host"],
            port=int(self.secret["port"]),
            service_name=self.secret["dbname"],
            **({"protocol": "tcp"} if plain else {"protocol": "tcps", "ssl_context": context, "ssl_server_dn_match": False}),
        )
        with session.cursor() as cursor:
            cursor.execute("ALTER SESSION SET TIME_ZONE = '+00:00'")
        return session

    def run(self, statement: str, *binds: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Executes and commits; the rows, if it answers any."""
        with self.connect() as session, session.cursor() as cursor:
            cursor.execute(statement, *binds)
            found = list(cursor.fetchall()) if cursor.description else []
            session.commit()
            return found


@contextmanager
def oracle_server(*, encrypted: bool = True) -> Iterator[Server]:
    """The double, over a PostgreSQL of its own."""
    with postgres_server() as (folder, port), tempfile.TemporaryDirectory() as made:
        files = ensure_certificate(Path(made))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        uri = f"host={folder} port={port} user=postgres dbname=postgres"
        listener = Listener((LOOPBACK, 0), uri, context if encrypted else None)
        listener.start()
        try:
            yield Server(listener, files.certificate.read_text())
        finally:
            listener.shutdown()
            listener.server_close()


@contextmanager
def fresh_database(server: Server, *rights: str) -> Iterator[Database]:
    """rights: of its user, beside those over its own tables."""
    name = f"t{uuid.uuid4().hex[:12]}"
    server.listener.databases.make(name)
    server.listener.databases.create_user(name, "ATOLL", PASSWORD, *(rights or RIGHTS))
    secret = {"host": LOOPBACK, "port": server.port, "dbname": name, "username": "atoll", "password": PASSWORD}
    try:
        yield Database(server, name, {**secret, "sslmode": "verify-full", "sslrootcert": server.certificate})
    finally:
        server.listener.states.forget(name)
        server.listener.databases.drop(name)


@contextmanager
def real_database() -> Iterator[Database]:
    """The one that ATOLL_ORACLE names, emptied afterwards."""
    secret = json.loads(REAL)
    database = Database(None, secret["dbname"], secret)
    yield database
    for (table,) in database.run("SELECT table_name FROM all_tables WHERE owner = :1", [database.schema]):
        database.run(f'DROP TABLE "{table}" CASCADE CONSTRAINTS PURGE')
