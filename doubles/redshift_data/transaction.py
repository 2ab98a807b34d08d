"""Statements in one transaction: what PostgreSQL is kinder in than Redshift is refused as Redshift refuses it.

https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import errors

from doubles.redshift_data.errors import Aborted, StatementFailed
from doubles.redshift_data.parquet import OpenS3, copy, unload
from doubles.redshift_data.words import Said, said

CONFLICT = "1023"
_TOO_LONG = re.compile(r"violates check constraint|value too long for type")


@dataclass
class Outcome:
    """What a statement has done.  rows: of its result; None where it has none.  count: how many rows it gave or changed."""

    count: int = -1
    rows: Sequence[Sequence[Any]] | None = None
    columns: Sequence[Any] = ()


@dataclass
class Written:
    """When which table was written last, in commits of this process; of each database."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    commits: int = 0
    last: dict[tuple[str, str], int] = field(default_factory=dict)


class Transaction:
    """connection: in no transaction.  opens: S3 by a role's rights.  stopped: set by whoever cancels it."""

    def __init__(
        self, connection: psycopg.Connection[Any], database: str, opens: OpenS3, written: Written, stopped: threading.Event
    ) -> None:
        self._connection, self._database, self._opens, self._written = connection, database, opens, written
        self._stopped, self._since = stopped, -1
        self._said: list[Said] = []

    def run(
        self, texts: Sequence[str], parameters: Mapping[str, str], began: Callable[[int], None], ended: Callable[[int, Outcome], None]
    ) -> None:
        """Runs them, and leaves them to be committed. Raises StatementFailed, Aborted."""
        for number, text in enumerate(texts):
            began(number)
            self._check()
            ended(number, self._one(said(text), parameters))
        self._check()

    def commit(self, *, conflict: bool = False) -> None:
        """Raises StatementFailed where another one has written meanwhile what this one has."""
        tables, written = {one.writes for one in self._said if one.writes} - {""}, self._written
        with written.lock:
            for table in tables - self._blind():
                if conflict or written.last.get((self._database, table), 0) > self._since >= 0:
                    self.roll_back()
                    raise StatementFailed(
                        f"{CONFLICT}\n  DETAIL:  Serializable isolation violation on table - {table}, "
                        f"transactions forming the cycle are: {written.commits}, {written.commits + 1}"
                    )
            try:
                self._connection.commit()
            except psycopg.Error as error:
                raise _failed(error) from None
            written.commits += 1
            written.last |= {(self._database, table): written.commits for table in tables}
        self._said, self._since = [], -1

    def roll_back(self) -> None:
        self._connection.rollback()

    def _one(self, what: Said, parameters: Mapping[str, str]) -> Outcome:
        if self._since < 0 and what.kind not in ("LOCK", "SET"):
            with self._written.lock:
                self._since = self._written.commits
        self._said.append(what)
        try:
            if what.kind == "COPY":
                return Outcome(copy(self._connection, what, self._opens))
            if what.kind == "UNLOAD":
                return Outcome(unload(self._connection, what, self._opens, lambda query: said(query).text))
            text, values = _with_parameters(what.text, parameters)
            cursor = self._connection.execute(text.encode(), values or None)
            rows = cursor.fetchall() if cursor.description is not None else None
        except psycopg.Error as error:
            raise _failed(error) from None
        if what.commits:  # https://docs.aws.amazon.com/redshift/latest/dg/r_TRUNCATE.html
            self.commit()
        return Outcome(cursor.rowcount) if rows is None else Outcome(len(rows), rows, cursor.description or ())

    def _blind(self) -> set[str]:
        """The tables to which rows were only added, by statements that do not ask for them: such writers come in any order."""
        said = [one for one in self._said if one.kind != "CREATE"]
        asked = {name for one in said for name in one.names if not (one.kind in ("INSERT", "COPY") and name == one.writes)}
        changed = {one.writes for one in self._said if one.kind not in ("INSERT", "COPY", "CREATE")}
        return {one.writes for one in self._said} - asked - changed

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Aborted("Query cancelled on user's request")


def _with_parameters(text: str, parameters: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The Data API's :name as psycopg's; without parameters the text as it is."""
    if not parameters:
        return text, {}
    named = re.sub(r"(?<![:\w]):([a-zA-Z]\w*)", lambda m: f"%({m[1]})s" if m[1] in parameters else m[0], text.replace("%", "%%"))
    return named, dict(parameters)


def _failed(error: psycopg.Error) -> StatementFailed | Aborted:
    """PostgreSQL's error as Redshift's, where it says it otherwise."""
    if isinstance(error, errors.QueryCanceled):
        return Aborted("Query cancelled on user's request")
    said = (error.diag.message_primary or str(error)).strip()
    if isinstance(error, errors.SerializationFailure):
        return StatementFailed(f"{CONFLICT}\n  DETAIL:  Serializable isolation violation on table")
    if isinstance(error, errors.DivisionByZero):
        return StatementFailed("Divide by zero")
    if isinstance(error, errors.InvalidTextRepresentation):
        value = said.partition('"')[2].rpartition('"')[0]
        return StatementFailed(f"Invalid digit, Value '{value[:1]}', Pos 0, Type: Integer \n  DETAIL:  {said}")
    if isinstance(error, errors.CheckViolation | errors.StringDataRightTruncation) and _TOO_LONG.search(said):
        return StatementFailed("Value too long for type character varying")
    if isinstance(error, errors.CardinalityViolation) and "MERGE" in said:
        return StatementFailed("Found multiple matches to update the same tuple.")
    return StatementFailed(said)
