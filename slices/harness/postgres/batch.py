"""One batch at its table: applies the staged rows, with the receipt, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import psycopg

from shared_metadata.contract.harness import Published
from shared_metadata.contract.results.changes import key_of
from shared_metadata.contract.results.receipt import Receipt
from shared_metadata.contract.results.results import Results
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.errors import DefinitionError, RetryLater, StaleToken
from shared_metadata.program import Mode
from slices.harness.postgres import database as db
from slices.harness.postgres import logic, refusals, statements
from slices.harness.postgres.brought import Brought, Changes
from slices.harness.postgres.logic import TargetColumn
from slices.harness.postgres.moves import Moves

T = TypeVar("T")


class Batch(Brought):
    """A batch whose staged rows are applied as they are, or not at all."""

    resume: Mapping[str, Any] = {"sifting": False}  # the resume token

    def publish(self, results: Results, changes: Changes, staging: Staging) -> Published:
        """Works until the batch is published or the deadline is near. Raises RowError when the database refuses a row."""
        with self.translated():
            if receipt := self.published(changes):
                return Published(rejected=receipt.rejected)
            self.table(changes["columns"])
            self.prepare(changes)
            missing = self.missing_parts(changes)
        for number in missing:
            self.bring(results, changes, number)
            if self._deadline.near:
                return Published(self.resume)
        return self._brought(results, changes, staging)

    def _brought(self, results: Results, changes: Changes, staging: Staging) -> Published:
        """Applies the staged rows."""
        with self.translated():
            self.check_key(changes)
        return self._transacted(changes, lambda: self.apply(changes))

    def _transacted(self, changes: Changes, apply: Callable[[], T]) -> T:
        """Runs a transaction; a worker that has lost the batch leaves no staging tables behind."""
        with self.translated():
            try:
                return db.retried(apply)
            except StaleToken:
                self.drop_stages(changes)
                raise

    def published(self, changes: Changes) -> Receipt | None:
        """This batch's receipt, if it is there. Raises StaleToken for an older token or batch."""
        claim = self._work.claim
        receipts = self.receipts.since(claim.flow, claim.interval.start)
        mine = next((r for r in receipts if r.start == claim.interval.start), None)
        if mine and mine.token == claim.token and mine.result == changes["result"]:
            return mine
        last = receipts[-1] if receipts else None
        if (mine and mine.token > claim.token) or (changes["forget"] and last and last.start > claim.interval.start):
            raise StaleToken(f"the database holds a later state than batch {claim.interval}, token {claim.token}", place=self.place)
        base = last if changes["forget"] else mine
        if (base.mark if base else None) != changes["base"]:
            raise RetryLater("another worker published since the changes were worked out", place=self.place)
        return None

    def apply(self, changes: Changes) -> Published:
        """One transaction: receipts looked at under a lock, deletes, upserts, receipt; nothing but its staging tables goes when it is
        published already."""
        self._analyze(changes)
        with self._connection.transaction():
            self.receipts.lock(self._work.flow.id)
            receipt = self.published(changes)
            if not receipt:
                self._run([*self._before(changes), "SET CONSTRAINTS ALL DEFERRED"])
                expected = self._expected(changes)
                self._write(changes)
                self._check_kept(changes, self._relation(changes, "upserts"), expected)
                self.receipts.put(self._work.claim, changes)
            self.drop_stages(changes)
        return Published(rejected=receipt.rejected if receipt else ())

    def _write(self, changes: Changes) -> None:
        """Writes row by row; unique values that have moved between rows are made way for first."""
        moves = self._moves(changes)
        try:
            with self._connection.transaction():
                self._run(self._rows(changes))
        except (psycopg.errors.UniqueViolation, psycopg.errors.ExclusionViolation):
            if not (moves and moves.possible):
                raise
            rows, gone = self._relation(changes, "upserts"), self._relation(changes, "deletes")
            self._run([*moves.away(rows, gone), *moves.back(rows), *self._rows(changes), *moves.over(rows)])

    def _expected(self, changes: Changes) -> int:
        """The number of rows to be written, where a trigger may keep some out; counted before they are."""
        table, rows = self.table(changes["columns"]), self._relation(changes, "upserts")
        if not table.before or not rows:
            return 0
        if self._work.flow.mode == Mode.REPLACE:
            return self._count(statements.missing(table, self._sql("upserts"), self._columns(changes, "upserts")))
        return self._count(f"SELECT count(*) FROM {rows} s")

    def _check_kept(self, changes: Changes, rows: str, expected: int) -> None:
        """Raises DefinitionError where a trigger has kept rows of the relation `rows` out of the table without a word."""
        table, key = self.table(changes["columns"]), self._key(changes)
        if not table.before or not rows:
            return
        counted = self._work.flow.mode != Mode.MERGE or statements.unique_by(table, key)
        lost = expected - self._count(statements.KEPT) if counted else expected
        if lost > 0:
            lost = min(lost, self._absent(changes, rows, expected))
        if lost > 0:
            raise refusals.kept_out(table, lost, self.place, by_key=not counted)

    def _absent(self, changes: Changes, rows: str, expected: int) -> int:
        """The number of rows that are missing, also after the trigger's own writes."""
        table, key = self.table(changes["columns"]), self._key(changes)
        with self._connection.transaction(force_rollback=True):
            self._run([statements.take_number(self._sql("upserts"))])
        if self._work.flow.mode == Mode.MERGE:
            return self._count(statements.not_kept(table, rows, self._columns(changes, "upserts"), key))
        return expected - self._count(statements.written(table))

    def _count(self, question: str) -> int:
        found = self._connection.execute(question).fetchone()
        return int(found[0]) if found else 0

    def _moves(self, changes: Changes) -> Moves | None:
        """The batch's moves; none in modes that change no row, nor without rows."""
        if self._work.flow.mode != Mode.MERGE or "upserts" not in self._stages(changes):
            return None
        return Moves(self.table(changes["columns"]), self._columns(changes, "upserts"), self._key(changes), self._sql("moved"))

    def _run(self, commands: Iterable[str]) -> None:
        for command in commands:
            self._connection.execute(command)

    def _analyze(self, changes: Changes) -> None:
        for into in self._stages(changes):
            self._connection.execute(f"ANALYZE {self._sql(into)}")

    def check_key(self, changes: Changes) -> None:
        """Raises DefinitionError for keys that differ in the result and not in the table, as char(n) knows no spaces at the end."""
        key, columns = self._key(changes), self._columns(changes, "upserts")
        if not key or "upserts" not in self._stages(changes):
            return
        row = self._connection.execute(statements.key_twice(self._sql("upserts"), columns, key)).fetchone()
        if row and row[0]:
            kinds = ", ".join(f"{column.name} {column.type}" for column in key)
            what = f"{row[0]} keys ({kinds}) occur more than once as the table compares them, and differ in the query's result"
            remedy = "make them equal in the query and its rows unique by them, or give the key columns a type that tells them apart"
            raise DefinitionError(what, place=self.place, remedy=remedy)

    def _key(self, changes: Changes) -> list[TargetColumn]:
        mapped = self._mapped(changes, "upserts")
        return [mapped[name] for name in key_of(self._work)]

    def _before(self, changes: Changes) -> list[str]:
        """The statements before the batch's rows are written."""
        table, mode, key = self.table(changes["columns"]), self._work.flow.mode, self._key(changes)
        made = [] if table.exists else [logic.create_statement(table, [column.name for column in key])]
        lock = [f"LOCK TABLE {table.sql} IN SHARE ROW EXCLUSIVE MODE"]  # writers wait, readers do not
        if mode == Mode.APPEND and "deletes" in self._stages(changes):
            return [*made, *lock, statements.delete_like(table, self._sql("deletes"), self._columns(changes, "deletes"))]
        guarded = mode == Mode.APPEND or statements.unique_by(table, key)
        return made if guarded else [*made, *lock]

    def _rows(self, changes: Changes) -> list[str]:
        """The statements that write the batch's rows, and delete those that go."""
        table, columns = self.table(changes["columns"]), self._columns(changes, "upserts")
        if self._work.flow.mode == Mode.REPLACE:
            return [statements.replace(table, self._sql("upserts"), columns)]
        gone = self._relation(changes, "deletes") if self._work.flow.mode == Mode.MERGE else ""
        if rows := self._relation(changes, "upserts"):
            return self._written(changes, rows, gone)
        return [statements.delete_keys(table, gone, self._key(changes))] if gone else []

    def _written(self, changes: Changes, rows: str, gone: str = "") -> list[str]:
        """The statement that writes these rows; the table has none of them if it is not MERGE."""
        table, columns = self.table(changes["columns"]), self._columns(changes, "upserts")
        if self._work.flow.mode != Mode.MERGE:
            return [statements.insert_all(table, rows, columns)]
        return [statements.merge(table, rows, columns, self._key(changes), gone)]
