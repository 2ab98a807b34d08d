"""One session: statements run in PostgreSQL as a user's role, in the transactions that Oracle would have them in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.types.datetime import TimestampLoader

from doubles.oracle import values
from doubles.oracle.databases import Databases
from doubles.oracle.definitions import VISIBILITY, define, is_definition
from doubles.oracle.errors import OracleError, of_postgres
from doubles.oracle.states import States
from doubles.oracle.translation import Translated, translate

_KINDS = {
    **dict.fromkeys(("int2", "int4", "int8", "numeric"), values.NUMBER),
    "float4": values.FLOAT,
    "float8": values.DOUBLE,
    "timestamp": values.TIMESTAMP,
    "timestamptz": values.ZONED,
    "bytea": values.RAW,
    "bool": values.BOOLEAN,
    "bpchar": values.CHAR,
}
_DOMAINS = {
    "DATE": values.DATE,
    **dict.fromkeys(("CLOB", "NCLOB", "JSON", "XMLTYPE", "SDO_GEOMETRY"), values.CLOB),
    "BLOB": values.BLOB,
    "LONG": values.LONG,
    "LONG RAW": values.LONG_RAW,
    "TIMESTAMP(6) WITH LOCAL TIME ZONE": values.LOCAL,
}
_ORIGIN = """SELECT t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s AND a.attnum = %s AND t.typnamespace = 'oracle'::regnamespace"""
_VISIBILITY = re.compile(r"ROW\s+ARCHIVAL\s+VISIBILITY\s*=\s*(ACTIVE|ALL)", re.IGNORECASE)
_MOMENT = re.compile(r"(\d+)-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:\+00)?( BC)?")
UNKNOWN_SCALE = -127  # of a NUMBER that is computed


class _Moments(TimestampLoader):
    """Timestamps as numbers, also those before Christ, which Python has not."""

    def load(self, data: Any) -> Any:
        found = _MOMENT.fullmatch(bytes(data).decode())
        assert found is not None, bytes(data)
        year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
        micros = int((found[7] or "0").ljust(6, "0"))
        return (-year if found[8] else year, month, day, hour, minute, second, micros)


@dataclass(frozen=True)
class Described:
    """A column of an answer."""

    name: str
    kind: int
    precision: int = 0
    scale: int = 0


@dataclass
class Statement:
    """One that was parsed. left: rows that were not fetched yet."""

    text: str
    bind_kinds: list[int] = field(default_factory=list)
    fetch_kinds: list[int] = field(default_factory=list)
    columns: list[Described] = field(default_factory=list)
    left: list[tuple[Any, ...]] = field(default_factory=list)
    fetched: int = 0
    is_query: bool = False


class OracleSession:
    """name: the user's; database: the service's."""

    def __init__(self, databases: Databases, states: States, database: str, name: str, role: str) -> None:
        self._databases, self._states, self._database, self._name, self._role = databases, states, database, name, role
        self._sees = "ACTIVE"  # of what is archived in its table
        self._postgres = self._signed_in()
        self.changing = False  # it has changed something and not committed
        self._read_only = False
        self._origins: dict[tuple[int, int], str] = {}

    def close(self) -> None:
        self._postgres.close()

    def run(self, statement: Statement, rows: Sequence[Sequence[Any]]) -> int:
        """Executes it for each row of binds; how many rows it changed. Raises OracleError."""
        text = statement.text.strip().rstrip(";")
        try:
            if re.match(r"ALTER\s+SESSION", text, re.IGNORECASE):
                self._set(text)
                return 0
            if re.match(r"SET\s+TRANSACTION\s+READ\s+ONLY", text, re.IGNORECASE):
                self._postgres.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                self._read_only = True
                return 0
            if is_definition(text):
                self.commit()
                self._postgres.execute(define(text))
                return 0
            found = translate(text, self._change_number)
            statement.is_query = found.is_query
            return self._query(statement, found, rows[0]) if found.is_query else self._change(found, rows)
        except psycopg.Error as error:
            if self._postgres.info.transaction_status == psycopg.pq.TransactionStatus.INERROR and not self.changing:
                self._postgres.execute("ROLLBACK")
                self._read_only = False
            raise of_postgres(error) from None

    def commit(self) -> None:
        self._end("COMMIT")

    def rollback(self) -> None:
        self._end("ROLLBACK")

    def _end(self, how: str) -> None:
        if self._postgres.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            self._postgres.execute(how)
        self.changing = self._read_only = False

    def _change(self, found: Translated, rows: Sequence[Sequence[Any]]) -> int:
        if self._postgres.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            self._postgres.execute("BEGIN")
        self.changing, count = True, 0
        self._postgres.execute("SAVEPOINT statement")
        try:
            with self._postgres.cursor() as cursor:
                for row in rows:
                    cursor.execute(found.text, _arguments(found, row))
                    count += max(cursor.rowcount, 0)
        except psycopg.Error:
            self._postgres.execute("ROLLBACK TO SAVEPOINT statement")
            raise
        self._postgres.execute("RELEASE SAVEPOINT statement")
        return count

    def _query(self, statement: Statement, found: Translated, binds: Sequence[Any]) -> int:
        session = self._postgres if found.as_of is None else self._signed_in()
        try:
            if found.as_of is not None:
                self._may_look_back()
                self._states.enter(session, self._database, found.as_of)
            with session.cursor() as cursor:
                cursor.adapters.register_loader("timestamp", _Moments)
                cursor.adapters.register_loader("timestamptz", _Moments)
                cursor.execute(found.text, _arguments(found, binds))
                statement.left, statement.fetched = cursor.fetchall(), 0
                statement.columns = self._described(cursor)
        finally:
            if session is not self._postgres:
                session.close()
        statement.fetch_kinds = [column.kind for column in statement.columns]
        return 0

    def _described(self, cursor: psycopg.Cursor[Any]) -> list[Described]:
        result, columns = cursor.pgresult, []
        assert result is not None
        for number, column in enumerate(cursor.description or ()):
            info = psycopg.postgres.types.get(column.type_code)
            kind = _KINDS.get(info.name if info else "", values.VARCHAR)
            origin = self._origin(result.ftable(number), result.ftablecol(number))
            kind = _DOMAINS.get(origin, kind)
            if kind == values.TIMESTAMP and result.fmod(number) == 0 and not origin:
                kind = values.DATE
            precision, scale = 0, UNKNOWN_SCALE if kind == values.NUMBER else 0
            if kind == values.NUMBER and info is not None and info.name == "numeric" and column.precision:
                precision, scale = column.precision, column.scale or 0
            if kind in (values.TIMESTAMP, values.ZONED, values.LOCAL):
                scale = 6 if result.fmod(number) < 0 else result.fmod(number)
            columns.append(Described(column.name, kind, precision, scale))
        return columns

    def _origin(self, table: int, column: int) -> str:
        """The domain of the column that a result's column is."""
        if not table:
            return ""
        if (table, column) not in self._origins:
            found = self._databases.ask(self._database, _ORIGIN, (table, column))
            self._origins[table, column] = found[0][0] if found else ""
        return self._origins[table, column]

    def _change_number(self) -> int:
        if not self._has("DBMS_FLASHBACK"):
            raise OracleError(904, '"DBMS_FLASHBACK"."GET_SYSTEM_CHANGE_NUMBER": invalid identifier')
        return self._states.newest(self._database)

    def _may_look_back(self) -> None:
        if not self._has("FLASHBACK"):
            raise OracleError(1031, "insufficient privileges")

    def _has(self, right: str) -> bool:
        asked = "SELECT 1 FROM oracle.rights WHERE grantee = %s AND what = %s"
        return bool(self._databases.ask(self._database, asked, (self._name, right)))

    def _set(self, text: str) -> None:
        if found := _VISIBILITY.search(text):
            self._sees = found[1].upper()
            self._postgres.execute("SELECT set_config(%s, %s, false)", (VISIBILITY, self._sees))

    def _signed_in(self) -> psycopg.Connection[Any]:
        session = self._databases.sign_in(self._database, self._name, self._role)
        session.execute("SELECT set_config(%s, %s, false)", (VISIBILITY, self._sees))
        return session


def _arguments(found: Translated, row: Sequence[Any]) -> list[Any]:
    """Binds come in the order in which their names stand first in the statement."""
    names: Mapping[str, Any] = dict(zip(found.first_names, row, strict=False))
    return [names[name] for name in found.binds]
