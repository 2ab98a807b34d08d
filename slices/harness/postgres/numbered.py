"""A batch whose rows are numbered in its staging table, so that one can be named without its values; and the table of those names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slices.harness.postgres import statements
from slices.harness.postgres.batch import Batch
from slices.harness.postgres.brought import Changes
from slices.harness.postgres.statements import ROW

SIFT_ROWS = 100_000  # rows staged at a time: looking for refused ones among them has to end within a call


class NumberedBatch(Batch):
    """The table `…_rejected` holds the numbers of rows that are refused, and why."""

    csv_rows = SIFT_ROWS
    suffix = "_sifted"

    def _stages(self, changes: Changes) -> list[str]:
        return sorted({*super()._stages(changes), "upserts", "rejected"})

    def _create(self, into: str, changes: Changes) -> None:
        if into == "rejected":
            self._connection.execute(statements.create_rejected(self._sql(into)))
        elif into == "upserts":
            self._connection.execute(statements.create_numbered(self._sql(into), self._columns(changes, into)))
        else:
            super()._create(into, changes)

    def _numbered(self, changes: Changes, first: int, end: int, without: str = "") -> str:
        return statements.staged(statements.numbered(self._sql("upserts"), first, end, without), self._columns(changes, "upserts"))

    # -- the table of rejected rows

    def _rejected(self) -> dict[int, str]:
        return dict(self._connection.execute(f"SELECT {ROW}, reason FROM {self._sql('rejected')}").fetchall())

    def _suspects(self) -> dict[int, str]:
        """The staged rows."""
        rows = f"SELECT r.{ROW}, r.reason FROM {self._sql('rejected')} r JOIN {self._sql('upserts')} s USING ({ROW})"
        return dict(self._connection.execute(rows).fetchall())

    def _suspect(self, found: Mapping[int, str]) -> None:
        """Replaces the suspect rows."""
        with self._connection.transaction():
            brought = f"SELECT {ROW} FROM {self._sql('upserts')}"
            self._connection.execute(f"DELETE FROM {self._sql('rejected')} WHERE {ROW} IN ({brought})")
            self._reject(list(found.items()), -1)

    def _reject(self, rows: Sequence[tuple[int, str]], number: int) -> None:
        into = f"INSERT INTO {self._sql('rejected')} SELECT %s, * FROM unnest(%s::bigint[], %s::text[]) ON CONFLICT DO NOTHING"
        self._connection.execute(into, (number, [row for row, _ in rows], [why for _, why in rows]))


def row_count(changes: Changes) -> int:
    return sum(file["rows"] for file in changes["files"] if file["into"] == "upserts")


def offsets(changes: Changes) -> dict[str, int]:
    """The first row number of each file."""
    found, at = {}, 0
    for file in changes["files"]:
        if file["into"] == "upserts":
            found[file["key"]], at = at, at + file["rows"]
    return found
