"""The options of a PostgreSQL connection."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from shared_metadata.contract.options import read_options
from shared_metadata.program import Connection

_LENGTH = re.compile(r"(\d+)\s*(second|minute|hour|day)s?")


class Config(BaseModel):
    """`CREATE CONNECTION ops TO postgres WITH (…)`.

    secret: a reference to the JSON secret.  schema: of tables that are named without one.
    lag: how far behind its last upper bound a window over a time cursor reaches back, for transactions that commit late.
    max_parts: how many extracts of one large table may run beside each other.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: str = Field(min_length=1)
    default_schema: str = Field(default="public", alias="schema", min_length=1)
    lag: timedelta = timedelta(0)
    max_parts: int = Field(default=4, ge=1, le=64)

    @field_validator("lag", mode="before")
    @classmethod
    def _length(cls, value: Any) -> Any:
        found = _LENGTH.fullmatch(value.strip().lower()) if isinstance(value, str) else None
        if not found:
            raise ValueError("write a length of time such as '30 seconds' or '5 minutes'")
        return timedelta(**{f"{found[2]}s": int(found[1])})


def read_config(connection: Connection) -> Config:
    return read_options(Config, connection)
