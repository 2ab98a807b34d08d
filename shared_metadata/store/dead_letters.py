"""Dead letters: batches that failed too often to be retried automatically; lists and redrives them, and claims their notifications.

A dead letter is part of its table's state (`TableState.dead_letter`), so that whatever commits the batch, or moves the table for
another reason, takes the letter away in the same write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared_metadata.drift.changes import readers
from shared_metadata.errors import RetryLater
from shared_metadata.program.intervals import Interval, covered, next_interval
from shared_metadata.state.records import Batch, DeadLetter, FlowState, TableState
from shared_metadata.state.timeline import Programs
from shared_metadata.store.actions import Actions
from shared_metadata.store.reader import MetadataReader
from shared_metadata.store.table_reader import Clock, utc_now
from shared_metadata.store.writes import transacted, written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLES_A_TRANSACTION = 99  # the dead letters of a transaction, which has 100 actions
CONFLICT_TRIES = 8


@dataclass(frozen=True)
class DeadBatch:
    """A batch that waits for an operator.

    covers: how many intervals it covers.  waiting: the datasets that are made from it, however far away, in order of name.
    """

    flow: str
    dataset: str
    interval: Interval
    cause: str
    failures: int
    letter: DeadLetter | None  # None for one that stopped before letters were kept
    waiting: tuple[str, ...]
    covers: int = 1


def dead_batches(programs: Programs, states: Mapping[str, FlowState], reader: MetadataReader) -> list[DeadBatch]:
    """Describes all dead tables; one read for a hundred of them."""
    tables = dead_tables(programs, states)
    wanted: dict[tuple[str, datetime], list[str]] = {}
    for flow, name, table in tables:
        wanted.setdefault((flow, table.watermark), []).append(name)
    recorded = reader.batches_at(wanted) if wanted else {}
    return [dead_batch(programs, flow, name, table, recorded.get((flow, table.watermark))) for flow, name, table in tables]


def dead_tables(programs: Programs, states: Mapping[str, FlowState]) -> list[tuple[str, str, TableState]]:
    """(flow, dataset, state) of the programs' dead tables, by name, without datasets quiesced by drift or that no program makes."""
    return [
        (flow, dataset, table)
        for flow, state in sorted(states.items())
        for dataset, table in sorted(state.tables.items())
        if table.stopped and not state.drifts(dataset) and programs.progress(flow, dataset, table).program is not None
    ]


def dead_batch(programs: Programs, flow: str, dataset: str, table: TableState, recorded: Batch | None) -> DeadBatch:
    """Describes a stopped table, with its readers in the program of its batch.

    recorded: the batch, as it was claimed; it may cover several intervals.
    """
    found = programs.with_flow(flow, table.watermark)
    assert found is not None  # the flow belongs to one of the programs
    program = found[1]
    waiting = tuple(sorted(readers(program, [dataset]) - {dataset}))
    seconds = program.flows[flow].interval_seconds
    interval = recorded.interval if recorded else next_interval(table.watermark, seconds)
    covers = covered(interval, seconds)
    return DeadBatch(flow, dataset, interval, table.error, table.failures, table.dead_letter, waiting, covers)


class DeadLetters:
    """The writes about dead letters, beside the write that makes them."""

    def __init__(self, client: DynamoDBClient, table: str, reader: MetadataReader, clock: Clock = utc_now) -> None:
        self._client, self._reader, self._clock, self._actions = client, reader, clock, Actions(table)

    def redrive(self, flow: str, datasets: Sequence[str]) -> Mapping[str, TableState]:
        """Lets dead batches of a flow be tried again at once; returns the state of each redriven one.

        Left out is a batch that is no dead letter now: it was committed, or another caller has redriven it. Raises RetryLater.
        """
        redriven: dict[str, TableState] = {}
        for at in range(0, len(datasets), TABLES_A_TRANSACTION):
            redriven |= self._redrive_some(flow, datasets[at : at + TABLES_A_TRANSACTION])
        return redriven

    def _redrive_some(self, flow: str, datasets: Sequence[str]) -> Mapping[str, TableState]:
        for _ in range(CONFLICT_TRIES):
            tables = self._dead(flow, datasets)
            if not tables:
                return tables
            actions = [self._actions.redrive(flow, dataset, state) for dataset, state in tables.items()]
            if transacted(self._client, [*actions, self._actions.redriven(flow, tables, self._clock())], place=flow):
                return tables
        raise RetryLater(f"the state of {flow} stayed contended", remedy="call `atoll retry` again")

    def claim_notification(self, flow: str, dataset: str) -> TableState | None:
        """Claims the right to notify of a dead table for `NOTIFYING`; None if another caller has it, or the table is repaired."""
        table = self._dead(flow, [dataset]).get(dataset)
        if table is None or table.dead_letter is None:
            return None
        return table if written(self._client, self._actions.notifying(flow, dataset, table.dead_letter, self._clock())) else None

    def notified(self, flow: str, dataset: str, letter: DeadLetter) -> None:
        """Marks the notification as sent."""
        written(self._client, self._actions.notified(flow, dataset, letter, self._clock()))

    def release_notification(self, flow: str, dataset: str, letter: DeadLetter) -> None:
        """Releases the claim on the notification."""
        written(self._client, self._actions.notified(flow, dataset, letter, None))

    def _dead(self, flow: str, datasets: Sequence[str]) -> dict[str, TableState]:
        state = self._reader.states_of({flow: datasets}).get(flow)
        return {name: table for name, table in state.tables.items() if table.stopped and not table.drifts} if state else {}
