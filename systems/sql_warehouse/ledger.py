"""The ledger of a table: which batches have made it what it is, a row each, written in the transaction that makes rows visible.

A ledger is a table of its own for each table, so that tables are committed beside one another; so is what a commit locks, so that
those who read the ledger never wait.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared_metadata.contract.batch_identity import Identity
from systems.sql_warehouse.dialect import LEDGERS, WarehouseSql, table
from systems.sql_warehouse.session import GUARD

LONGEST_NAME, DIGEST = 127, 16
COLUMNS = "flow, batch_start, batch_end, token, program, seq, total_rows"


@dataclass(frozen=True)
class Entry:
    """One batch.  seq: counts the ledger's rows.  total_rows: of the table, after it."""

    identity: Identity
    seq: int
    total_rows: int

    @staticmethod
    def read(row: Sequence[Any]) -> Entry:
        flow, start, end, token, program, seq, total_rows = row
        return Entry(Identity(flow, start, end, int(token), program), int(seq), int(total_rows))


class Ledger:
    """The statements of one dataset's ledger."""

    def __init__(self, sql: WarehouseSql, dataset: str) -> None:
        self._sql, self.name = sql, _named(dataset)
        self.written, self._locked = (table(sql, LEDGERS, name) for name in (self.name, f"{self.name} lock"))

    def make(self) -> list[str]:
        """Makes it where it is not there."""
        text, number = self._sql.type("string"), self._sql.type("long")
        kinds = (text, text, text, number, text, number, number)
        columns = ", ".join(f"{name} {kind}" for name, kind in zip(COLUMNS.split(", "), kinds, strict=True))
        return [
            self._sql.schema(LEDGERS),
            f"CREATE TABLE IF NOT EXISTS {self.written} ({columns})",
            f"CREATE TABLE IF NOT EXISTS {self._locked} (nothing {number})",
            *self._sql.lockable(self._locked),
        ]

    def read(self, start: str) -> str:
        """Asks for the batches that a batch beginning at `start` has to know of: those that end later, and the last one entered."""
        last = f"seq = (SELECT max(seq) FROM {self.written})"
        return f"SELECT {COLUMNS} FROM {self.written} WHERE batch_end > {self._sql.literal(start)} OR {last} ORDER BY seq"

    def last(self, flow: str) -> str:
        """Asks for the batches of a flow that begin latest: a batch, and its repeats."""
        of = f"flow = {self._sql.literal(flow)}"
        latest = f"(SELECT max(batch_start) FROM {self.written} WHERE {of})"
        return f"SELECT {COLUMNS} FROM {self.written} WHERE {of} AND batch_start = {latest} ORDER BY seq"

    def newest(self, dataset: str) -> str:
        """Asks for the dataset's name, and through when its state is complete."""
        return f"SELECT {self._sql.literal(dataset)} AS dataset, max(batch_end) AS through FROM {self.written}"

    def begin(self, seq: int) -> list[str]:
        """What a commit begins with: it waits for others, and fails where the ledger has moved on since it was read."""
        same = f"(SELECT coalesce(max(seq), 0) FROM {self.written}) = {seq}"
        return [self._sql.lock(self._locked), f"{GUARD} {self._sql.guard(same)}"]

    def shorten(self, moment: str) -> list[str]:
        """Forgets the batches that ended by then, but the last one."""
        last = f"(SELECT max(seq) FROM {self.written})"
        return [
            self._sql.lock(self._locked),
            f"DELETE FROM {self.written} WHERE batch_end <= {self._sql.literal(moment)} AND seq < {last}",
        ]

    def enter(self, identity: Identity, seq: int, total_rows: str) -> str:
        """total_rows: an expression."""
        texts = [self._sql.literal(text) for text in (identity.flow, identity.start, identity.end)]
        program = self._sql.literal(identity.program)
        values = (*texts, str(identity.token), program, str(seq), total_rows)
        return f"INSERT INTO {self.written} ({COLUMNS}) SELECT {', '.join(values)}"

    def entered(self, seq: int) -> str:
        return f"SELECT total_rows FROM {self.written} WHERE seq = {seq}"


def _named(dataset: str) -> str:
    """'dwh.ops.flights' ▸ 'ops.flights'; with a digest where that is too long for a name."""
    name = dataset.partition(".")[2] if ":" not in dataset else dataset
    room = LONGEST_NAME - len(" lock")
    if len(name.encode()) <= room:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:DIGEST]
    return f"{name.encode()[: room - DIGEST - 1].decode(errors='ignore')} {digest}"
