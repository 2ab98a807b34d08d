"""The options of `CREATE CONNECTION … TO salesforce WITH (…)`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared_metadata.contract.options import read_options
from shared_metadata.program import Connection

_LENGTH = "a length of time of at most a day, such as '90 seconds', '1 minute' or '2 hours'"
_UNITS = {"second": 1, "minute": 60, "hour": 3600}


def _seconds(value: object) -> object:
    """'90 seconds', '1 minute', '2 hours' as seconds; a number is seconds already."""
    match = re.fullmatch(r"\s*(\d+)\s*(second|minute|hour)s?\s*", value) if isinstance(value, str) else None
    if match:
        return int(match[1]) * _UNITS[match[2]]
    if isinstance(value, str):
        raise ValueError(_LENGTH)
    return value


class Config(BaseModel):
    """secret: the reference of the secret that holds the credentials, stored as `atoll/<reference>`.

    api_version: of the REST and Bulk APIs.  bulk_threshold_rows: from so many rows on a table is read by a Bulk job.
    lag: how long after its moment a change may become visible, as long as a transaction may take; each window is re-read by it.
    all_records: a batch fails unless the user may see all records of its objects; FALSE where a part is what is wanted.
    purged_records: records that were purged from the recycle bin are marked as deleted; a batch fails for which that is not told.
    rotating_grant: the secret's refresh token is replaced at each use, and written back.
    compression: whether answers are asked for compressed: right over the Internet, wrong on one machine.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: str = Field(min_length=1)
    api_version: str = Field("62.0", pattern=r"^\d{2,3}\.0$", description="a quoted version, such as '62.0'")
    bulk_threshold_rows: int = Field(20_000, ge=0)
    # https://developer.salesforce.com/docs/atlas.en-us.apexcode.meta/apexcode/apex_gov_limits.htm: no transaction takes longer.
    lag: Annotated[int, BeforeValidator(_seconds)] = Field(600, ge=0, le=86_400, description=_LENGTH)
    compression: Literal["gzip", "none"] = "gzip"
    rotating_grant: bool = False
    all_records: bool = True
    purged_records: bool = True


def read_config(connection: Connection) -> Config:
    return read_options(Config, connection)
