"""What a step is: a function of an event and Lambda's context, which must have returned by a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

LEASE_SECONDS = 16 * 60  # a Lambda function runs 15 minutes at most


MARGIN_SECONDS = 30.0


class Context(Protocol):
    """What Lambda hands to a handler beside the event; only this of it is used."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True)
class Deadline:
    """When a step must have returned."""

    at_monotonic: float

    @staticmethod
    def of(context: Context) -> Deadline:
        return Deadline(time.monotonic() + context.get_remaining_time_in_millis() / 1000)

    @property
    def seconds_left(self) -> float:
        return self.at_monotonic - time.monotonic()

    @property
    def near(self) -> bool:
        """Time to save a resume token and return."""
        return self.seconds_left < MARGIN_SECONDS


Step = Callable[[Mapping[str, Any], Context], dict[str, Any]]
