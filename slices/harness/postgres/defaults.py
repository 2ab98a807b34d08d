"""Finds out whether a default of the table's fails by itself, which is no row's fault: leaving rows out helps none of the others."""

from __future__ import annotations

from typing import Any

import psycopg

from systems.sql_target.table import TargetTable

_DEFAULTS = """SELECT a.attname, '(' || pg_get_expr(d.adbin, d.adrelid) || ')::' || format_type(a.atttypid, a.atttypmod)
FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE d.adrelid = %s::pg_catalog.regclass AND coalesce(to_jsonb(a)->>'attgenerated', '') = '' ORDER BY a.attnum"""


class Defaults:
    """Those of the tables of one session, each asked once for an error of its kind."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection, self._known = connection, dict[tuple[str, str], str]()

    def failing(self, error: psycopg.Error, table: TargetTable | None) -> str:
        """The column whose default fails with the error's SQLSTATE; '' where none does, or where the connection tells no more."""
        state = error.sqlstate or ""
        if table is None or not table.exists or not state.startswith(("22", "23", "P0")):
            return ""
        if (table.sql, state) not in self._known:
            self._known[table.sql, state] = self._look(table, state)
        return self._known[table.sql, state]

    def _look(self, table: TargetTable, state: str) -> str:
        try:
            with self._connection.transaction(force_rollback=True):
                defaults = self._connection.execute(_DEFAULTS, (table.sql,)).fetchall()
            return next((column for column, value in defaults if self._state_of(value) == state), "")
        except psycopg.Error:
            return ""

    def _state_of(self, value: str) -> str:
        """The SQLSTATE with which an expression fails; '' where it gives a value."""
        try:
            with self._connection.transaction(force_rollback=True):
                self._connection.execute(f"SELECT {value}".encode())
        except psycopg.errors.DatabaseError as error:
            return error.sqlstate or ""
        return ""
