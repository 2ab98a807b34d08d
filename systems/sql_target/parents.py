"""Rows that refer to others which another flow of the program is still to publish: they are no bad rows, and are tried again."""

from __future__ import annotations

from shared_metadata.contract.work import Work
from shared_metadata.errors import RetryLater
from systems.sql_target.table import TargetTable, table_name


def awaited(constraint: str, table: TargetTable | None, work: Work, place: str, default_schema: str) -> RetryLater | None:
    """The error, where another flow publishes to the table that the foreign key refers to, and no bad rows are tolerated."""
    parent, mine = table.parents.get(constraint) if table else None, work.flow
    if not parent or mine.bad_rows is not None:
        return None
    others = (f for f in work.program.flows.values() if (f.connection, f.kind) == (mine.connection, mine.kind) and f.id != mine.id)
    found = next((f.id for f in others if table_name(f.tables[0].dataset, f.connection, default_schema) == parent), "")
    if not found:
        return None
    what = f"a row refers to one of {'.'.join(parent)} that is not there ({constraint}); {found} publishes them"
    remedy = "nothing if that flow is behind; else publish no rows whose parents it does not publish, or TOLERATE … BAD ROWS"
    return RetryLater(what, place=place, remedy=remedy)
