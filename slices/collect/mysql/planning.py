"""Asks MySQL, for a plan, which rows are due, how large a table is, and by which key it can be read in ranges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.sizes import Size
from shared_metadata.program.schema import SchemaColumn
from slices.collect.mysql.cursor_column import CursorColumn, cursor_of
from slices.collect.mysql.dialect import DIALECT
from slices.collect.mysql.horizon import Looking
from systems.mysql.catalog import TableName, identifier
from systems.mysql.failures import TOO_LONG, number_of
from systems.sql_source.dialect import KeyRange, TableSize, TookTooLong
from systems.sql_source.due_rows import DueRows

if TYPE_CHECKING:
    from pymysql import Connection as Session

PAGE_BYTES = 2**14  # of InnoDB, unless it is set
# Estimates, which cost nothing; MySQL keeps them for a day unless asked otherwise.
_SIZE = "SELECT data_length, table_rows FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
_KEY = """SELECT k.column_name FROM information_schema.key_column_usage k
JOIN information_schema.columns c USING (table_schema, table_name, column_name)
WHERE k.constraint_name = 'PRIMARY' AND k.ordinal_position = 1 AND k.table_schema = %s AND k.table_name = %s
AND c.data_type IN ('tinyint', 'smallint', 'mediumint', 'int', 'bigint')"""


def due_rows(session: Session[Any], lag: timedelta, place: str) -> DueRows:
    """Finds the due rows of all tables of a plan. lag: the connection's, within which what was read comes again."""

    def of_column(column: SchemaColumn, expression: str, _: bool) -> CursorColumn:
        return cursor_of(column, expression, place)

    return DueRows(PlanSession(session), DIALECT, Looking(session, lag, place), timedelta(0), of_column, None)


class PlanSession:
    """The Asking of systems/sql_source."""

    def __init__(self, session: Session[Any]) -> None:
        self._session = session

    def first(self, sql: str) -> Sequence[Any] | None:
        import pymysql

        try:
            return first(self._session, sql)
        except pymysql.err.Error as error:
            if number_of(error) in TOO_LONG:
                raise TookTooLong from error
            raise


def first(session: Session[Any], sql: str, values: Sequence[Any] | None = None) -> Sequence[Any] | None:
    """The answer's first row. values: None where the SQL is taken as it stands."""
    with session.cursor() as cursor:
        cursor.execute(sql, values)
        found: Sequence[Any] | None = cursor.fetchone()
        return found


def estimated_size(session: Session[Any], table: TableName) -> Size:
    """The server's estimate; of a view it has none."""
    found = first(session, _SIZE, (table.schema, table.name)) or (None, None)
    return Size(*(int(value) if value is not None else None for value in reversed(found)))


def table_size(session: Session[Any], table: TableName, *, in_ranges: bool) -> TableSize:
    """in_ranges: ask for a key by which the table can be read in ranges, of which each sees a state of its own."""
    size = estimated_size(session, table)
    whole = TableSize(0, size.bytes or 0, size.rows or 0)
    key = first(session, _KEY, (table.schema, table.name)) if in_ranges else None
    if key is None:
        return whole
    column = identifier(key[0])
    least, greatest = first(session, f"SELECT MIN({column}), MAX({column}) FROM {table.quoted}") or (None, None)
    if least is None or greatest is None:
        return whole
    keys = KeyRange(column, int(least), int(greatest) - int(least) + 1)
    return TableSize(max(1, whole.bytes // PAGE_BYTES), whole.bytes, whole.rows, keys=keys)
