"""The options of `CREATE CONNECTION … TO s3 WITH (…)`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared_metadata.contract.options import read_options
from shared_metadata.program import Connection

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; no wildcard of IAM's is among them
_BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
_KEY = r"^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$"
_PREFIX = r"^([^*?$/][^*?$]*/)?$"


class Config(BaseModel):
    """bucket: where the objects are.  prefix: below which each table is a folder: '' or a path that ends with /.

    format: of all objects below it; gzip and zstd are seen by themselves.
    kms_key: the ARN of the key with which objects are encrypted, where it is one of the owner's.
    delimiter, quote, escape, header, null_text, encoding: of CSV.  escape: '' for the quote itself, doubled.  null_text: what no
    value is, where it stands without quotes.
    nested: what lists and objects in JSON lines become: their text, or a type of their own, by a sample.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bucket: str = Field(pattern=_BUCKET, description="the name of a bucket, such as 'acme-drop'")
    prefix: str = Field("", pattern=_PREFIX, description="a path that ends with /, without *, ? and $")
    format: Literal["parquet", "csv", "json", "avro"]
    kms_key: str = Field("", pattern=_KEY, description="the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>")
    delimiter: str = Field(",", min_length=1, max_length=4)
    quote: str = Field('"', max_length=1)
    escape: str = Field("", max_length=1)
    header: bool = True
    null_text: str = ""
    encoding: Literal["utf-8", "utf-16", "latin-1"] = "utf-8"
    nested: Literal["text", "struct"] = "text"


def read_config(connection: Connection) -> Config:
    return read_options(Config, connection)
