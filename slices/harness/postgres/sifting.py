"""Publishes a batch of which the database refuses rows: finds them, sets aside as many as the program tolerates, writes the rest."""

from __future__ import annotations

import csv
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

from shared_metadata.contract.harness import Allowance, Published, allowance
from shared_metadata.contract.results import comparison
from shared_metadata.contract.results.changes import key_of
from shared_metadata.contract.results.halving import refused
from shared_metadata.contract.results.receipt import Former
from shared_metadata.contract.results.records import Records
from shared_metadata.contract.results.results import Results
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.errors import RetryLater
from shared_metadata.program import Mode
from shared_metadata.program.intervals import to_text
from slices.harness.postgres import refusals, statements
from slices.harness.postgres.brought import Changes, csv_values
from slices.harness.postgres.logic import TargetColumn
from slices.harness.postgres.moves import Moves
from slices.harness.postgres.numbered import NumberedBatch, offsets, row_count
from slices.harness.postgres.statements import FILE, ROW

SIFTING = {"sifting": True}
SPARE_SECONDS = 10.0  # seconds of a call, to undo a transaction and to save its findings
SLACK = 1_000  # the number of rows that may seem refused only because others were not there yet
NULL_CHARACTER = "a text holds U+0000"


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
            kept = self._keep(results, changes, staging, rejected)
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
        names = [column.name for column in columns.values()]
        marks = [str(number), comparison.position(offsets(changes)[file["key"]])]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.csv"
            results.write_csv(file, marks, csv_values(columns), (first, first + self.csv_rows), path)
            records = Records(path)
            with self.translated(names), self._connection.transaction():
                if self._is_missing("upserts", number) and self._is_missing("rejected", number):
                    self._bring_fitting(records, list(columns.values()), number, allowance(self._work, changes))

    def _bring_fitting(self, records: Records, columns: Sequence[TargetColumn], number: int, allowed: Allowance) -> None:
        copy, names = statements.copy_in(self._sql("upserts"), [FILE, ROW], columns), [column.name for column in columns]

        def attempt(first: int, end: int) -> str:
            return self._refusal(lambda: self._copy(copy, records.blocks(first, end)), names)

        found, reasons = [], Counter(self._rejected().values())
        for record, why in refused(0, len(records), attempt):
            _, row, *values = records.fields(record)
            unstorable = [name for name, value in zip(names, values, strict=True) if "\0" in value]
            found.append((int(row), f"{NULL_CHARACTER} in column {', '.join(unstorable)}" if unstorable else why))
            reasons[found[-1][1]] += 1
            if not allowed.allows(reasons.total()):
                raise allowed.exceeded(reasons, self.place, at_least=True)
        self._reject(found, number)

    # -- rows that the table does not take

    def _apply_sifted(
        self, changes: Changes, allowed: Allowance, rejected: Mapping[int, str], kept: tuple[Mapping[str, Any], ...]
    ) -> Published | None:
        """One transaction, which commits when it refuses exactly the rows that were rejected; None when it has found others.

        kept: the file of those rows.
        """
        self._analyze(changes)
        with self._connection.transaction() as transaction:
            self.receipts.lock(self._work.flow.id)
            if receipt := self.published(changes):
                self.drop_stages(changes)
                return Published(rejected=receipt.rejected)
            suspects = self._suspects()
            unfit = {row: why for row, why in self._rejected().items() if row not in suspects}
            moves = self._moves(changes)
            self._run([*self._before(changes), *self._cleared(changes, moves), "SET CONSTRAINTS ALL IMMEDIATE"])
            found, finished = self._sift(changes, allowed, suspects, Counter(unfit.values()), moves)
            if finished and unfit.keys() | found.keys() == rejected.keys():
                self._run(self._left(changes, moves))
                kept_rows = self._numbered(changes, 0, row_count(changes), self._sql("rejected"))
                self._check_kept(changes, kept_rows, self._count(f"SELECT count(*) FROM {kept_rows} s"))
                self.receipts.put(self._work.claim, changes, kept)
                self.drop_stages(changes)
                return Published(rejected=kept)
            raise psycopg.Rollback(transaction)
        if not finished and found.keys() == suspects.keys():
            raise RetryLater("the rows that the database refuses were not found in one call of 15 minutes", place=self.place)
        self._suspect(found)
        return None if finished else Published(SIFTING)

    def _cleared(self, changes: Changes, moves: Moves | None) -> list[str]:
        """Deletes before the rows come: in REPLACE all rows that are not among them, whole and at once, since like rows are counted;
        in MERGE also the values that rows give up, but not those of refused ones, whose former versions stay.
        """
        table, columns = self.table(changes["columns"]), self._columns(changes, "upserts")
        if self._work.flow.mode == Mode.REPLACE:
            stage = self._sql("upserts")
            return [statements.delete_others(table, stage, columns), statements.forget_present(table, stage, columns)]
        kept = self._numbered(changes, 0, row_count(changes), self._sql("rejected"))
        return moves.away(kept, self._relation(changes, "deletes")) if moves else []

    def _left(self, changes: Changes, moves: Moves | None) -> list[str]:
        return moves.over(self._relation(changes, "upserts"), self._relation(changes, "deletes")) if moves else []

    def _sift(
        self, changes: Changes, allowed: Allowance, suspects: Mapping[int, str], unfit: Counter[str], moves: Moves | None
    ) -> tuple[dict[int, str], bool]:
        """The rows that the table refuses when all the others are there; and whether the time was enough to tell."""
        out_of_time, most = False, None if self._refers_to_itself(changes) else SLACK
        back = moves.back if moves else lambda rows: []

        def attempt(first: int, end: int, without: str = "") -> str:
            nonlocal out_of_time
            out_of_time = out_of_time or self._deadline.seconds_left < SPARE_SECONDS
            rows = self._numbered(changes, first, end, without)
            return "" if out_of_time else self._refusal(lambda: self._run([*back(rows), *self._written(changes, rows)]))

        found = dict(suspects)
        for row, why in refused(0, row_count(changes), lambda first, end: attempt(first, end, self._sql("rejected"))):
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

    def _refers_to_itself(self, changes: Changes) -> bool:
        """Whether rows of the table may need others of it."""
        found = self._connection.execute(
            "SELECT 1 FROM pg_catalog.pg_constraint WHERE contype = 'f' AND conrelid = confrelid AND conrelid = to_regclass(%s)",
            (self.table(changes["columns"]).sql,),
        )
        return found.fetchone() is not None

    def _refusal(self, work: Callable[[], None], names: Sequence[str] = ()) -> str:
        """Runs a statement, or undoes it and returns why the database refuses a row of it."""
        try:
            with self._connection.transaction():
                work()
        except psycopg.Error as error:
            if why := self._blamed(error, names):
                return why
            raise
        return ""

    def _blamed(self, error: psycopg.Error, names: Sequence[str]) -> str:
        return "" if refusals.refers_to_what_goes(error, self._table) else refusals.refusal(error, names)

    def _keep(
        self, results: Results, changes: Changes, staging: Staging, rejected: Mapping[int, str]
    ) -> tuple[Mapping[str, Any], ...]:
        """Writes these rows as Parquet, under a new name each time; nothing for no rows."""
        if not rejected:
            return ()
        key, start = staging.rejected(f"{uuid.uuid4().hex[:8]}.parquet"), to_text(self._work.claim.interval.start)
        with tempfile.TemporaryDirectory() as folder:
            reasons = Path(folder) / "reasons.csv"
            with reasons.open("w", newline="") as file:
                csv.writer(file).writerows(rejected.items())
            names = [column["name"] for column in changes["columns"]]
            key_columns = list(key_of(self._work)) if self._work.flow.whole else []
            former = Former(**changes["former"]) if changes["former"] else None
            count = results.write_rejected(offsets(changes), names, reasons, start, former, key_columns, key)
        return ({"key": key, "rows": count},)
