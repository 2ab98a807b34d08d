"""A PostgreSQL that is asked how it names and types a query, beside how the compiler does; the server runs none of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import pq

from language.dialects.postgres.context import Context
from language.dialects.postgres.kinds import UNKNOWN
from language.dialects.postgres.misread import syntax_problem
from language.dialects.postgres.parser import NotRead, Text, parse
from language.dialects.postgres.scope import Column
from language.dialects.postgres.type_words import source_kind
from tests.background import postgres_server

REFUSED, UNTOLD = "refused", "untold"
COLUMNS = {
    **{"b": "boolean", "si": "smallint", "i": "integer", "l": "bigint", "f": "real", "d": "double precision", "n": "numeric(10,2)"},
    **{"m": "numeric", "s": "text", "vc": "character varying(10)", "dt": "date", "tm": "time without time zone", "u": "uuid"},
    **{"ts": "timestamp without time zone", "tz": "timestamp with time zone", "iv": "interval", "x": "bytea", "j": "jsonb"},
    **{"ai": "integer[]", "en": "mood", "o": "json", "r": "int4range", "at": "text[]", "nm": "name", "c": "character(3)"},
}
Columns = list[tuple[str, str]]  # name and type, as pg_type has it


@dataclass
class Oracle:
    session: psycopg.Connection[Any]
    names: dict[int, str]

    def columns(self, sql: str) -> Columns | str:
        """What PostgreSQL says of the query's columns; REFUSED and why."""
        connection = self.session.pgconn
        if (prepared := connection.prepare(b"", sql.encode())).status != pq.ExecStatus.COMMAND_OK:
            return f"{REFUSED}: {prepared.error_message.decode().splitlines()[0]}"
        found = connection.describe_prepared(b"")
        return [((found.fname(n) or b"").decode(), self.names[found.ftype(n)]) for n in range(found.nfields)]


@contextmanager
def oracle() -> Iterator[Oracle]:
    """With tables t and v of all COLUMNS, in a database of its own."""
    with postgres_server() as (host, port), ExitStack() as sessions:
        admin, name = {"host": host, "port": port, "user": "postgres", "autocommit": True}, f"oracle{uuid.uuid4().hex[:10]}"
        with psycopg.connect(dbname="postgres", **admin) as session:
            session.execute(f"CREATE DATABASE {name}")
        session = sessions.enter_context(psycopg.connect(dbname=name, **admin))
        session.execute("CREATE TYPE mood AS ENUM ('good', 'bad')")
        for table in "tv":
            session.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})")
        yield Oracle(session, dict(session.execute("SELECT oid, typname FROM pg_type").fetchall()))


def ours(sql: str, columns: dict[str, str] = COLUMNS) -> Columns | str:
    """What the compiler says of the query's columns; UNTOLD for a type that it wants to be CAST."""
    text = Text(sql)
    try:
        statement = parse(text)["SelectStmt"]
    except NotRead as refused:
        return f"{REFUSED}: {syntax_problem(text, refused).cause}"
    tables = {name: [Column(c, source_kind(kind), frozenset({(name, c)}), (name, c)) for c, kind in columns.items()] for name in "tv"}
    context = Context(text, {("t",): "t", ("v",): "v"}, tables)
    outputs, _ = context.query(statement, None)
    if context.problems:
        return f"{REFUSED}: {context.problems[0].cause}"
    kinds = ["text" if o.expr.kind == UNKNOWN else o.expr.kind.name if o.expr.kind is not None else UNTOLD for o in outputs]
    return [(output.name, kind) for output, kind in zip(outputs, kinds, strict=True)]
