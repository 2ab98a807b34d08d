"""Asks PostgreSQL, for a plan, which rows are due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared_metadata.program.schema import SchemaColumn
from slices.collect.postgres.cursor_column import CursorColumn, check_rises
from slices.collect.postgres.dialect import DIALECT
from slices.collect.postgres.horizon import Looking, written_since
from systems.sql_source.dialect import TookTooLong
from systems.sql_source.due_rows import DueRows

if TYPE_CHECKING:
    from psycopg import Connection as Session


def due_rows(session: Session[Any], lag: timedelta, place: str) -> DueRows:
    """Finds the due rows of all tables of a plan. lag: the connection's."""

    def cursor_of(column: SchemaColumn, expression: str, rising: bool) -> CursorColumn:
        check_rises(column, place, rising=rising)
        return CursorColumn(column.name, expression, column.type, column.source_type, session.info.server_version)

    return DueRows(PlanSession(session), DIALECT, Looking(session), lag, cursor_of, written_since)


class PlanSession:
    """The Asking of systems/sql_source."""

    def __init__(self, session: Session[Any]) -> None:
        self._session = session

    def first(self, sql: str) -> Sequence[Any] | None:
        import psycopg

        try:
            return self._session.execute(sql).fetchone()
        except psycopg.errors.QueryCanceled as error:
            raise TookTooLong from error
