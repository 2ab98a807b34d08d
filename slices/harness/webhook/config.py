"""The options of a webhook's connection."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared_metadata.contract.options import read_options
from shared_metadata.program import Connection


class Config(BaseModel):
    """The options after WITH.

    secret: reference of the secret with the address and how to sign in there.
    format: of a body: one JSON object, or a line of JSON for each row.
    rows_a_request: at most.  timeout_seconds: until an answer is given up.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: str = Field(min_length=1)
    format: Literal["json", "ndjson"] = "json"
    rows_a_request: int = Field(default=100, ge=1, le=10_000)
    timeout_seconds: int = Field(default=30, ge=1, le=300)


def read_config(connection: Connection) -> Config:
    return read_options(Config, connection)
