"""Claims the right to run tables of a batch, by conditional writes of up to 100 tables at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from shared_metadata.errors import AlreadyCommitted, RetryLater
from shared_metadata.program.intervals import Interval, covered, to_text
from shared_metadata.state.records import Batch, Claim, TableStatus, Wait, Worker
from shared_metadata.state.timeline import Programs, restored
from shared_metadata.store.aged import AgedBatches
from shared_metadata.store.batch_writer import BatchWriter, stale
from shared_metadata.store.writes import transacted, written

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
ACTIONS_A_TRANSACTION = 100


class ClaimWriter(BatchWriter):
    """Gives each table of a batch a new fencing token, and what belongs to it: a lease, and the versions that it reads."""

    def claim(
        self,
        flow: str,
        interval: Interval,
        datasets: Sequence[str],
        *,
        program_version: str,
        owner: str,
        lease_seconds: int,
        rerun: bool = False,
        entry: int = 0,
        again_until: datetime | None = None,
        interval_seconds: int = 0,
        until: datetime | None = None,
        restated: int = 0,
    ) -> Claim:
        """Claims the right to run `datasets` of a batch, or the uncommitted ones of them; other tables' workers go on.

        Tables are taken in the order of their names, so that two workers that want the same ones compete for the first of these. One
        that does not get all of them keeps those before until its lease ends, or until it claims again.
        rerun: run committed tables again (a backfill).  entry, again_until: as in Claim.  interval_seconds: of the flow; 0 for a
        batch of one interval.  until, restated: as in DatasetProgress. A batch that was begun before keeps its end, which its traces
        contain.
        Raises AlreadyCommitted, or RetryLater while another owner's lease runs.
        """
        now, former = self._clock(), self.reader.batch(flow, interval.start, datasets)
        aged = self._aged(flow, former, datasets)
        todo = tuple(datasets) if rerun else self._uncommitted(flow, interval, former, aged, datasets)
        if not todo:
            raise AlreadyCommitted(f"batch {interval} is committed", place=flow)
        _refuse_running(former, todo, owner, now)
        asked, interval = interval, self._begun(former, interval, program_version, until, restated)
        if interval.end > asked.end and not rerun:
            raise RetryLater(f"batch {interval} was begun by other tables, and can be read through {to_text(asked.end)}", place=flow)
        token = max(former.token if former else 0, aged.token if aged else 0) + 1
        intervals = covered(interval, interval_seconds) if interval_seconds else 1
        claim = Claim(flow, interval, token, todo, program_version, rerun, entry, again_until, intervals)
        self._take(claim, Worker(token, owner, now + timedelta(seconds=lease_seconds)), former)
        return claim

    def pin(
        self, claim: Claim, dataset: str, ends: Mapping[str, str], *, instead: Mapping[str, str] | None = None
    ) -> Mapping[str, str]:
        """Records the end of each version that a table's batch reads, for every attempt at it; returns earlier ones, if recorded.

        instead: these do not count.  Raises StaleToken when another worker has claimed the table.
        """
        if written(self._client, self._actions.pin(claim, dataset, ends, instead), place=claim.flow):
            return ends
        batch = self.reader.batch(claim.flow, claim.interval.start, [dataset])
        if batch is None or dataset not in batch.workers or batch.workers[dataset].token != claim.token:
            raise stale(claim)
        return batch.pins[dataset]

    def settle(self, programs: Programs, flow: str) -> None:
        """Stores a flow's states along the timeline, where the stored ones differ; to be done before a claim."""
        for dataset, state in self._states(flow, programs.datasets(flow)).items():
            progress = programs.progress(flow, dataset, state)
            if progress.advanced:
                written(self._client, self._actions.move(flow, dataset, state, restored(progress, state)), place=flow)

    def renew(self, claim: Claim, lease_seconds: int, waits: Wait | None = None, *, waited: bool = False) -> None:
        """Extends the lease. Raises StaleToken when another worker has claimed one of the tables.

        waits: what the tables wait for from now on, to be seen by whoever asks.  waited: whether they did until now.
        """
        until = self._clock() + timedelta(seconds=lease_seconds)
        for dataset in claim.datasets:
            if not written(self._client, self._actions.lease(claim, dataset, until, waits, waited=waited), place=claim.flow):
                raise stale(claim)

    def _aged(self, flow: str, former: Batch | None, datasets: Sequence[str]) -> AgedBatches | None:
        """The summary of the flow's aged batches, if one of these tables is not recorded: it may have aged.

        It is read after the tables, because it is written with their tokens before any of them is deleted.
        """
        recorded = former.workers if former else {}
        return None if all(dataset in recorded for dataset in datasets) else self.reader.aged_batches(flow)

    def _begun(self, former: Batch | None, asked: Interval, program_version: str, until: datetime | None, restated: int) -> Interval:
        """The end of the batch. Its other tables matter only where it was to go further."""
        if former and former.interval.end > asked.end:
            former = self.reader.batch(former.flow, asked.start) or former
        return former.begun(asked, program_version, until, restated) if former else asked

    def _take(self, claim: Claim, worker: Worker, former: Batch | None) -> None:
        """Takes first the shared head, if that changes, then table by table. Raises RetryLater where other workers were faster."""
        workers = former.workers if former else {}
        taken = [self._actions.take(claim, worker, dataset, workers.get(dataset)) for dataset in sorted(claim.datasets)]
        some = [taken[at : at + ACTIONS_A_TRANSACTION] for at in range(0, len(taken), ACTIONS_A_TRANSACTION)]
        if former is None or (former.program_version, former.interval) != (claim.program_version, claim.interval):
            some.insert(0, [self._actions.share(claim, former)])
        if not all(transacted(self._client, actions, place=claim.flow) for actions in some):
            raise RetryLater(f"batch {claim.interval} was claimed by another worker just now", place=claim.flow)

    def _uncommitted(
        self, flow: str, interval: Interval, former: Batch | None, aged: AgedBatches | None, datasets: Sequence[str]
    ) -> tuple[str, ...]:
        """The datasets that are still to commit.

        An aged table has no outcome: the watermark has passed it, unless it is to be reprocessed. The outcome of a backfill of a
        batch that was never run does not count: its watermark has yet to pass it.
        """
        outcomes, workers = (former.outcomes, former.workers) if former else ({}, {})
        done = [d for d in datasets if d in outcomes and outcomes[d].status == TableStatus.COMMITTED]
        done += [d for d in datasets if d not in workers] if aged and interval.start < aged.through else []
        states = self._states(flow, done) if done else {}
        passed = {d for d in done if d not in states or states[d].watermark > interval.start}
        return tuple(d for d in datasets if d not in passed)


def _refuse_running(former: Batch | None, datasets: Sequence[str], owner: str, now: datetime) -> None:
    for dataset in datasets if former else ():
        worker = former.running(dataset, now) if former else None
        if worker and worker.owner != owner and former:
            raise RetryLater(
                f"{dataset} of batch {former.interval} is being run by {worker.owner} until {to_text(worker.lease_until)}",
                place=former.flow,
                remedy="wait for it to end; a crashed worker's claim lapses at that time",
                after_seconds=(worker.lease_until - now).total_seconds(),
            )
