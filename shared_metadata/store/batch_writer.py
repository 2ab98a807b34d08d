"""What claims, commits and failures have in common: they write tables of a batch, and hold only under its fencing token."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from shared_metadata.aws.later import Refusal, is_contended, pauses, refusal, refused_record
from shared_metadata.errors import StaleToken
from shared_metadata.state.records import Claim, TableState, TableStatus
from shared_metadata.store.actions import Actions
from shared_metadata.store.reader import MetadataReader
from shared_metadata.store.table_actions import Action
from shared_metadata.store.table_reader import Clock, utc_now
from shared_metadata.store.writes import given_up

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class BatchWriter:
    """Writes the items of a batch's own tables and no others."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock = utc_now) -> None:
        self._client, self._table, self._clock = client, table, clock
        self.reader = MetadataReader(client, table, clock)
        self._actions = Actions(table)

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
            raise stale(claim)
        return not all(name in outcomes and outcomes[name].status in recorded for name in datasets)

    def _states(self, flow: str, datasets: Collection[str]) -> Mapping[str, TableState]:
        found = self.reader.states_of({flow: datasets}).get(flow)
        return found.tables if found else {}


def stale(claim: Claim) -> StaleToken:
    return StaleToken(
        f"token {claim.token} of batch {claim.interval} is stale: another worker owns it",
        place=claim.flow,
        remedy="nothing: the other worker's result stands",
    )
