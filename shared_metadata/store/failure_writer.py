"""Records that tables of a batch failed, or that whoever ran them was lost; after the last attempt the batch is a dead letter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from shared_metadata.program.intervals import Interval
from shared_metadata.state.records import MAX_ATTEMPTS, Claim, DeadLetter, EventKind, TableOutcome, TableState, TableStatus
from shared_metadata.store.batch_writer import BatchWriter
from shared_metadata.store.table_actions import ERROR_CHARACTERS, Action
from shared_metadata.store.writes import transacted, written

RETRY_SECONDS = (15, 60, 300, 1800)
LATER_SECONDS = 300


class FailureWriter(BatchWriter):
    """Counts attempts, and says when the next one is due."""

    def fail(self, claim: Claim, dataset: str, error: str, *, later: bool = False) -> None:
        """Records that one table of the batch failed; the conductor tries again after a while. Raises StaleToken.

        later: AWS refused for the moment (later.py), and the attempt does not count.
        Recording it again changes nothing, nor does it when the table is committed by this token.
        """
        now = self._clock()
        outcome = TableOutcome(TableStatus.FAILED, error=error[:ERROR_CHARACTERS], token=claim.token)
        detail = {"dataset": dataset, "error": error[:ERROR_CHARACTERS]}

        def build() -> list[Action]:
            actions = [self._actions.outcome(claim, dataset, outcome)]
            actions.append(self._actions.event(EventKind.BATCH_FAILED, now, claim, dataset, detail))
            table = self._states(claim.flow, [dataset]).get(dataset)
            if table and table.watermark == claim.interval.start and not claim.rerun:
                actions += self._failed_attempt(claim.flow, table, claim.interval, dataset, error, table.attempts, later=later)
            return actions

        self._transact(claim, [dataset], build, (TableStatus.FAILED, TableStatus.COMMITTED))

    def record_lost(
        self,
        flow: str,
        interval: Interval,
        datasets: Sequence[str],
        error: str,
        *,
        attempt: int | None = None,
        owner: str = "",
        later: bool = False,
    ) -> None:
        """Counts a failed attempt for an execution that ended without recording an outcome; does nothing if the batch went on.

        attempt: how many failed attempts it had before.  owner: the execution, whose leases end now.  later: as in `fail`.
        """
        for dataset in datasets:
            table = self._states(flow, [dataset]).get(dataset)
            if owner:
                written(self._client, self._actions.end_lease(flow, interval.start, dataset, owner, self._clock()))
            if table:
                attempts = table.attempts if attempt is None else attempt
                counted = self._failed_attempt(flow, table, interval, dataset, error, attempts, owner, later=later)
                said = self._actions.lost(flow, interval, dataset, error, attempts + 1, self._clock())
                transacted(self._client, [*counted, said], place=flow)

    def _failed_attempt(
        self,
        flow: str,
        table: TableState,
        interval: Interval,
        dataset: str,
        error: str,
        attempts: int,
        owner: str = "",
        *,
        later: bool = False,
    ) -> list[Action]:
        """One more failed attempt; after the last the batch is a dead letter, unless drift quiesces it: such a batch goes on checking
        its source.

        Later is no failure: the next attempt has another execution's name, and this one does not count.
        """
        now = self._clock()
        if later:
            retry_at = now + timedelta(seconds=LATER_SECONDS)
            return [self._actions.failed_attempt(flow, interval, dataset, error, attempts, retry_at, forgiven=table.forgiven + 1)]
        failures = attempts - table.forgiven
        retry_at = now + timedelta(seconds=RETRY_SECONDS[min(max(failures, 0), len(RETRY_SECONDS) - 1)])
        if failures + 1 < MAX_ATTEMPTS or table.dead_letter or table.drifts:
            return [self._actions.failed_attempt(flow, interval, dataset, error, attempts, retry_at)]
        batch = None if owner else self.reader.batch(flow, interval.start, [dataset])
        letter = DeadLetter(now, batch.workers[dataset].owner if batch and dataset in batch.workers else owner)
        return [
            self._actions.failed_attempt(flow, interval, dataset, error, attempts, retry_at, letter),
            self._actions.dead(flow, interval, dataset, error, attempts + 1, letter),
        ]
