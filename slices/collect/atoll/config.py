"""The options of `CREATE CONNECTION … TO atoll WITH (…)`."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared_metadata.contract.options import read_options
from shared_metadata.program import Connection

# What a function records it dates when it begins to, and it is there at the latest when the function's 15 minutes are over; a minute
# more is for clocks that differ.
SAFE_SECONDS = 960


class Config(BaseModel):
    """lag: in seconds, how long before a batch's end what it takes was recorded, at least.

    gap: what happens where records, or files of refused rows, are not kept any more that were not collected yet.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    lag: int = Field(SAFE_SECONDS, ge=0, le=86_400, description="from 0 to 86400; less than 960 may miss what is recorded late")
    gap: Literal["refuse", "skip"] = "refuse"

    @property
    def behind(self) -> timedelta:
        return timedelta(seconds=self.lag)


def read_config(connection: Connection) -> Config:
    return read_options(Config, connection)
