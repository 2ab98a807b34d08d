"""The options of `CREATE CONNECTION … TO s3 WITH (…)` for publishing."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared_metadata import naming
from shared_metadata.contract.maintenance import keep as keeping
from shared_metadata.contract.options import read_options
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; no wildcard of IAM's is among them
_BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
_KEY = r"^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$"
_PREFIX = r"^[^*?$/][^*?$]*/$"


class Config(BaseModel):
    """bucket: where the files go.  prefix: below which each table is a folder; nothing else is written or deleted there.

    format: of the files.  compression: of them; '' for zstd in Parquet, and none elsewhere.
    kms_key: the ARN of the key with which they are encrypted; '' for what the bucket does by itself.
    keep: for how long the files of a former result stay that REPLACE has put others in the place of.
    delimiter, header: of CSV.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bucket: str = Field(pattern=_BUCKET, description="the name of a bucket, such as 'acme-shelf'")
    prefix: str = Field(pattern=_PREFIX, description="a path that ends with /, such as 'out/', without *, ? and $")
    format: Literal["parquet", "csv", "json"]
    compression: Literal["", "none", "gzip", "zstd"] = ""
    kms_key: str = Field("", pattern=_KEY, description="the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>")
    keep: str = Field("1 day", pattern=keeping.PATTERN, description=keeping.LENGTH)
    delimiter: str = Field(",", pattern=r"^[\t !#-~]$", description='a tab, or a printable character of ASCII other than "')
    header: bool = True

    @property
    def compressed(self) -> str:
        return self.compression or ("zstd" if self.format == "parquet" else "none")

    @property
    def kept(self) -> timedelta:
        return keeping.keep_of(self.keep, 0)


def read_config(connection: Connection) -> Config:
    """Raises DefinitionError, also for the buckets in which Atoll keeps what it makes."""
    config = read_options(Config, connection)
    if config.bucket.startswith(naming.data_bucket("", "").rstrip("-")):
        remedy = "publish to a bucket of your own"
        raise DefinitionError(f"{config.bucket} is Atoll's own bucket", place=str(connection.position), remedy=remedy)
    return config
