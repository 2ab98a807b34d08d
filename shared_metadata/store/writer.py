"""Writes the metadata layer: claim, commit and fail a batch; store and activate a program.

The commit protocol: `claim` gives each table of a batch a new fencing token, by conditional writes of up to 100 tables at a time;
`commit` is one TransactWriteItems that holds only under that token. Each of them writes the items of its own tables and no others.
Whatever happens in between, a batch's table is committed once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared_metadata.aws.later import Refusal, is_contended, pauses, refusal, refused_record
from shared_metadata.costs import cost_dollars, unpriced
from shared_metadata.errors import AlreadyCommitted, RetryLater, StaleToken
from shared_metadata.program import Program
from shared_metadata.program.intervals import Interval, covered, to_text
from shared_metadata.program.lineage import Lineage
from shared_metadata.state.effect import Effect
from shared_metadata.state.entries import Timeline
from shared_metadata.state.freshness import LateDataset
from shared_metadata.state.records import (
    MAX_ATTEMPTS,
    Batch,
    Claim,
    DeadLetter,
    EventKind,
    LastChange,
    SchemaVersion,
    TableCommit,
    TableOutcome,
    TableState,
    TableStatus,
    Version,
    Wait,
    Worker,
    change_of,
)
from shared_metadata.state.skipped import Skipped
from shared_metadata.state.timeline import Programs, restored
from shared_metadata.store import items, keys
from shared_metadata.store.actions import ERROR_CHARACTERS, Action, Actions
from shared_metadata.store.activation import Activation
from shared_metadata.store.aged import AgedBatches
from shared_metadata.store.dead_letters import DeadLetters
from shared_metadata.store.drift_registry import DriftRegistry
from shared_metadata.store.reader import Clock, MetadataReader, utc_now
from shared_metadata.store.writes import given_up, transacted, written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
ACTIONS_A_TRANSACTION = 100
TABLES_A_TRANSACTION = 16  # of a commit: a table takes up to six actions, and all of them together one event
STATISTICS_DAYS = 90
STATEMENTS_KEPT = 20  # of those that ran elsewhere for a batch: what an item holds has a limit
RETRY_SECONDS = (15, 60, 300, 1800)
LATER_SECONDS = 300


class MetadataWriter:
    """Writes for the steps of a batch and for `atoll apply`; most code needs only a MetadataReader."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock = utc_now) -> None:
        self._client, self._table, self._clock = client, table, clock
        self.reader = MetadataReader(client, table, clock)
        self._actions = Actions(table)
        self._activation = Activation(client, table, self.reader)
        self.drifts = DriftRegistry(client, table, clock)
        self.dead_letters = DeadLetters(client, table, self.reader, clock)

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
            raise _stale(claim)
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
                raise _stale(claim)

    def commit(self, claim: Claim, commits: Sequence[TableCommit], *, completes: Mapping[str, str] | None = None) -> None:
        """Commits tables of a batch: outcome, watermark, cursor, version, schema and event, in one transaction for up to 16 tables.

        completes: datasets of another flow that an empty batch completes as well, e.g. 'lake.crm.account' ▸ 'lake.crm:load' when
        nothing was staged for it; skipped for those that lag behind.
        Committing again what this token has committed changes nothing. Raises StaleToken.
        """
        for at in range(0, len(commits), TABLES_A_TRANSACTION):
            self._commit_some(claim, commits[at : at + TABLES_A_TRANSACTION], completes or {})
        for commit in commits:
            if commit.rows or commit.pointer:
                self._put_statistics(claim, commit)

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

    def put_program(self, program: Program, lineage: Lineage | None = None) -> None:
        """Stores a program version and its lineage; storing it again changes nothing."""
        self._activation.put_program(program, lineage)

    def schedule(self, program: Program, effect: Effect, *, expected: Timeline, by: str = "") -> Timeline:
        """Puts a stored program into the timeline, in one conditional write, and opens the state of its flows' new datasets.

        A program for a boundary at which another one stands takes its place. Raises RetryLater when the timeline is not `expected`.
        """
        return self._activation.schedule(program, effect, expected, by, self._clock())

    def cancel(self, expected: Timeline) -> Timeline:
        """Takes the pending entry out of the timeline. Raises InputError when none is pending, RetryLater as `schedule` does."""
        return self._activation.cancel(expected, self._clock())

    def activate(self, program: Program, *, former_version: str) -> None:
        """Makes a stored program the only one, for all batches that are still to be made, whatever stood in the timeline.

        Correct where nothing runs yet; `schedule` switches a running program. Raises RetryLater when `former_version` is not active.
        """
        self._activation.activate(program, former_version, self._clock())

    def record_late(self, late: LateDataset) -> bool:
        """Puts the event that a dataset is later than promised; returns False, and does nothing, when this event was put before."""
        return written(self._client, self._actions.late(late))

    def put_installed_slice(self, slice_id: str, values: Mapping[str, Any]) -> None:
        self._client.put_item(TableName=self._table, Item=items.to_item({**keys.installed_slice(slice_id), **values}))

    # -- the pieces

    def _commit_some(self, claim: Claim, commits: Sequence[TableCommit], completes: Mapping[str, str]) -> None:
        now, tried = self._clock(), False

        def build() -> list[Action]:
            nonlocal tried
            moving = self._moving(claim, commits) if tried and not claim.rerun else commits
            tried = True
            return self._commit_actions(claim, commits, () if claim.rerun else moving, completes, now)

        self._transact(claim, [c.dataset for c in commits], build, (TableStatus.COMMITTED,))

    def _moving(self, claim: Claim, commits: Sequence[TableCommit]) -> list[TableCommit]:
        """The datasets whose watermark this batch moves; a batch that an operator ran ahead of its time moves none.

        Raises StaleToken when a later program version is reprocessing the batch.
        """
        states = self._states(claim.flow, [c.dataset for c in commits])
        if any(c.dataset in states and states[c.dataset].entry > claim.entry for c in commits):
            raise _stale(claim)
        return [c for c in commits if c.dataset in states and states[c.dataset].watermark == claim.interval.start]

    def _commit_actions(
        self, claim: Claim, commits: Sequence[TableCommit], moving: Sequence[TableCommit], completes: Mapping[str, str], now: datetime
    ) -> list[Action]:
        make, after, outcomes = self._actions, [], {}
        for commit in commits:
            number, schema = self._schema(claim, commit)
            made = commit
            if commit.pointer is None and (former := self._unchanged_again(claim, commit.dataset)):
                made, number = replace(commit, pointer=former.pointer, reads=former.reads), former.schema_version
            outcomes[commit.dataset] = TableOutcome(
                TableStatus.COMMITTED,
                commit.rows,
                commit.bytes,
                round(commit.seconds, 3),
                number,
                token=claim.token,
                rejected=commit.rejected,
                pointer=made.pointer,
                reads=made.reads if made.pointer is not None else {},
            )
            if schema is not None:
                after.append(make.schema(schema))
                after.append(make.event(EventKind.SCHEMA_CHANGED, now, claim, commit.dataset, {"schema_version": number}))
            if made.pointer is not None:
                after.append(make.version(claim, made, number))
            if commit.notes:  # of one table one event, however many: a transaction takes a hundred actions
                after.append(make.event(EventKind.EXPECTATION_FAILED, now, claim, commit.dataset, {"failed": list(commit.notes)}))
        passed = self._passed_on(claim, completes, [c.dataset for c in moving if c.pointer is None])
        detail: dict[str, Any] = {"datasets": {c.dataset: c.rows for c in commits}, "end": to_text(claim.interval.end)}
        detail |= {"intervals": claim.intervals} if claim.intervals > 1 else {}
        detail |= {"passed": sorted(passed)} if passed else {}
        after.append(make.event(EventKind.BATCH_COMPLETED, now, claim, commits[0].dataset, detail))
        moved: dict[str, dict[str, str]] = {c.dataset: {c.dataset: c.cursor} for c in moving}
        for dataset, (_, cursor) in passed.items():
            moved[f"{dataset}:staged"][dataset] = cursor
        recorded = [make.outcome(claim, dataset, outcome, moved.get(dataset)) for dataset, outcome in outcomes.items()]
        skipped = self._skipped(claim, [c.dataset for c in moving if c.pointer is not None or claim.again])
        advances = [
            make.advance(claim.flow, claim, c.dataset, c.cursor, _change(c, outcomes[c.dataset]), skipped.get(c.dataset))
            for c in moving
        ]
        advances += [make.advance(flow, claim, dataset, cursor) for dataset, (flow, cursor) in passed.items()]
        return [*recorded, *advances, *after]

    def _skipped(self, claim: Claim, changed: Sequence[str]) -> dict[str, Skipped]:
        """The times for which these datasets have no version once this batch is committed; nothing where it skips nothing."""
        if not changed or (claim.intervals == 1 and not claim.again):
            return {}
        states = self._states(claim.flow, changed)
        former = {name: states[name].skipped if name in states else () for name in changed}
        found = {name: Skipped.after(skipped, claim.interval, claim.intervals) for name, skipped in former.items()}
        return {name: one for name, one in found.items() if one.now != one.former}

    def _unchanged_again(self, claim: Claim, dataset: str) -> Version | None:
        """The version before stands for this batch too, and replaces the one that an earlier program version made for it."""
        return self.reader.version_at(dataset, claim.interval.start) if claim.again and not claim.rerun else None

    def _passed_on(self, claim: Claim, completes: Mapping[str, str], empty: Sequence[str]) -> dict[str, tuple[str, str]]:
        """The other flow's datasets that have nothing to do for this batch: dataset ▸ its flow and its cursor.

        Datasets that are behind, or that a later program version makes, are left out.
        """
        wanted: dict[str, list[str]] = {}
        for dataset in empty:
            target = dataset.removesuffix(":staged")
            if target != dataset and target in completes:
                wanted.setdefault(completes[target], []).append(target)
        return {
            dataset: (flow, table.cursor)
            for flow, state in (self.reader.states_of(wanted) if wanted else {}).items()
            for dataset, table in state.tables.items()
            if table.entry <= claim.entry and table.watermark == claim.interval.start
        }

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

    def _schema(self, claim: Claim, commit: TableCommit) -> tuple[int, SchemaVersion | None]:
        """The number of the schema version that holds after this commit, and the version itself if it is new."""
        latest = self.reader.latest_schema(commit.dataset) if commit.schema or commit.pointer else None
        schema = commit.schema or (latest.schema if latest else None)
        if schema is None:
            return 0, None
        layout = json.loads(json.dumps(dict(commit.layout))) if commit.schema else latest.layout if latest else {}
        if latest and (latest.schema, latest.layout, latest.signature) == (schema, layout, commit.signature):
            return latest.number, None
        number = (latest.number if latest else 0) + 1
        return number, SchemaVersion(
            commit.dataset, number, schema, layout, commit.signature, claim.program_version, self._origins(claim, commit)
        )

    def _origins(self, claim: Claim, commit: TableCommit) -> Mapping[str, tuple[str, ...]]:
        lineage = self.reader.lineage(claim.program_version) if commit.signature else None
        dataset = lineage.datasets.get(commit.dataset.removesuffix(":result")) if lineage else None
        return {c.name: tuple(map(str, c.inputs)) for c in dataset.columns} if dataset else {}

    def _transact(
        self, claim: Claim, datasets: Sequence[str], build: Callable[[], list[Action]], recorded: Sequence[TableStatus]
    ) -> None:
        """Sends the actions of `build`, built anew while other writers touch the items, until they hold or are `recorded`."""
        last = Refusal.LATER
        for pause in pauses():
            try:
                self._client.transact_write_items(TransactItems=build())  # type: ignore[arg-type]
                return
            except ClientError as error:
                last = refusal(error)
                if last != Refusal.CONDITION and not is_contended(error):
                    raise refused_record(error, claim.flow) from None
                if last == Refusal.CONDITION and not self._open(claim, datasets, recorded):
                    return
            time.sleep(pause)
        raise given_up(last, claim.flow)

    def _open(self, claim: Claim, datasets: Sequence[str], recorded: Sequence[TableStatus]) -> bool:
        """Whether the outcomes are still to be written: False when this token has written them (its answer was lost)."""
        batch = self.reader.batch(claim.flow, claim.interval.start, datasets)
        workers, outcomes = (batch.workers, batch.outcomes) if batch else ({}, {})
        if any(name not in workers or workers[name].token != claim.token for name in datasets):
            raise _stale(claim)
        return not all(name in outcomes and outcomes[name].status in recorded for name in datasets)

    def _put_statistics(self, claim: Claim, commit: TableCommit) -> None:
        values = {
            **keys.statistics(claim.flow, claim.interval.start, commit.dataset),
            "dataset": commit.dataset,
            "rows": commit.rows,
            "rejected": commit.rejected,
            "bytes": commit.bytes,
            "seconds": round(commit.seconds, 3),
            "skew": commit.skew,
            "gb_seconds": commit.used.get("lambda_arm64_gb_second", 0.0),
            "cost_dollars": cost_dollars(commit.used),
            **({"unpriced": unpriced(commit.used)} if unpriced(commit.used) else {}),
            "expires": int(self._clock().timestamp()) + STATISTICS_DAYS * 86400,
            **({"engine": commit.engine, "why": commit.why} if commit.engine else {}),
            **({"statements": [dict(one) for one in commit.statements[:STATEMENTS_KEPT]]} if commit.statements else {}),
        }
        self._client.put_item(TableName=self._table, Item=items.to_item(values))

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

    def _states(self, flow: str, datasets: Collection[str]) -> Mapping[str, TableState]:
        found = self.reader.states_of({flow: datasets}).get(flow)
        return found.tables if found else {}


def _change(commit: TableCommit, outcome: TableOutcome) -> LastChange | None:
    """The batch's change of a dataset; None for nothing."""
    return change_of(outcome, commit.skew, cost_dollars(commit.used), commit.beyond) if commit.rows or commit.pointer else None


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


def _stale(claim: Claim) -> StaleToken:
    return StaleToken(
        f"token {claim.token} of batch {claim.interval} is stale: another worker owns it",
        place=claim.flow,
        remedy="nothing: the other worker's result stands",
    )
