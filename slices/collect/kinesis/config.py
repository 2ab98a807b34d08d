"""The options of `CREATE CONNECTION … TO kinesis WITH (…)`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared_metadata.contract.options import read_options
from shared_metadata.program import Connection

# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_StreamDescription.html; no wildcard of IAM's is among them
_ARN = r"arn:aws[a-z-]*:kinesis:[a-z0-9-]+:[0-9]{12}:stream/[A-Za-z0-9_.-]{1,128}"
_KEY = r"^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$"


class Config(BaseModel):
    """streams: the ARNs of the streams, each of which is a table of its own name; of this account or another.

    format: of an event: a JSON object, whose keys are columns, or any text, which is the column `data`.
    compression: how each event is packed.  kms_key: the ARN of the key that encrypts the streams, where it is one of the owner's.
    gap: what happens where events were deleted, by the stream's retention, before they were collected.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    streams: str = Field(
        pattern=rf"^\s*{_ARN}(\s*,\s*{_ARN})*\s*$",
        description="the ARNs of streams, with commas between, as 'arn:aws:kinesis:eu-central-1:123456789012:stream/clicks'",
    )
    format: Literal["json", "text"] = "json"
    compression: Literal["none", "gzip"] = "none"
    kms_key: str = Field("", pattern=_KEY, description="the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>")
    gap: Literal["refuse", "skip"] = "refuse"

    @property
    def arns(self) -> dict[str, str]:
        """Name ▸ ARN of each stream."""
        found = (arn.strip() for arn in self.streams.split(","))
        return {arn.partition(":stream/")[2]: arn for arn in found}


def read_config(connection: Connection) -> Config:
    return read_options(Config, connection)
