"""Sees to it that no trigger leaves out a row, which to PostgreSQL is no error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared_metadata.program import Mode
from slices.harness.postgres import refusals, statements
from slices.harness.postgres.database import Connection
from systems.sql_target.table import TargetColumn, TargetTable


@dataclass(frozen=True)
class KeptRows:
    """The Kept of systems/sql_target, of a table with triggers before each row. stage: of the rows."""

    connection: Connection
    table: TargetTable
    mode: Mode
    stage: str
    columns: Sequence[TargetColumn]
    key: Sequence[TargetColumn]
    place: str

    def expected(self, rows: str) -> int:
        if self.mode == Mode.REPLACE:
            return self._count(statements.missing(self.table, self.stage, self.columns))
        return self._count(f"SELECT count(*) FROM {rows} s")

    def check(self, rows: str, expected: int) -> None:
        """Counts what the INSERTs have met; only where that is short, or tells nothing, looks at the table."""
        counted = self.mode != Mode.MERGE or self.table.unique_by(self.key)
        lost = expected - self._count(statements.KEPT) if counted else expected
        if lost > 0:
            lost = min(lost, self._absent(rows, expected))
        if lost > 0:
            raise refusals.kept_out(self.table, lost, self.place, by_key=not counted)

    def _absent(self, rows: str, expected: int) -> int:
        """The number of rows that are missing, also after the trigger's own writes."""
        with self.connection.transaction(force_rollback=True):
            self.connection.execute(statements.take_number(self.stage))
        if self.mode == Mode.MERGE:
            return self._count(statements.not_kept(self.table, rows, self.columns, self.key))
        return expected - self._count(statements.written(self.table))

    def _count(self, question: str) -> int:
        found = self.connection.execute(question).fetchone()
        return int(found[0]) if found else 0
