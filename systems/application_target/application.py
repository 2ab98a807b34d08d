"""What a slice says of the application that it publishes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from shared_metadata.contract.runtime.deadline import Deadline


@dataclass(frozen=True)
class Group:
    """Rows that are sent together.

    key: the same in each attempt to send them, and no other group's; the application may know by it that it has them already.
    dataset, batch: which rows they are; batch: the moment at which the batch begins.
    upserts: JSON objects, as text; deletes: the keys of rows that go, as such. One of both is empty.
    token: of the claim that sends them.  types: the result's columns, each with its type.
    """

    key: str
    dataset: str
    batch: str
    upserts: Sequence[str]
    deletes: Sequence[str]
    token: int = 0
    types: Mapping[str, str] = field(default_factory=dict)

    def part(self, first: int, end: int) -> Group:
        """Some of its rows; the whole has the whole's key."""
        if (first, end) == (0, len(self)):
            return self
        return replace(self, key=f"{self.key}.{first}-{end}", upserts=self.upserts[first:end], deletes=self.deletes[first:end])

    def __len__(self) -> int:
        return len(self.upserts) or len(self.deletes)


class Application(Protocol):
    """A connection to an application.

    rows_a_group: the most rows that it takes at once.  seconds_a_group: after which an answer is given up.
    """

    rows_a_group: int
    seconds_a_group: float

    def send(self, group: Group, deadline: Deadline) -> str:
        """'' where the application has taken all of the group, else why it refuses it, in words that hold no data.

        Raises RetryLater where it is not known whether it has, or where it cannot take it for the moment; `after_seconds` is when
        the application wants it again.
        """
        ...

    def close(self) -> None: ...
