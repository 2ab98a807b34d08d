"""The `landed` step of a slice: the newest batch that its warehouse or target holds of each dataset, by its own records.

A batch leaves its identity in the transaction that makes it visible; `atoll state verify` compares that with what the metadata layer
says. The slice's own function looks, under a role that can do nothing else: whoever verifies needs neither secret nor data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.runtime.deadline import Context, Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.errors import InputError
from shared_metadata.program import Connection, Warehouse, from_plain
from shared_metadata.program.intervals import Interval, from_text, to_text

STEP = "landed"
ACCEPTED = '{"of": {"name": "…", "system": "…", "options": {…}}, "flows": {"<dataset>": "<flow>"}}'


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


# Of each dataset the newest batch of its flow, None for none; where is a Warehouse for an organize slice, else a Connection.
Look = Callable[[Any, Services, Mapping[str, str], Deadline], Mapping[str, Landed | None]]


class LandedStep:
    """Reads identities only: neither rows nor metadata."""

    def __init__(self, declaration: Slice, services: Services, look: Look) -> None:
        self._declaration, self._services, self._look = declaration, services, look

    def __call__(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """{'landed': {dataset: [start, end, token, place] or None}}."""
        kind = Warehouse if self._declaration.stage == "organize" else Connection
        try:
            where = from_plain(kind, {"position": {"file": "the input", "line": 1, "column": 1}, **event["of"]})
            flows = {str(dataset): str(flow) for dataset, flow in event["flows"].items()}
        except (KeyError, TypeError, AttributeError):
            raise InputError("the input is refused", place=self._declaration.id, remedy=f"accepted is {ACCEPTED}") from None
        found = self._look(where, self._services, flows, Deadline.of(context))
        return {"landed": {dataset: one.to_plain() if one else None for dataset, one in found.items()}}
