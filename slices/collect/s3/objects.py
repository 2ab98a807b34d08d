"""The objects below a table's prefix: listed once in a step, in the order of their keys."""

from __future__ import annotations

import heapq
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from shared_metadata.aws.later import Refusal, refusal
from shared_metadata.contract.discovery import MOST_NAMES
from shared_metadata.errors import DefinitionError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SAMPLED = 8  # of the newest objects, to tell a table's columns


def is_hidden(part: str) -> bool:
    """Whether a folder's or an object's name says that it is no data: `_SUCCESS`, and not `_day=2026-01-01`, which is a column's."""
    return part.startswith(".") or (part.startswith("_") and "=" not in part)


class Found(NamedTuple):
    """An object as it was listed. modified: seconds since 1970."""

    key: str
    etag: str
    size: int
    modified: int

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.modified, UTC)

    def line(self) -> bytes:
        return json.dumps(self, ensure_ascii=False).encode() + b"\n"

    @staticmethod
    def of_line(line: bytes) -> Found:
        return Found(*json.loads(line))


@dataclass
class Listing:
    """What lies below a prefix. newest: a few, the newest first, none of them empty.  count, bytes: of all."""

    newest: list[Found]
    count: int
    bytes: int
    _file: Any

    def __iter__(self) -> Iterator[Found]:
        """Yields them in the order of keys."""
        self._file.seek(0)
        return map(Found.of_line, self._file)


class Bucket:
    """A bucket's objects. place: for errors."""

    def __init__(self, s3: S3Client, name: str, place: str) -> None:
        self.s3, self.name, self._place = s3, name, place

    def listing(self, prefix: str) -> Listing:
        """All objects of data below the prefix: neither markers of folders nor what is hidden."""
        file, newest, count, size = tempfile.TemporaryFile(), list[tuple[int, str, Found]](), 0, 0  # noqa: SIM115 - it ends with the listing
        for found in self._pages(prefix):
            if found.key.endswith("/") or any(map(is_hidden, found.key[len(prefix) :].split("/"))):
                continue
            file.write(found.line())
            count, size = count + 1, size + found.size
            if found.size:
                heapq.heappush(newest, (found.modified, found.key, found))
                if len(newest) > SAMPLED:
                    heapq.heappop(newest)
        return Listing([found for *_, found in sorted(newest, reverse=True)], count, size, file)

    def folders(self, prefix: str) -> list[str]:
        """The names of the folders right below a prefix."""
        names: list[str] = []
        with self.refusing(f"s3:ListBucket on {self.name}"):
            for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix, Delimiter="/"):
                names += [group["Prefix"][len(prefix) : -1] for group in page.get("CommonPrefixes", ())]
                if len(names) >= MOST_NAMES:
                    break
        return sorted(name for name in names if name and not is_hidden(name))[:MOST_NAMES]

    def _pages(self, prefix: str) -> Iterator[Found]:
        """Raises DefinitionError for a bucket that lists in no order, as a directory bucket does: then nothing tells what is new."""
        last = ""
        with self.refusing(f"s3:ListBucket on {self.name}"):
            for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                for one in page.get("Contents", ()):
                    if one["Key"] < last:
                        what = f"{self.name} does not list its objects in the order of their keys"
                        raise DefinitionError(what, place=self._place, remedy="use a general purpose bucket, not a directory bucket")
                    last = one["Key"]
                    modified = int(one["LastModified"].timestamp())
                    yield Found(one["Key"], one["ETag"].strip('"'), one["Size"], modified)

    @contextmanager
    def refusing(self, right: str) -> Iterator[None]:
        """Says what is missing where S3 refuses. right: what is needed."""
        try:
            yield
        except ClientError as error:
            raise self._translated(error, right) from error

    def _translated(self, error: ClientError, right: str) -> Exception:
        code = error.response["Error"]["Code"]
        if code == "NoSuchBucket":
            return DefinitionError(f"there is no bucket {self.name}", place=self._place, remedy="correct the connection's `bucket`")
        if refusal(error) == Refusal.DENIED:
            remedy = "`atoll deploy` again; of another account's bucket let its policy allow the role, see the slice's README"
            return DefinitionError(f"S3 denies {right}", place=self._place, remedy=remedy)
        return error
