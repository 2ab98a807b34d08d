"""One batch at its table: applies the staged rows, with the receipt, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from shared_metadata.contract.harness import Published
from shared_metadata.contract.results.changes import key_of, published_before
from shared_metadata.contract.results.receipt import Receipt
from shared_metadata.contract.results.results import Results
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.errors import DefinitionError, StaleToken
from shared_metadata.program import Mode
from systems.sql_target.dialect import Kept
from systems.sql_target.moves import Moves
from systems.sql_target.staging import Changes, Staged
from systems.sql_target.statements import key_twice
from systems.sql_target.table import TargetColumn

T = TypeVar("T")


class Batch(Staged):
    """A batch whose staged rows are applied as they are, or not at all."""

    resume: Mapping[str, Any] = {"sifting": False}  # the resume token

    def publish(self, results: Results, changes: Changes, staging: Staging) -> Published:
        """Works until the batch is published or the deadline is near. Raises RowError when the database refuses a row."""
        with self.translated():
            if receipt := self.published(changes):
                self.drop_stages(changes)
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
            if not self._dialect.transactional:
                self._run(self._made(changes))
            for into in self._stages(changes):
                self.session.analyze(self._sql(into))
            try:
                return self.session.retried(apply)
            except StaleToken:
                self.drop_stages(changes)
                raise

    def published(self, changes: Changes) -> Receipt | None:
        """This batch's receipt, if it is there. Raises StaleToken for an older token or batch."""
        claim = self._work.claim
        return published_before(self.receipts.since(claim.flow, claim.interval.start), claim, changes, self.place)

    def apply(self, changes: Changes) -> Published:
        """One transaction: receipts looked at under a lock, deletes, upserts, receipt; nothing but its staging tables goes when it is
        published already."""
        with self.session.transaction():
            self.receipts.lock(self._work.flow.id)
            receipt = self.published(changes)
            if not receipt:
                self._run(self._before(changes, sifting=False))
                kept, rows = self._kept(changes), self._relation(changes, "upserts")
                expected = kept.expected(rows) if kept and rows else 0
                self._write(changes)
                if kept and rows:
                    kept.check(rows, expected)
                self.receipts.put(self._work.claim, changes)
            self._dropped(changes, within=True)
        self._dropped(changes, within=False)
        return Published(rejected=receipt.rejected if receipt else ())

    def _dropped(self, changes: Changes, *, within: bool) -> None:
        """Drops the staging tables within the transaction, or after it."""
        if self._dialect.transactional == within:
            self.drop_stages(changes)

    def _write(self, changes: Changes) -> None:
        """Writes row by row; unique values that have moved between rows are made way for first."""
        moves = self._moves(changes)
        try:
            with self.session.transaction():
                self._run(self._rows(changes))
        except self.session.error as error:
            if not (moves and moves.possible and self.session.is_of_uniqueness(error)):
                raise
            rows, gone = self._relation(changes, "upserts"), self._relation(changes, "deletes")
            self._run([*moves.away(rows, gone), *moves.back(rows), *self._rows(changes), *moves.over(rows)])

    def _kept(self, changes: Changes) -> Kept | None:
        table, columns = self.table(changes["columns"]), self._columns(changes, "upserts")
        return self.session.kept(table, self._work.flow.mode, self._sql("upserts"), columns, self._key(changes), self.place)

    def _count(self, question: str) -> int:
        return int(self.session.ask(question)[0][0])

    def _moves(self, changes: Changes) -> Moves | None:
        """The batch's moves; none in modes that change no row, nor without rows."""
        if self._work.flow.mode != Mode.MERGE or "upserts" not in self._stages(changes):
            return None
        table, columns = self.table(changes["columns"]), self._columns(changes, "upserts")
        return Moves(table, columns, self._key(changes), self._sql("moved"), self._dialect)

    def _run(self, commands: Iterable[str]) -> None:
        for command in commands:
            self.session.run(command)

    def check_key(self, changes: Changes) -> None:
        """Raises DefinitionError for keys that differ in the result and not in the table, as many types know no spaces at the end."""
        key, columns = self._key(changes), self._columns(changes, "upserts")
        if not key or "upserts" not in self._stages(changes):
            return
        if count := self._count(key_twice(self._sql("upserts"), columns, key)):
            kinds = ", ".join(f"{column.name} {column.type}" for column in key)
            what = f"{count} keys ({kinds}) occur more than once as the table compares them, and differ in the query's result"
            remedy = "make them equal in the query and its rows unique by them, or give the key columns a type that tells them apart"
            raise DefinitionError(what, place=self.place, remedy=remedy)

    def _key(self, changes: Changes) -> list[TargetColumn]:
        mapped = self._mapped(changes, "upserts")
        return [mapped[name] for name in key_of(self._work)]

    def _made(self, changes: Changes) -> list[str]:
        table = self.table(changes["columns"])
        return [] if table.exists else [self._dialect.create_table(table, [column.name for column in self._key(changes)])]

    def _before(self, changes: Changes, *, sifting: bool) -> list[str]:
        """The statements before the batch's rows are written."""
        table, mode, key = self.table(changes["columns"]), self._work.flow.mode, self._key(changes)
        made = self._made(changes) if self._dialect.transactional else []
        deletes = mode == Mode.APPEND and "deletes" in self._stages(changes)
        first = self._dialect.before(table, mode, key, deletes=deletes, sifting=sifting)
        gone = self._dialect.delete_like(table, self._sql, self._columns(changes, "deletes")) if deletes else []
        return [*made, *first, *gone]

    def _rows(self, changes: Changes) -> list[str]:
        """The statements that write the batch's rows, and delete those that go."""
        table, columns = self.table(changes["columns"]), self._columns(changes, "upserts")
        if self._work.flow.mode == Mode.REPLACE:
            return self._dialect.replace(table, self._sql, columns)
        gone = self._relation(changes, "deletes") if self._work.flow.mode == Mode.MERGE else ""
        if rows := self._relation(changes, "upserts"):
            return self._statements(changes, rows, gone)
        return [self._dialect.delete_keys(table, gone, self._key(changes))] if gone else []

    def _statements(self, changes: Changes, rows: str, gone: str = "") -> list[str]:
        """The statements that write these rows; the table has none of them if it is not MERGE."""
        table, columns = self.table(changes["columns"]), self._columns(changes, "upserts")
        if self._work.flow.mode != Mode.MERGE:
            return self._dialect.insert_all(table, rows, columns)
        return self._dialect.merge(table, rows, columns, self._key(changes), gone)
