"""A batch's own place in S3: `staging/<slice>/<flow>/<start>/<token>/…`; a stale worker cannot write over files in use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared_metadata import naming
from shared_metadata.state.records import Claim

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Staging:
    """Small JSON documents and the places of Parquet files under one claim's prefix."""

    def __init__(self, s3: S3Client, bucket: str, slice_id: str, claim: Claim) -> None:
        self._s3, self.bucket = s3, bucket
        start = f"{claim.interval.start:%Y%m%dT%H%M%SZ}"
        self._place = f"{claim.flow.replace(':', '/')}/{start}/{claim.token:06d}/"
        self._slice_id, self.prefix = slice_id, naming.staging_prefix(slice_id) + self._place

    def key(self, *parts: str) -> str:
        """The S3 key of a file of this batch, e.g. key('lake.crm.account', 'part-0000.parquet')."""
        return self.prefix + "/".join(part.replace(":", "/") for part in parts)

    def url(self, *parts: str) -> str:
        """The same as `s3://…`."""
        return f"s3://{self.bucket}/{self.key(*parts)}"

    def rejected(self, name: str) -> str:
        """The S3 key of a file of rows that were set aside, which outlasts what else the batch stages."""
        return naming.rejected_prefix(self._slice_id) + self._place + name

    def write(self, value: Mapping[str, Any], *parts: str) -> str:
        """Puts a JSON document; returns its key."""
        key = self.key(*parts)
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=json.dumps(value).encode(), ContentType="application/json")
        return key

    def write_manifest(self, value: Mapping[str, Any], dataset: str) -> str:
        """Puts a list of files under a name made of its content: what a version refers to is never written over. Returns its key."""
        digest = hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
        return self.write(value, dataset, f"manifest-{digest}.json")

    def read(self, *parts: str) -> dict[str, Any] | None:
        """The JSON document at `parts`; None when there is none."""
        return read_json(self._s3, self.bucket, self.key(*parts))


def read_json(s3: S3Client, bucket: str, key: str) -> dict[str, Any] | None:
    """The JSON document at `key`; None when there is none."""
    try:
        return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())  # type: ignore[no-any-return]
    except s3.exceptions.NoSuchKey:
        return None
