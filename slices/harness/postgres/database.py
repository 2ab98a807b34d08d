"""Connects to PostgreSQL, reads its catalog, and turns its errors into Atoll's, which never hold a value."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from shared_metadata.contract.duckdb_session import identifier
from shared_metadata.contract.steps import Deadline
from shared_metadata.errors import AtollError, DefinitionError, RetryLater, RowError, SecretError
from slices.harness.postgres.config import Credentials
from slices.harness.postgres.logic import TargetColumn, TargetTable

CONNECT_TIMEOUT_SECONDS = 10
LOCK_TIMEOUT_SECONDS = 15
IDLE_SECONDS = 60.0  # in a transaction, between two statements: then its worker is gone, and what it locked is free again
TRIES = 4
REFUSED = ("authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry", "is not permitted to log in")
MISTRUSTED = ("certificate", "SSL", "root.crt")
# https://www.postgresql.org/docs/current/errcodes-appendix.html
MISFITS = {
    "22001": "a value is too long",
    "22003": "a value is out of range",
    "22007": "a value is not a date or time",
    "22008": "a date or time is out of range",
    "22021": "a text holds a character that the database's encoding does not have, or U+0000",
    "22P02": "a value cannot be read as the column's type",
    "22P05": "a text holds a character that the database's encoding does not have",
    "23502": "a value is null",
    "23503": "a row breaks a foreign key",
    "23505": "a row breaks a unique constraint",
    "23514": "a row breaks a check constraint",
    "23P01": "a row breaks an exclusion constraint",
    "P0001": "a trigger refuses a row",
}
REFUSED_REMEDY = "change the query or the table so that they fit, or set such rows aside with TOLERATE … BAD ROWS"
# A peer that is gone, or a network that lets nothing through, is noticed within a minute.
SILENCE: dict[str, Any] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]


def connect(credentials: Credentials, place: str, reference: str, deadline: Deadline) -> Connection:
    """A connection in UTC that gives up when the step must end. Raises SecretError or RetryLater."""
    try:
        connection = psycopg.connect(
            host=credentials.host,
            port=credentials.port,
            dbname=credentials.dbname,
            user=credentials.username,
            password=credentials.password,
            sslmode=credentials.sslmode,
            sslrootcert=_certificate(credentials.sslrootcert) if credentials.sslrootcert else None,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            application_name="atoll",
            client_encoding="UTF8",
            **SILENCE,
            autocommit=True,
            prepare_threshold=None,  # connection poolers in transaction mode know no prepared statements
        )
    except psycopg.OperationalError as error:
        raise _unconnected(str(error), place, reference) from None
    limit_ms = max(1000, int(deadline.seconds_left * 1000))
    for setting in ("TimeZone = 'UTC'", "DateStyle = 'ISO'", "IntervalStyle = 'postgres'", "extra_float_digits = 3"):
        connection.execute(f"SET {setting}")
    connection.execute(f"SET statement_timeout = {limit_ms}")
    connection.execute(f"SET lock_timeout = {LOCK_TIMEOUT_SECONDS * 1000}")
    connection.execute(f"SET idle_in_transaction_session_timeout = {int(IDLE_SECONDS * 1000)}")
    return connection


def _certificate(text: str) -> str:
    """libpq wants a file."""
    path = Path(tempfile.gettempdir()) / f"atoll-{hashlib.sha256(text.encode()).hexdigest()[:16]}.pem"
    path.write_text(text)
    return str(path)


def _unconnected(text: str, place: str, reference: str) -> AtollError:
    """libpq gives no code for these, only a text, which may hold the secret's values."""
    if any(part in text for part in REFUSED):
        remedy = f"correct username, password and dbname in the secret atoll/{reference}, or let this user in (pg_hba.conf)"
        return SecretError(f"PostgreSQL refused the credentials of secret {reference!r}", place=place, remedy=remedy)
    if any(part in text for part in MISTRUSTED):
        remedy = f"correct sslmode and sslrootcert in the secret atoll/{reference}"
        return SecretError(f"no trusted TLS connection with the sslmode of secret {reference!r}", place=place, remedy=remedy)
    remedy = f"see that it runs, that host and port in the secret atoll/{reference} are right and that the network lets this in"
    return RetryLater("PostgreSQL does not answer", place=place, remedy=remedy)


@contextmanager
def translated(place: str, table: TargetTable | None, user: str, columns: Sequence[str] = ()) -> Iterator[None]:
    """Raises psycopg's errors as Atoll's; of what the server said only names of columns and constraints are kept."""
    try:
        yield
    except psycopg.Error as error:
        raise _explained(error, place, table, user, columns) from None


