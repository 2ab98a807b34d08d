"""Publishes a batch of which the database refuses rows: finds them, sets aside as many as the program tolerates, writes the rest."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared_metadata.contract.harness import Allowance, Published, allowance
from shared_metadata.contract.results import comparison
from shared_metadata.contract.results.changes import keep_refused, offsets, row_count
from shared_metadata.contract.results.halving import refused
from shared_metadata.contract.results.records import Records
from shared_metadata.contract.results.results import Results
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.errors import RetryLater
from shared_metadata.program import Mode
from systems.sql_target.moves import Moves
from systems.sql_target.numbered import REJECTED, NumberedBatch
from systems.sql_target.staging import Changes
from systems.sql_target.statements import ROW, places
from systems.sql_target.table import TargetColumn

SIFTING = {"sifting": True}
SPARE_SECONDS = 10.0  # seconds of a call, to undo a transaction and to save its findings
SLACK = 1_000  # the number of rows that may seem refused only because others were not there yet
NULL_CHARACTER = "a text holds U+0000"


class Undone(Exception):
    """Undoes the transaction around it."""


class SiftedBatch(NumberedBatch):
    """A batch without the rows that do not fit the columns' types; rows that the table has refused are staged.

    The latter are tried again, after all others, in each transaction: the one that commits has refused exactly them.
    """

    resume = SIFTING

    def _brought(self, results: Results, changes: Changes, staging: Staging) -> Published:
        """Applies the staged rows. Raises RowError when more are refused than tolerated."""
        allowed = allowance(self._work, changes)
        with self.translated():
            self.check_key(changes)
        while True:
            with self.translated():
                rejected = self._rejected()
            kept = keep_refused(self._work, results, changes, staging, rejected)
            if done := self._transacted(changes, lambda: self._apply_sifted(changes, allowed, rejected, kept)):  # noqa: B023
                return done

    # -- values that do not fit their columns

    def bring(self, results: Results, changes: Changes, number: int) -> None:
        """Stages one part of a file, without the records whose values do not fit."""
        file, first = self._parts(changes)[number]
        if file["into"] == "deletes":
            super().bring(results, changes, number)
            return
        columns = self._mapped(changes, "upserts")
        marks = [comparison.position(offsets(changes)[file["key"]])]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.csv"
            results.write_csv(file, marks, self._written(columns), (first, first + self.csv_rows), path)
            records = Records(path)
            with self.translated([column.name for column in columns.values()]), self.session.transaction():
                if self._is_mine(number):
                    self._bring_fitting(records, list(columns.values()), allowance(self._work, changes))

    def _bring_fitting(self, records: Records, columns: Sequence[TargetColumn], allowed: Allowance) -> None:
        names, into = [column.name for column in columns], [ROW, *places(columns)]

        def attempt(first: int, end: int) -> str:
            return self._refusal(lambda: self.session.copy(self._sql("upserts"), into, records.blocks(first, end)), names)

        found, reasons = {}, Counter(self._rejected().values())
        for record, why in refused(0, len(records), attempt):
            row, *values = records.fields(record)
            unstorable = [name for name, value in zip(names, values, strict=True) if "\0" in value]
            blamed = unstorable and not self._dialect.types.takes_null_characters
            found[int(row)] = f"{NULL_CHARACTER} in column {', '.join(unstorable)}" if blamed else why
            reasons[found[int(row)]] += 1
            if not allowed.allows(reasons.total()):
                raise allowed.exceeded(reasons, self.place, at_least=True)
        self._reject(found)

    # -- rows that the table does not take

    def _apply_sifted(
        self, changes: Changes, allowed: Allowance, rejected: Mapping[int, str], kept: tuple[Mapping[str, Any], ...]
    ) -> Published | None:
        """One transaction, which commits when it refuses exactly the rows that were rejected; None when it has found others.

        kept: the file of those rows.
        """
        try:
            with self.session.transaction():
                self.receipts.lock(self._work.flow.id)
                receipt = self.published(changes)
                if not receipt:
                    suspects, unfit, found, finished = self._sifted(changes, allowed)
                    if not finished or unfit.keys() | found.keys() != rejected.keys():
                        raise Undone
                    self._finish(changes)
                    self.receipts.put(self._work.claim, changes, kept)
                self._dropped(changes, within=True)
        except Undone:
            if not finished and found.keys() == suspects.keys():
                what = "the rows that the database refuses were not found in one call of 15 minutes"
                raise RetryLater(what, place=self.place) from None
            self._suspect(found)
            return None if finished else Published(SIFTING)
        self._dropped(changes, within=False)
        return Published(rejected=receipt.rejected if receipt else kept)

    def _sifted(self, changes: Changes, allowed: Allowance) -> tuple[dict[int, str], dict[int, str], dict[int, str], bool]:
        """Writes the rows that the table takes: those that it may refuse, those that do not fit, those that it has refused; and
        whether the time was enough."""
        suspects = self._suspects()
        unfit = {row: why for row, why in self._rejected().items() if row not in suspects}
        moves = self._moves(changes)
        self._run([*self._before(changes, sifting=True), *self._cleared(changes, moves)])
        found, finished = self._sift(changes, allowed, suspects, Counter(unfit.values()), moves)
        return suspects, unfit, found, finished

    def _finish(self, changes: Changes) -> None:
        """What is left to do when all rows are there but those that are rejected."""
        if moves := self._moves(changes):
            self._run(moves.over(self._relation(changes, "upserts"), self._relation(changes, "deletes")))
        if kept := self._kept(changes):
            rows = self._all_kept(changes)
            kept.check(rows, self._count(f"SELECT count(*) FROM {rows} s"))

    def _cleared(self, changes: Changes, moves: Moves | None) -> list[str]:
        """Deletes before the rows come: in REPLACE all rows that are not among them, whole and at once, since like rows are counted;
        in MERGE also the values that rows give up, but not those of refused ones, whose former versions stay.
        """
        table, columns = self.table(changes["columns"]), self._columns(changes, "upserts")
        if self._work.flow.mode == Mode.REPLACE:
            return self._dialect.clear(table, self._sql, columns)
        return moves.away(self._all_kept(changes), self._relation(changes, "deletes")) if moves else []

    def _sift(
        self, changes: Changes, allowed: Allowance, suspects: Mapping[int, str], unfit: Counter[str], moves: Moves | None
    ) -> tuple[dict[int, str], bool]:
        """The rows that the table refuses when all the others are there; and whether the time was enough to tell."""
        out_of_time, most = False, None if self.table(changes["columns"]).refers_to_itself else SLACK
        back = moves.back if moves else lambda rows: []

        def attempt(first: int, end: int, without: str = "") -> str:
            nonlocal out_of_time
            out_of_time = out_of_time or self._deadline.seconds_left < SPARE_SECONDS
            rows = self._numbered(changes, first, end, without)
            return "" if out_of_time else self._refusal(lambda: self._run([*back(rows), *self._statements(changes, rows)]))

        found = dict(suspects)
        for row, why in refused(0, row_count(changes), lambda first, end: attempt(first, end, self._sql(REJECTED))):
            found[row] = why
            if most is not None and not allowed.allows(unfit.total() + len(found) - most):
                raise allowed.exceeded(unfit + Counter(found.values()), self.place, at_least=True)
        while True:
            again = {row: why for row in found for why in [attempt(row, row + 1)] if why}
            if out_of_time:
                return found, False
            if len(again) == len(found):
                break
            found = again
        if not allowed.allows(unfit.total() + len(found)):
            raise allowed.exceeded(unfit + Counter(found.values()), self.place)
        return found, True

    def _refusal(self, work: Callable[[], object], names: Sequence[str] = ()) -> str:
        """Runs a statement, or undoes it and returns why the database refuses a row of it."""
        try:
            with self.session.transaction():
                work()
        except self.session.error as error:
            if why := self.session.refusal(error, self._table, names):
                return why
            raise
        return ""
