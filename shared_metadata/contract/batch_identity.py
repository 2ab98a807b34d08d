"""The batch that made each snapshot of a table, and what that means for a batch that wants to commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared_metadata.errors import StaleToken
from shared_metadata.program.intervals import from_text, to_text
from shared_metadata.state.records import Claim


@dataclass(frozen=True)
class Identity:
    """The batch that made a snapshot; written into the snapshot's summary."""

    flow: str
    start: str
    end: str
    token: int
    program: str

    @staticmethod
    def of(claim: Claim) -> Identity:
        return Identity(claim.flow, to_text(claim.interval.start), to_text(claim.interval.end), claim.token, claim.program_version)

    @staticmethod
    def read(properties: Mapping[str, str]) -> Identity | None:
        """Reads the identity; None for a snapshot that no batch of Atoll made."""
        if "atoll.flow" not in properties:
            return None
        return Identity(
            properties["atoll.flow"],
            properties["atoll.batch-start"],
            properties["atoll.batch-end"],
            int(properties["atoll.token"]),
            properties["atoll.program"],
        )

    def properties(self) -> dict[str, str]:
        return {
            "atoll.flow": self.flow,
            "atoll.batch-start": self.start,
            "atoll.batch-end": self.end,
            "atoll.token": str(self.token),
            "atoll.program": self.program,
        }


@dataclass(frozen=True)
class Standing:
    """The history of a table as a batch sees it.

    landed: the snapshot that this very token made, or None.  newer: a batch of the flow that ends later stands already.
    again: a batch of this flow that overlaps this one stands already.
    """

    landed: int | None
    newer: bool
    again: bool


def standing(mine: Identity, history: Iterable[tuple[int, Identity]], *, rerun: bool) -> Standing:
    """Raises StaleToken when a newer token has committed this batch, or when, without a rerun, a later batch stands."""
    landed, newer, later, again = None, False, False, False
    for snapshot_id, other in history:
        if other.flow != mine.flow:
            continue
        if (other.start, other.end) == (mine.start, mine.end):
            if other.token > mine.token:
                raise _stale(mine, f"token {other.token} has committed it")
            landed = snapshot_id if other.token == mine.token else landed
        newer = newer or from_text(other.end) > from_text(mine.end)
        later = later or from_text(other.start) >= from_text(mine.end)
        again = again or (from_text(other.start) < from_text(mine.end) and from_text(mine.start) < from_text(other.end))
    if later and not rerun and landed is None:
        raise _stale(mine, "a later batch stands in the table")
    return Standing(landed, newer, again)


def _stale(mine: Identity, why: str) -> StaleToken:
    return StaleToken(
        f"token {mine.token} of batch [{mine.start}, {mine.end}) is stale: {why}",
        place=mine.flow,
        remedy="nothing: the other worker's result stands",
    )
