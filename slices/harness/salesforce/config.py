"""The options of a connection to Salesforce, for publishing."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared_metadata.contract.options import read_options
from shared_metadata.program import Connection


class Config(BaseModel):
    """The options after WITH.

    secret: reference of the secret that holds the credentials.  api_version: of the REST and Bulk APIs.
    compression: whether answers are asked for compressed.  rotating_grant: the secret's refresh token is replaced at each use.
    rows_a_request: of a collection.  bulk_from_rows: a batch that changes so many rows is sent by Bulk jobs.
    rows_a_job: of such a job, at most.  calls_a_day: of Salesforce's API, at most; None for any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: str = Field(min_length=1)
    api_version: str = Field("62.0", pattern=r"^\d{2,3}\.0$", description="a quoted version, such as '62.0'")
    compression: Literal["gzip", "none"] = "gzip"
    rotating_grant: bool = False
    rows_a_request: int = Field(default=200, ge=1, le=200)
    bulk_from_rows: int = Field(default=2_000, ge=1)
    rows_a_job: int = Field(default=10_000, ge=201, le=100_000)
    calls_a_day: int | None = Field(default=None, ge=1)


def read_config(connection: Connection) -> Config:
    return read_options(Config, connection)
