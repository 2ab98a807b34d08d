"""What a reader is told of a publication, and what Atoll knows of it: one JSON object, written last, and only over what was read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared_metadata.contract.results.receipt import Receipt
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program.intervals import Interval, from_text, to_text
from slices.harness.s3.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WRITTEN_BY_OTHERS = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409", "404")
DENIED = "AccessDenied"
AT_ONCE = 1000  # keys of a DeleteObjects


@dataclass(frozen=True)
class Former:
    """Files of results in whose place others are.  until: when they are deleted."""

    keys: tuple[str, ...]
    until: datetime


@dataclass(frozen=True)
class Manifest:
    """A publication.  content: a name of what its files hold.  at: when it was made.  told: what else a reader is told.

    tag: of the object that was read.
    """

    flow: str
    interval: Interval
    token: int
    content: str
    files: tuple[Mapping[str, Any], ...]
    at: datetime
    former: tuple[Former, ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict)
    tag: str = ""

    def after(self, last: Manifest | None, until: datetime) -> Manifest:
        """The same in the place of the last one.  until: for how long that one's files stay.

        What was due when the last one was made is forgotten: whoever made it has deleted it.
        """
        former = [*(one for one in last.former if one.until > last.at), Former(tuple(sorted(last.keys)), until)] if last else []
        without = [Former(tuple(key for key in one.keys if key not in self.keys), one.until) for one in former]
        return replace(self, former=tuple(one for one in without if one.keys))

    def due(self, now: datetime) -> list[str]:
        """The files of former results whose time is over."""
        return sorted({key for one in self.former if one.until <= now for key in one.keys} - self.keys)

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(str(file["key"]) for file in self.files)

    @property
    def rows(self) -> int:
        return sum(int(file["rows"]) for file in self.files)

    @property
    def receipt(self) -> Receipt:
        return Receipt(self.interval.start, self.token, self.content, (), self.rows, 0)

    def to_json(self) -> str:
        batch = {"start": to_text(self.interval.start), "end": to_text(self.interval.end)}
        said = {"flow": self.flow, "batch": batch, "token": self.token, "content": self.content, "rows": self.rows, **self.told}
        said["published_at"] = to_text(self.at)
        former = [{"keys": one.keys, "until": to_text(one.until)} for one in self.former]
        return json.dumps({**said, "files": self.files, "former": former}, indent=1)


def read_manifest(text: str | bytes, tag: str) -> Manifest:
    said = json.loads(text)
    interval = Interval(from_text(said["batch"]["start"]), from_text(said["batch"]["end"]))
    former = tuple(Former(tuple(one["keys"]), from_text(one["until"])) for one in said["former"])
    at, files = from_text(said["published_at"]), tuple(said["files"])
    return Manifest(said["flow"], interval, said["token"], said["content"], files, at, former, tag=tag)


class Shelf:
    """The bucket of a connection."""

    def __init__(self, s3: S3Client, config: Config, place: str) -> None:
        self._s3, self._bucket, self._prefix, self._place = s3, config.bucket, config.prefix, place
        encrypted: dict[str, Any] = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": config.kms_key}
        self._encrypted = encrypted if config.kms_key else {}

    def manifest(self, key: str) -> Manifest | None:
        with self._explained():
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=key)
            except self._s3.exceptions.NoSuchKey:
                return None
        try:
            return read_manifest(answer["Body"].read(), answer["ETag"])
        except (ValueError, KeyError, TypeError):
            remedy = "move it away, or publish below another prefix"
            raise DefinitionError(f"s3://{self._bucket}/{key} is no manifest of Atoll's", place=self._place, remedy=remedy) from None

    def put_file(self, key: str, path: Path) -> int:
        """The bytes of a file that is written, in the place of one of that name."""
        with path.open("rb") as file, self._explained():
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=file, **self._encrypted)
            return file.seek(0, 2)

    def put_manifest(self, key: str, manifest: Manifest, tag: str) -> bool:
        """Whether it was written over what was read.  tag: of that; '' for nothing."""
        condition: dict[str, Any] = {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}
        more: dict[str, Any] = {"ContentType": "application/json", **condition, **self._encrypted}
        with self._explained():
            try:
                self._s3.put_object(Bucket=self._bucket, Key=key, Body=manifest.to_json().encode(), **more)
            except ClientError as error:
                if error.response["Error"]["Code"] not in WRITTEN_BY_OTHERS:
                    raise
                return False
        return True

    def delete(self, keys: Sequence[str]) -> None:
        for at in range(0, len(keys), AT_ONCE):
            asked: Any = {"Objects": [{"Key": key} for key in keys[at : at + AT_ONCE]], "Quiet": True}
            with self._explained():
                answer = self._s3.delete_objects(Bucket=self._bucket, Delete=asked)
            codes = [str(error.get("Code")) for error in answer.get("Errors", ())]
            if DENIED in codes:
                raise self._denied("files of a former result may not be deleted")
            if codes:
                raise RetryLater(f"files of a former result cannot be deleted: {codes[0]}", place=self._place)

    def _denied(self, what: str) -> DefinitionError:
        """The error of a right that is missing."""
        below = f"s3:GetObject, s3:PutObject and s3:DeleteObject on arn:aws:s3:::{self._bucket}/{self._prefix}*"
        remedy = f"grant the slice's functions {below}, and s3:ListBucket of it: by its stack, deployed anew, and the bucket's policy"
        return DefinitionError(f"{what} in the bucket {self._bucket}", place=self._place, remedy=f"{remedy}; or lift its object lock")

    def folders(self, folder: str) -> list[str]:
        """The folders within one, as they sort."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=folder, Delimiter="/")
        with self._explained():
            return [group["Prefix"] for page in pages for group in page.get("CommonPrefixes", ())]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if error.response["Error"]["Code"] == DENIED:
                raise self._denied("what the publication needs is denied") from None
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise
            remedy = "make the bucket, or name another one: see `bucket` of the connection"
            raise DefinitionError(f"there is no bucket {self._bucket}", place=self._place, remedy=remedy) from None
