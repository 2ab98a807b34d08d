"""The protocol with one thing wrong each: what the model has to find."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from shared_metadata.contract.maintenance.ageing import Ageing
from shared_metadata.contract.work import Work
from shared_metadata.program.intervals import Interval
from shared_metadata.state.records import Batch, Claim, TableCommit, TableOutcome, Version, Worker
from shared_metadata.store.actions import Actions
from shared_metadata.store.aged import AgedBatches
from shared_metadata.store.aged_records import AgedRecords, Values
from shared_metadata.store.keys import EVENT_PREFIX
from shared_metadata.store.table_actions import Action
from shared_metadata.store.writer import MetadataWriter
from shared_metadata.store.writes import transacted, written
from tests.protocol.lake import ModelDriver
from tests.protocol.world import Made

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def unconditional(action: Action) -> Action:
    """The same write whatever is there."""
    changed = copy.deepcopy(action)
    for asked in changed.values():
        asked.pop("ConditionExpression", None)
    return changed


def writes(**methods: Callable[..., Any]) -> Made:
    """A writer whose actions are made otherwise."""
    actions = type("BrokenActions", (Actions,), methods)

    def init(self: Any, client: Any, table: str, clock: Any) -> None:
        MetadataWriter.__init__(self, client, table, clock)
        self._actions = actions(table)

    return Made(writer=type("BrokenWriter", (MetadataWriter,), {"__init__": init}))


def _outcome(self: Actions, claim: Claim, dataset: str, outcome: TableOutcome, moved: Any = None) -> Action:
    return unconditional(Actions.outcome(self, claim, dataset, outcome, moved))


def _advance(self: Actions, flow: str, claim: Claim, dataset: str, cursor: str, *more: Any) -> Action:
    return unconditional(Actions.advance(self, flow, claim, dataset, cursor, *more))


def _take(self: Actions, claim: Claim, worker: Worker, dataset: str, former: Worker | None) -> Action:
    return unconditional(Actions.take(self, claim, worker, dataset, former))


def _same_token(self: Actions, claim: Claim, worker: Worker, dataset: str, former: Worker | None) -> Action:
    token = former.token if former else worker.token
    object.__setattr__(claim, "token", token)
    return Actions.take(self, claim, replace(worker, token=token), dataset, former)


def _key(action: Action) -> str:
    ((_, asked),) = action.items()
    return str((asked.get("Key") or asked["Item"])["pk"]["S"])


class EventAfterwards(MetadataWriter):
    """The event is put when the transaction is done."""

    def _transact(self, claim: Claim, datasets: Sequence[str], build: Callable[[], list[Action]], recorded: Any) -> None:
        built = build()
        events = [action for action in built if _key(action).startswith(EVENT_PREFIX)]
        super()._transact(claim, datasets, lambda: [action for action in build() if action not in events], recorded)
        for event in events:
            self._client.put_item(**event["Put"])


class CursorApart(MetadataWriter):
    """The watermark moves before the transaction."""

    def commit(self, claim: Claim, commits: Sequence[TableCommit], *, completes: Mapping[str, str] | None = None) -> None:
        moving = [] if claim.rerun else self._moving(claim, commits)
        if moving:
            transacted(self._client, [self._actions.advance(claim.flow, claim, c.dataset, c.cursor) for c in moving])
        super().commit(claim, commits, completes=completes)


class LosesFailures(MetadataWriter):
    """An execution that ended without an outcome is not noticed."""

    def record_lost(self, *_: Any, **__: Any) -> None: ...


class IgnoresLeases(MetadataWriter):
    """Claims what another is at work on. Not a mistake: leases save work, tokens keep it right."""

    def claim(self, flow: str, interval: Interval, datasets: Sequence[str], **how: Any) -> Claim:
        batch = self.reader.batch(flow, interval.start)
        for name, worker in batch.workers.items() if batch else ():
            written(self._client, self._actions.end_lease(flow, interval.start, name, worker.owner, LONG_AGO))
        return super().claim(flow, interval, datasets, **how)


class TokensBeginAnew(MetadataWriter):
    """A claim does not ask what has aged."""

    def _aged(self, flow: str, former: Batch | None, datasets: Sequence[str]) -> AgedBatches | None:
        return None


class AsksBefore(MetadataWriter):
    """A claim asks what has aged before it looks whether the batch is recorded."""

    def claim(self, flow: str, interval: Interval, datasets: Sequence[str], **how: Any) -> Claim:
        self._before = self.reader.aged_batches(flow)
        return super().claim(flow, interval, datasets, **how)

    def _aged(self, flow: str, former: Batch | None, datasets: Sequence[str]) -> AgedBatches | None:
        return self._before


class SummaryAfterwards(Ageing):
    """The summary is written when the batches are gone."""

    def _put_away(self, flow: str, going: Sequence[Values]) -> bool:
        for values in going:
            self._records.delete_table(values)
        return super()._put_away(flow, going)


class TellsNobody(Ageing):
    """Versions go, and those that stay are not told."""

    def _told(self, dataset: str, pairs: Sequence[tuple[Version, Version]], upto: datetime) -> bool:
        return True


class TellsAfterwards(Ageing):
    """Readers are told that versions are forgotten when these are gone."""

    def _told(self, dataset: str, pairs: Sequence[tuple[Version, Version]], upto: datetime) -> bool:
        for version in self._records.versions(dataset, upto, 100)[1:-1]:
            self._records.delete_version(version)
        return super()._told(dataset, pairs, upto)


class _Unconditional(AgedRecords):
    def __init__(self, client: Any, table: str) -> None:
        super().__init__(client, table)
        made = self._actions.delete
        self._actions.delete = lambda *given: unconditional(made(*given))  # type: ignore[method-assign]


class DeletesWhatever(Ageing):
    """Deletes what was read, whatever became of it."""

    def __init__(self, services: Any, retention: Any, deadline: Any) -> None:
        super().__init__(services, retention, deadline)
        self._records = _Unconditional(services.dynamodb, services.environment.atoll_metadata_table)


class NeverLooksUp(ModelDriver):
    """Loads without asking whether this batch is there."""

    def landed(self, work: Work, snapshots: Sequence[Mapping[str, Any]]) -> int | None:
        return None

    def _rows(self, work: Work, rows: Sequence[int], snapshots: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
        current = snapshots[-1]["rows"] if snapshots else []
        return [*current, *([str(work.claim.interval.start), row] for row in rows)]


BROKEN: Mapping[str, Made] = {
    "a commit does not ask for its token": writes(outcome=_outcome),
    "a commit does not ask where the watermark stands": writes(advance=_advance),
    "a claim does not ask for the token before it": writes(take=_take),
    "a claim gives the former token again": writes(take=_same_token),
    "the event is put after the transaction": Made(writer=EventAfterwards),
    "the watermark moves before the transaction": Made(writer=CursorApart),
    "a lost execution is not noticed": Made(writer=LosesFailures),
    "a load does not look its batch up": Made(driver=NeverLooksUp),
    "tokens begin anew": Made(writer=TokensBeginAnew),
    "a claim asks too early what has aged": Made(writer=AsksBefore),
    "the summary is written after batches are deleted": Made(ageing=SummaryAfterwards),
    "versions go, and nobody is told": Made(ageing=TellsNobody),
    "versions go before it is told": Made(ageing=TellsAfterwards),
    "what was read is deleted, whatever became of it": Made(ageing=DeletesWhatever),
}
