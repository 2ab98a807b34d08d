"""Each value that a result may hold, into each kind of column: it is there as it was, or it is refused."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pymysql
import pytest

from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.contract.runtime.deadline import Deadline
from slices.harness.mysql import column_types
from slices.harness.mysql.session import MysqlSession
from slices.harness.mysql.tests.database import Database
from systems.mysql.address import Address
from systems.sql_target.table import TargetColumn
from tests.types.test_every_type import VALUES
from tests.types.test_every_type import column as column_of

MORE = {
    "string": ("'1'", "'2'", "'a'", "'b,a'", "'abcd'", "'ab  '", "'\\'", "''''", "'€'", "chr(0)", "'{\"a\": [1, null]}'", "'é'"),
    "timestamp": ("'2026-01-01 00:00:00.123'", "'2026-01-01 00:00:00.5'", "'0044-03-15 (BC) 12:00:00'", "'infinity'"),
    "timestamptz": ("'2026-01-01 00:00:00.123+00'", "'1970-01-01 00:00:01+00'", "'2038-01-19 03:14:08+00'"),
    "date": ("'0044-03-15 (BC)'", "'10000-01-01'", "'2026-02-28'"),
    "time": ("'10:00:00.5'", "'12:34:56'"),
    "decimal(9,2)": ("9999999.99", "0"),
    "int": ("-1", "127", "128", "255"),
    "long": ("9007199254740993", "18446744073709551615 // 2", "4294967296"),
    "float": ("16777217", "0.1", "-1e38"),
    "binary": ("'\\x00\\xFFabc'",),
}
KINDS = (
    *("tinyint(1)", "tinyint", "tinyint unsigned", "smallint", "mediumint unsigned", "int", "bigint", "bigint unsigned", "bit(1)"),
    *("decimal(38,10)", "decimal(10,2)", "decimal(65,30)", "float", "double", "double unsigned", "date", "datetime", "datetime(3)"),
    *("datetime(6)", "timestamp", "timestamp(6)", "time", "time(6)", "year", "char(3)", "varchar(3)", "varchar(400)", "longtext"),
    *("enum('a','1')", "set('a','b','1')", "json", "uuid", "varbinary(3)", "longblob", "tinytext"),
)
LATIN = "varchar(20) CHARACTER SET latin1"
UNHELD = frozenset({"nan", "inf", "-inf", "infinity"})  # by a column that is made for the type; nor are years beyond 1 to 9999


@pytest.fixture
def session(target: Database) -> Iterator[MysqlSession]:
    with closing(MysqlSession(Address(**target.secret), "here", "target", Deadline(time.monotonic() + 900))) as opened:
        yield opened


def values(kind: str) -> list[tuple[str, Any, str]]:
    """DuckDB's type, the value as Python has it, null for nested ones, and as a text; of each value of the type."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        all_of_it = {**VALUES, kind: tuple(dict.fromkeys((*VALUES[kind], *MORE.get(kind, ()))))}
        source = f"(SELECT {column_of(kind, all_of_it)} FROM range(1, {len(all_of_it[kind]) + 1}) t(id))"
        name = identifier(kind)
        value = f"({name} AT TIME ZONE 'UTC')" if kind == "timestamptz" else "NULL" if "<" in kind else name
        return connection.execute(f"SELECT typeof({name}), {value}, {name}::VARCHAR FROM {source}").fetchall()  # type: ignore[return-value]


def written(kind: str, target: TargetColumn) -> list[bytes]:
    """Each value of the type as a record of its own."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        all_of_it = {**VALUES, kind: tuple(dict.fromkeys((*VALUES[kind], *MORE.get(kind, ()))))}
        source = f"(SELECT {column_of(kind, all_of_it)} FROM range(1, {len(all_of_it[kind]) + 1}) t(id))"
        described = connection.execute(f"SELECT typeof({identifier(kind)}) FROM {source}").fetchall()[0][0]
        said = column_types.literal_of(identifier(kind), described, target)
        found = connection.execute(f"SELECT {said} FROM {source}").fetchall()
    return [_record(text) for (text,) in found]


def _record(text: str | None) -> bytes:
    made = io.StringIO()
    csv.writer(made, quoting=csv.QUOTE_ALL).writerow([text])
    return made.getvalue().encode()


def same(got: Any, value: Any, text: str, base: str, record: bytes) -> bool:
    """Whether what the database tells is the value. record: what was written."""
    if base in column_types.TEXT | column_types.LISTED | {"json", "uuid"}:
        if value is None:
            ((wrote,),) = csv.reader(io.StringIO(record.decode(), newline=""))
            return bool(json.loads(got) == json.loads(wrote[1:-1].replace("''", "'")))
        if base == "json":
            return bool(json.loads(got) == json.loads(text))
        if base == "set":
            return bool(set(got.split(",")) == set(text.split(",")))
        return bool(got == text.removesuffix("+00") or (base == "char" and got == text.rstrip(" ")))
    if isinstance(got, datetime) and not isinstance(value, datetime):
        return got == datetime(value.year, value.month, value.day)
    if isinstance(got, timedelta):
        return bool((datetime.min + got).time() == value)
    return bool((got == b"\x01") == value) if base == "bit" else bool(got == value)


def outcomes(session: MysqlSession, kind: str, column: TargetColumn) -> dict[str, str]:
    """The text of each value ▸ 'same', 'refused', or what is there instead."""
    name, base = column.name, column.base
    shown = f"{name} + 0e0" if base == "float" else f"CAST({name} AS CHAR)" if base == "json" else name
    found = {}
    for (_, value, text), record in zip(values(kind), written(kind, column), strict=True):
        session.run("DELETE FROM t")
        try:
            session.copy("t", [name], [record])
        except pymysql.err.Error as error:
            assert session.refusal(error, None, [name]), (kind, column, text, error)
            found[text] = "refused"
            continue
        ((got,),) = session.ask(f"SELECT {shown} FROM t")
        found[text] = "same" if same(got, value, text, base, record) else f"{got!r}, not {value!r}"
    return found


@pytest.mark.sampled(5)
@pytest.mark.parametrize("kind", VALUES)
def test_each_value_is_there_as_it_was_or_refused(session: MysqlSession, target: Database, kind: str) -> None:
    """Into each column that takes the type; and into one that is made for it, all but what MySQL has no value for."""
    listed = [column_types.made(kind), *KINDS, LATIN]
    named = [(f"c{n}", sql, sql.partition("(")[0].partition(" ")[0]) for n, sql in enumerate(listed)]
    made, *others = (TargetColumn(*one, quote=session.dialect.quote) for one in named)
    target.make(f"t ({', '.join(f'{name} {sql} NULL' for name, sql, _ in named)})")
    for column in others:
        if column_types.takes(column, kind):
            wrong = {text: told for text, told in outcomes(session, kind, column).items() if told not in ("same", "refused")}
            assert not wrong, (kind, column)
    found = outcomes(session, kind, made)
    beyond = {text for text in found if text in UNHELD or "BC" in text or text.startswith("10000-")}
    assert {text for text, told in found.items() if told == "refused"} == beyond