def _explained(error: psycopg.Error, place: str, table: TargetTable | None, user: str, columns: Sequence[str]) -> AtollError:
    state, where = error.sqlstate or "", f" of {table.schema}.{table.name}" if table else ""
    if state[:2] in ("08", "53", "57", "40") or state in ("25P03", "55P03", "55006", "42P07") or not state:
        remedy = "nothing if it passes; else see the server's load and who holds locks on the table"
        return RetryLater(f"PostgreSQL broke off ({_word(error)}) while writing{where}", place=place, remedy=remedy)
    if why := refusal(error, columns):
        return RowError(f"{why}{where}", place=place, remedy=REFUSED_REMEDY)
    if state == "42501":
        grant = f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table.sql} TO {identifier(user)}" if table else "grant it"
        if table and not table.exists:
            grant = f"GRANT CREATE ON SCHEMA {identifier(table.schema)} TO {identifier(user)}, or create the table yourself"
        return DefinitionError(f"the user may not write{where or ' here'}", place=place, remedy=grant)
    if state == "3F000" and table:
        create = f"CREATE SCHEMA {identifier(table.schema)} AUTHORIZATION {identifier(user)}"
        return DefinitionError(f"the schema {table.schema} does not exist", place=place, remedy=create)
    if state == "42P01":
        return RetryLater(f"a table went away while writing{where}", place=place)
    return DefinitionError(
        f"PostgreSQL refused to write ({_word(error)} {state}){where}", place=place, remedy="see the table's definition"
    )


def refusal(error: psycopg.Error, columns: Sequence[str] = ()) -> str:
    """Why the database refuses a row, in names of columns and constraints; '' for what no row is to blame for."""
    state = error.sqlstate or ""
    if state[:2] not in ("22", "23") and state not in MISFITS:
        return ""
    column = error.diag.column_name or _column_of(error.diag.context or "", columns)
    named = f" in column {column}" if column else ""
    named += f" ({error.diag.constraint_name})" if error.diag.constraint_name else ""
    return MISFITS.get(state, f"a value does not fit ({_word(error)})") + named


def _word(error: psycopg.Error) -> str:
    return type(error).__name__


def _column_of(context: str, columns: Sequence[str]) -> str:
    """'COPY stage_x, line 3, column name: "value"' ▸ 'name'; the value is left where it is."""
    _, _, rest = context.partition(", column ")
    return max((name for name in columns if rest == name or rest.startswith((f"{name}:", f"{name},"))), key=len, default="")


def retried(work: Callable[[], T]) -> T:
    """Runs a transaction again when the server broke it off to serialise it with another (deadlock, serialization)."""
    for attempt in range(1, TRIES + 1):
        try:
            return work()
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
            if attempt == TRIES:
                raise
    raise AssertionError("unreachable")


def read_table(connection: Connection, schema: str, name: str) -> TargetTable | None:
    """The table by its exact name, or the only one whose name differs in case; None when there is none."""
    found = connection.execute(
        "SELECT c.oid, n.nspname, c.relname, c.relkind::text FROM pg_catalog.pg_class c "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE lower(n.nspname) = lower(%s) AND lower(c.relname) = lower(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') "
        "ORDER BY (n.nspname = %s AND c.relname = %s) DESC",
        (schema, name, schema, name),
    ).fetchall()
    exact = [row for row in found if row[1:3] == (schema, name)] or found
    if not exact:
        return None
    if len(exact) > 1 or exact[0][3] not in "rp":
        what = "are several tables that differ in case" if len(exact) > 1 else "is a view or a foreign table"
        raise DefinitionError(f"{schema}.{name} {what}", remedy="publish to an ordinary table")
    oid, schema, name, _ = exact[0]
    return TargetTable(schema, name, tuple(_columns(connection, oid)), tuple(_unique(connection, oid)))


def _columns(connection: Connection, oid: int) -> Iterator[TargetColumn]:
    rows = connection.execute(
        "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), "
        "CASE WHEN t.typtype = 'd' THEN b.typname ELSE t.typname END, "
        "a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', a.attidentity = 'a' OR (to_jsonb(a)->>'attgenerated') > '' "
        "FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
        "LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype "
        "WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        (oid,),
    )
    for name, kind, base, required, generated in rows:
        yield TargetColumn(name, kind, base, bool(required), bool(generated))


def _unique(connection: Connection, oid: int) -> Iterator[frozenset[str]]:
    """Columns of unique indexes that ON CONFLICT can use."""
    rows = connection.execute(
        "SELECT array_agg(a.attname::text) FROM pg_catalog.pg_index i "
        "CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1]) k(n) "
        "LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n "
        "WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL "
        "AND i.indexprs IS NULL GROUP BY i.indexrelid",
        (oid,),
    )
    for (columns,) in rows:
        yield frozenset(columns)
