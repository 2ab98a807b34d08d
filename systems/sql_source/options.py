"""The options of a connection by which reading in windows and parts is set."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from pydantic import ConfigDict, Field, field_validator

from shared_metadata.contract.tasks.options import TaskOptions

MAX_PARTS = 4  # of a table, beside one another, unless the connection says otherwise
LENGTH = "a quoted length of time, such as '30 seconds' or '5 minutes'"
_LENGTH = re.compile(r"(\d{1,6})\s*(second|minute|hour|day)s?")


class ReadingOptions(TaskOptions):
    """Options of every source that speaks SQL, which a slice's Config inherits; where it is read, `run` says (TaskOptions).

    lag: how far behind its last upper bound a window over a time cursor reaches back, for transactions that commit late.
    max_parts: how many extracts of one large table may run beside each other.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    lag: timedelta = Field(default=timedelta(0), description=LENGTH)
    max_parts: int = Field(default=MAX_PARTS, ge=1, le=64)

    @field_validator("lag", mode="before")
    @classmethod
    def _length(cls, value: Any) -> Any:
        found = _LENGTH.fullmatch(value.strip().lower()) if isinstance(value, str) else None
        if not found:
            raise ValueError(LENGTH)
        return timedelta(**{f"{found[2]}s": int(found[1])})
