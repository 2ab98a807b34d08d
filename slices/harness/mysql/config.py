"""The options of a MySQL connection for publishing."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from shared_metadata.contract.options import read_options
from shared_metadata.program import Connection


class Config(BaseModel):
    """The options after WITH.

    secret: reference of the secret, e.g. 'shop' for `atoll/shop`.
    receipts_schema: the database in which the receipts and the staging tables live.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: str = Field(min_length=1)
    receipts_schema: str = Field(default="atoll", min_length=1, max_length=64)


def read_config(connection: Connection) -> Config:
    return read_options(Config, connection)
