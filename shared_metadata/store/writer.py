"""Writes the metadata layer: claim, commit and fail a batch; store and activate a program.

The commit protocol: `claim` gives each table of a batch a new fencing token, by conditional writes of up to 100 tables at a time;
`commit` is one TransactWriteItems that holds only under that token. Each of them writes the items of its own tables and no others.
Whatever happens in between, a batch's table is committed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared_metadata.program import Program
from shared_metadata.program.lineage import Lineage
from shared_metadata.state.effect import Effect
from shared_metadata.state.entries import Timeline
from shared_metadata.state.freshness import LateDataset
from shared_metadata.store import items, keys
from shared_metadata.store.activation import Activation
from shared_metadata.store.claim_writer import ClaimWriter
from shared_metadata.store.commit_writer import CommitWriter
from shared_metadata.store.dead_letters import DeadLetters
from shared_metadata.store.drift_registry import DriftRegistry
from shared_metadata.store.failure_writer import FailureWriter
from shared_metadata.store.table_reader import Clock, utc_now
from shared_metadata.store.writes import written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class MetadataWriter(ClaimWriter, CommitWriter, FailureWriter):
    """Writes for the steps of a batch and for `atoll apply`; most code needs only a MetadataReader."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock = utc_now) -> None:
        super().__init__(client, table, clock)
        self._activation = Activation(client, table, self.reader)
        self.drifts = DriftRegistry(client, table, clock)
        self.dead_letters = DeadLetters(client, table, self.reader, clock)

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
