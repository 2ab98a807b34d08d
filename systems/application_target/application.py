"""What a slice says of the application that it publishes to."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.work import Work


@dataclass(frozen=True)
class Group:
    """Rows that are sent together.

    key: the same in each attempt to send them, and no other group's; the application may know by it that it has them already.
    dataset, batch: which rows they are; batch: the moment at which the batch begins.
    upserts: JSON objects, as text; deletes: the keys of rows that go, as such. One of both is empty.
    token: of the claim that sends them.  types: the result's columns, each with its type.
    note: what the application's `begin` said of it.
    """

    key: str
    dataset: str
    batch: str
    upserts: Sequence[str]
    deletes: Sequence[str]
    token: int = 0
    types: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def part(self, first: int, end: int) -> Group:
        """Some of its rows; the whole has the whole's key."""
        if (first, end) == (0, len(self)):
            return self
        return replace(self, key=f"{self.key}.{first}-{end}", upserts=self.upserts[first:end], deletes=self.deletes[first:end])

    def only(self, rows: Collection[int]) -> Group:
        """The rows of these numbers, in their order."""
        chosen = sorted(rows)
        key = f"{self.key}.{hashlib.sha256(','.join(map(str, chosen)).encode()).hexdigest()[:16]}"
        upserts, deletes = ([some[row] for row in chosen] if some else [] for some in (self.upserts, self.deletes))
        return replace(self, key=key, upserts=upserts, deletes=deletes)

    def __len__(self) -> int:
        return len(self.upserts) or len(self.deletes)


@dataclass(frozen=True)
class Answer:
    """What an application says of a group, in words that hold no data.

    refused: the rows that it refuses, each with why.  waiting: those that it has not taken yet, each with why, as it refuses them for
    the moment, or has not come to them: they alone are sent again. It has taken all others.
    whole: why it has taken none of the group, where it does not say which rows are at fault: the group is halved then.
    """

    refused: Mapping[int, str] = field(default_factory=dict)
    waiting: Mapping[int, str] = field(default_factory=dict)
    whole: str = ""


TAKEN = Answer()


class Application(Protocol):
    """A connection to an application.

    rows_a_group: the most rows that it takes at once.  seconds_a_group: after which an answer is given up.
    """

    rows_a_group: int
    seconds_a_group: float

    def rows_at_once(self, group: Group) -> int:
        """How many of a group's rows are sent at once: what became of so many is written down before others are sent."""
        return len(group)

    def begin(self, group: Group, noted: str) -> str:
        """What is kept of the group before it is sent, so that a later attempt finds out what became of it; '' for nothing.

        noted: what is kept of it already. Raises as `send`.
        """
        return ""

    def send(self, group: Group, deadline: Deadline) -> Answer:
        """Raises RetryLater where it is not known what the application has taken, or where it cannot take it for the moment;
        `after_seconds` is when the application wants it again."""
        ...

    def settle(self, group: Group, deadline: Deadline) -> Answer:
        """Ends, or waits for, what `begin` has noted of a group whose rows are not sent any more: nothing of it may arrive later.

        Rows that were not taken are waiting. Raises as `send`.
        """
        assert not group.note, "who notes something of a group settles it"
        return TAKEN

    def close(self) -> None: ...


class OpenApplication(Protocol):
    """How a slice opens its application to publish a flow's batch."""

    def __call__(self, work: Work, changes: Mapping[str, Any]) -> Application:
        """changes: what `diff` worked out: how many 'upserts' and 'deletes', the 'columns' of the former, with 'name' and 'type'."""
        ...
