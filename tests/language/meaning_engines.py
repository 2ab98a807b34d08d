"""Engines that compute queries over rows of `meaning_rows`: DuckDB as the lake's slice has it, and doubles of the other ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
from sqlglot import exp

from doubles.athena.casts import MACROS
from doubles.athena.engine import described
from doubles.athena.errors import QueryFailed
from doubles.athena.kinds import Kind, moment
from doubles.athena.queries import Queries
from doubles.athena.scope import Column, Value
from doubles.athena.statement import parsed
from language.dialects.duckdb.types import duckdb_type
from language.dialects.trino.types import TYPES as TRINO
from shared_metadata.program.schema import SchemaColumn
from slices.organize.databricks.logic import DatabricksSql
from slices.organize.redshift.logic import RedshiftSql
from slices.organize.snowflake.logic import SnowflakeSql

Rows = Sequence[tuple[Any, ...]]
Engine = Callable[[str, str, Sequence[SchemaColumn], Rows], "dict[Any, Any] | str"]
# As Snowflake keeps them.
_SNOWFLAKE = {"int": "DECIMAL(10, 0)", "long": "DECIMAL(19, 0)", "float": "DOUBLE"}
CLOSE = 1e-12  # relative: what a sum of floating numbers depends on is the order in which they come


def duckdb_answers(sql: str, table: str, columns: Sequence[SchemaColumn], rows: Rows) -> dict[Any, Any] | str:
    """Of a query of two columns the second by the first; or why it failed."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.t")
        _provide(connection, table, columns, rows)
        try:
            return dict(connection.execute(sql).fetchall())
        except duckdb.Error as error:
            return str(error)


def athena_answers(sql: str, table: str, columns: Sequence[SchemaColumn], rows: Rows) -> dict[Any, Any] | str:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(MACROS)
        numbered = [SchemaColumn(f"c{number}", column.type) for number, column in enumerate(columns, 1)]

        def read(node: exp.Table, number: int) -> tuple[str, Sequence[Column], tuple[str, ...]]:
            _provide(connection, f"t{number}", numbered, rows)
            known = [Column(column.name, Value(f"c{n}", _kind(column.type))) for n, column in enumerate(columns, 1)]
            return f"FROM t{number}", known, (table.rpartition(".")[2],)

        try:
            query = Queries(read).query(parsed(sql))
            has, wanted = described(connection, query)
            assert has == wanted, (sql, has, wanted)
            return dict(connection.execute(query.sql).fetchall())
        except duckdb.Error as error:
            return str(error)
        except QueryFailed as error:
            if "NOT_SUPPORTED" in str(error):
                raise
            return str(error)


def redshift_answers(sql: str, table: str, columns: Sequence[SchemaColumn], rows: Rows) -> dict[Any, Any] | str:
    from psycopg import Error

    from doubles.redshift_data.errors import StatementFailed
    from doubles.redshift_data.words import said
    from tests.memory.redshift import databases

    written, name = RedshiftSql(""), table.rpartition(".")[2]
    connection = databases().open("meanings", "dev")
    try:
        made = ", ".join(f"{written.identifier(c.name)} {written.declared(c.type)}" for c in columns)
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS t; CREATE TEMP TABLE {name} ({said_columns(made)})")
        holes = ", ".join("%s" for _ in columns)
        with connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {name} VALUES ({holes})", rows)
        return dict(connection.execute(said(written.spelled(sql.replace(table, name))).text.encode()).fetchall())
    except (Error, StatementFailed) as error:
        return str(error)
    finally:
        databases().close(connection)


def said_columns(made: str) -> str:
    """Columns as the double writes them for PostgreSQL."""
    from doubles.redshift_data.words import said

    return said(f"CREATE TABLE x ({made})").text.partition("(")[2].rpartition(")")[0]


def snowflake_answers(sql: str, table: str, columns: Sequence[SchemaColumn], rows: Rows) -> dict[Any, Any] | str:
    from doubles.snowflake.errors import StatementFailed
    from doubles.snowflake.session import Database, Session
    from doubles.snowflake.words import statements

    written, database, called = SnowflakeSql(), Database(), table.rpartition(".")[2]
    items = ", ".join(
        f"CAST({c.name} AS {_SNOWFLAKE.get(c.type, duckdb_type(c.type))}) AS {written.identifier(c.name)}" for c in columns
    )
    _keep(database.connection, written.identifier(called), items, columns, rows)
    session = Session(database, lambda stage: (None, "", ""))
    try:
        (one,) = statements(written.spelled(sql.replace(table, called)))
        return dict(tuple(row) for row in session.run(one).rows)
    except StatementFailed as error:
        return f"{error.code} {error}"
    finally:
        session.end()
        database.connection.close()


def databricks_answers(sql: str, table: str, columns: Sequence[SchemaColumn], rows: Rows) -> dict[Any, Any] | str:
    from doubles.databricks import script
    from doubles.databricks.errors import StatementFailed
    from doubles.databricks.session import Catalog, Session

    catalog, called = Catalog(), table.rpartition(".")[2]
    _provide(catalog.connection, called, columns, rows)
    try:
        outcome = Session(catalog, lambda url: (None, "", "")).run(script.read(DatabricksSql().spelled(sql.replace(table, called))))
        return dict(tuple(row) for row in outcome.rows)
    except StatementFailed as error:
        return error.message
    except OverflowError as error:  # a day that Python has none for
        return str(error)
    finally:
        catalog.connection.close()


def _keep(connection: duckdb.DuckDBPyConnection, called: str, items: str, columns: Sequence[SchemaColumn], rows: Rows) -> None:
    """A table with what `items` says of the rows."""
    import pyarrow as pa

    arrow = pa.table({column.name: [row[number] for row in rows] for number, column in enumerate(columns)})
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("given", arrow)
    connection.execute(f"CREATE TABLE {called} AS SELECT {items} FROM given")
    connection.unregister("given")


def _kind(name: str) -> Kind:
    kind = TRINO.read(name)
    return moment(kind.word, 6) if kind.word.startswith("timestamp") else kind


def _provide(connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[SchemaColumn], rows: Rows) -> None:
    items = ", ".join(f"CAST({column.name} AS {duckdb_type(column.type)}) AS {column.name}" for column in columns)
    _keep(connection, table, items, columns, rows)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=CLOSE)
    if isinstance(one, datetime) and isinstance(other, datetime):
        return _in_utc(one) == _in_utc(other)
    if isinstance(one, (int, Decimal)) and isinstance(other, (int, Decimal)) and not isinstance(one, bool):
        return Decimal(one) == Decimal(other)
    return type(one) is type(other) and bool(one == other)


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo is not None else moment


def differences(
    here: tuple[Engine, str], there: tuple[Engine, str], table: str, columns: Sequence[SchemaColumn], rows: Rows
) -> list[str]:
    """Rows of which two engines say different things; one of which either fails is no such row."""
    one, other = (engine(sql, table, columns, rows) for engine, sql in (here, there))
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return [f"rows {one.keys() ^ other.keys()}"]
        given = {row[0]: row[2:] for row in rows}
        return [f"{given.get(key, key)}: {value!r} and {other[key]!r}" for key, value in one.items() if not same(value, other[key])]
    if len(rows) < 2:
        return []
    half = len(rows) // 2
    return [*differences(here, there, table, columns, rows[:half]), *differences(here, there, table, columns, rows[half:])]
