"""A batch whose rows are numbered in its staging table, so that one can be named without its values; and the table of those names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_metadata.contract.results.changes import row_count
from systems.sql_target import statements
from systems.sql_target.batch import Batch
from systems.sql_target.staging import Changes
from systems.sql_target.statements import ROW
from systems.sql_target.table import TargetColumn

SIFT_ROWS = 100_000  # rows staged at a time: looking for refused ones among them has to end within a call
REJECTED = "rejected"


class NumberedBatch(Batch):
    """The table `…_rejected` holds the numbers of rows that are refused, and why; none of their values."""

    csv_rows = SIFT_ROWS
    suffix = "_sifted"

    def _stages(self, changes: Changes) -> list[str]:
        return sorted({*super()._stages(changes), "upserts", REJECTED})

    def _shape(self, into: str, changes: Changes) -> tuple[list[str], Sequence[TargetColumn]]:
        if into == REJECTED:
            return [f"{ROW} bigint PRIMARY KEY", "reason text NOT NULL"], ()
        marks, columns = super()._shape(into, changes)
        return ([f"{ROW} bigint PRIMARY KEY", *marks] if into == "upserts" else marks), columns

    def _numbered(self, changes: Changes, first: int, end: int, without: str = "") -> str:
        return statements.staged(statements.numbered(self._sql("upserts"), first, end, without), self._columns(changes, "upserts"))

    def _all_kept(self, changes: Changes) -> str:
        """The relation of the rows that are not refused."""
        return self._numbered(changes, 0, row_count(changes), self._sql(REJECTED))

    # -- the table of rejected rows

    def _rejected(self) -> dict[int, str]:
        return dict(self.session.ask(f"SELECT {ROW}, reason FROM {self._sql(REJECTED)}"))

    def _suspects(self) -> dict[int, str]:
        """The staged rows."""
        rows = f"SELECT r.{ROW}, r.reason FROM {self._sql(REJECTED)} r JOIN {self._sql('upserts')} s USING ({ROW})"
        return dict(self.session.ask(rows))

    def _suspect(self, found: Mapping[int, str]) -> None:
        """Replaces the suspect rows."""
        with self.session.transaction():
            brought = f"SELECT {ROW} FROM {self._sql('upserts')}"
            self.session.run(f"DELETE FROM {self._sql(REJECTED)} WHERE {ROW} IN ({brought})")
            self._reject(found)

    def _reject(self, rows: Mapping[int, str]) -> None:
        self.session.insert(f"INSERT INTO {self._sql(REJECTED)} ({ROW}, reason) VALUES (%s, %s)", list(rows.items()))
