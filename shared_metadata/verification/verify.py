"""Looks at everything that is recorded, twice where something differs: what is only on its way is not there the second time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared_metadata.contract.landed import Landed
from shared_metadata.reader import MetadataReader, utc_now
from shared_metadata.timeline import Programs
from shared_metadata.verification.difference import Difference
from shared_metadata.verification.differences import differences, unseen_cursors
from shared_metadata.verification.facts import Facts
from shared_metadata.whole_table import every_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Ask = Callable[[Programs], Mapping[str, Sequence[Landed]]]


@dataclass(frozen=True)
class Verified:
    """What was found, and how much was looked at. unseen_cursors: dataset ▸ why its cursor could not be compared."""

    differences: tuple[Difference, ...]
    datasets: int
    batches: int
    versions: int
    unseen_cursors: Mapping[str, str] = field(default_factory=dict)


def verify(client: DynamoDBClient, table: str, ask: Ask, said: Callable[[int], None] = lambda _: None) -> Verified:
    """Raises DefinitionError where no program was ever applied. ask: what landed of the programs' datasets, told after the table
    was read, so that all that is recorded has landed. Batches may run meanwhile."""
    found, facts, programs = _once(client, table, ask, said)
    if found:
        before = set(found)
        found, facts, programs = _once(client, table, ask, said)
        found = [one for one in found if one in before]
    datasets = sum(len(state.tables) for state in facts.states.values())
    return Verified(tuple(found), datasets, len(facts.batches), len(facts.versions), unseen_cursors(facts, programs))


def _once(client: DynamoDBClient, table: str, ask: Ask, said: Callable[[int], None]) -> tuple[list[Difference], Facts, Programs]:
    facts = Facts.of(every_item(client, table, said))
    programs = MetadataReader(client, table).programs()
    return differences(facts, programs, utc_now(), ask(programs)), facts, programs
