"""The `landed` step of a slice: which batches its warehouse or target holds, by its own records; reads nothing else.

Each batch leaves its identity in the transaction that makes it visible. `atoll state verify` compares these with what the metadata
layer says. The slice's own function looks, because it alone may: whoever asks needs neither the secret nor the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shared_metadata.contract.steps import Context, Deadline
from shared_metadata.errors import InputError
from shared_metadata.intervals import Interval, from_text, to_text

STEP = "landed"
ANSWER_BATCHES = 20_000  # an answer may have 6 MB, and a batch takes some 150 bytes
ACCEPTED = '{"program": "<version>", "datasets": ["<name>", …]}'


@dataclass(frozen=True)
class Landed:
    """A batch that the other side holds. place: where it says so."""

    interval: Interval
    token: int
    place: str

    def to_plain(self) -> list[Any]:
        return [to_text(self.interval.start), to_text(self.interval.end), self.token, self.place]

    @staticmethod
    def from_plain(value: Sequence[Any]) -> Landed:
        return Landed(Interval(from_text(value[0]), from_text(value[1])), value[2], value[3])
