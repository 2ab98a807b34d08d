"""Asks Oracle, for a plan, which rows are due, how large a table is, and where it can be cut into ranges of ROWIDs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.sizes import Size
from shared_metadata.program.schema import SchemaColumn
from slices.collect.oracle.catalog import TableName, rows
from slices.collect.oracle.cursor_column import CursorColumn, cursor_of
from slices.collect.oracle.dialect import DIALECT
from slices.collect.oracle.failures import TOO_LONG, code_of
from slices.collect.oracle.horizon import DENIED, Looking
from systems.sql_source.dialect import TableSize, TookTooLong
from systems.sql_source.due_rows import DueRows

if TYPE_CHECKING:
    from oracledb import Connection as Session

BLOCK_BYTES = 8192  # unless it is set
RANGE_BYTES = 2**17  # of table, at least
MOST_RANGES, BLOCKS_A_RANGE = 256, 20  # which are looked at
# Of the last statistics, which cost nothing. Rows of other organizations have no ROWID that rises from block to block.
_SIZE = """SELECT num_rows, blocks, avg_row_len,
  CASE WHEN iot_type IS NULL AND cluster_name IS NULL AND temporary = 'N' THEN 1 ELSE 0 END
FROM all_tables WHERE owner = :owner AND table_name = :name"""
SCN = "SELECT DBMS_FLASHBACK.GET_SYSTEM_CHANGE_NUMBER FROM DUAL"


def due_rows(session: Session, lag: timedelta, place: str) -> DueRows:
    """Finds the due rows of all tables of a plan. lag: the connection's, within which what was read comes again."""

    def of_column(column: SchemaColumn, expression: str, _: bool) -> CursorColumn:
        return cursor_of(column, expression, place)

    return DueRows(PlanSession(session), DIALECT, Looking(session, lag), timedelta(0), of_column, None)


class PlanSession:
    """The Asking of systems/sql_source."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def first(self, sql: str) -> Sequence[Any] | None:
        import oracledb

        try:
            return next(iter(rows(self._session, sql)), None)
        except oracledb.Error as error:
            if code_of(error) in TOO_LONG:
                raise TookTooLong from error
            raise


def change_number(session: Session) -> int | None:
    """The newest state that the server shows, as a number; None where the user may not ask for it."""
    import oracledb

    try:
        ((number,),) = rows(session, SCN)
    except oracledb.DatabaseError as error:
        if code_of(error) not in (*DENIED, "ORA-00904", "ORA-06550", "ORA-06553"):
            raise
        return None
    return int(number)


def as_of(number: int) -> str:
    return f" AS OF SCN {number}"


def may_look_back(session: Session, table: TableName) -> bool:
    """Whether a table can be read as it was, by any session: so several sessions see one state of it."""
    import oracledb

    number = change_number(session)
    if number is None:
        return False
    try:
        rows(session, f"SELECT 1 FROM {table.quoted}{as_of(number)} WHERE 1 = 0")
    except oracledb.DatabaseError as error:
        if code_of(error) not in DENIED:
            raise
        return False
    return True


def estimated_size(session: Session, table: TableName) -> Size:
    """The size as of the last statistics; of a view, and of a table without them, it is not known."""
    found = _size(session, table)
    return Size(*found[:2]) if found else Size(None, None)


def table_size(session: Session, table: TableName, *, in_ranges: bool) -> TableSize:
    """in_ranges: cut it into ranges, which sessions may read beside one another."""
    count, size, heap = _size(session, table) or (0, 0, False)
    wanted = min((size or 0) // RANGE_BYTES, MOST_RANGES)
    edges = _edges(session, table, wanted, size or 0) if in_ranges and heap and wanted > 1 else ()
    pages = len(edges) + 1 if in_ranges and heap else 0
    return TableSize(pages, size or 0, count or 0, edges=edges)


def _size(session: Session, table: TableName) -> tuple[int | None, int | None, bool] | None:
    """Rows, bytes, and whether it is an ordinary table."""
    found = rows(session, _SIZE, table.binds)
    if not found:
        return None
    count, blocks, length, heap = found[0]
    size = max(int(blocks or 0) * BLOCK_BYTES, int(count or 0) * int(length or 0)) if blocks is not None else None
    return int(count) if count is not None else None, size, bool(heap)


def _edges(session: Session, table: TableName, ranges: int, size: int) -> tuple[str, ...]:
    """The ROWIDs at which a sample of its blocks is cut into ranges of equally many rows; wherever they are, no row is left out.

    Where extents lie only DBA_EXTENTS tells, for which few users have a right; to sample, one needs none beside SELECT.
    """
    percent = min(99.0, max(0.000001, 100.0 * ranges * BLOCKS_A_RANGE * BLOCK_BYTES / size))
    sampled = (
        f"SELECT ROWID AS place, NTILE({ranges}) OVER (ORDER BY ROWID) AS share_no FROM {table.quoted} SAMPLE BLOCK ({percent:.6f})"
    )
    least = f"SELECT MIN(place) AS edge FROM ({sampled}) GROUP BY share_no"
    found = [edge for (edge,) in rows(session, f"SELECT ROWIDTOCHAR(edge) FROM ({least}) ORDER BY edge")]
    return tuple(found[1:])
