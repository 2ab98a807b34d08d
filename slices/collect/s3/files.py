"""Objects as files that DuckDB reads: `atoll-s3://7` is an object's one version, whatever its key is.

Each range is asked for under the object's ETag, so that what is read is what was listed. One block is held for each open file.
"""

from __future__ import annotations

import io
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from fsspec import AbstractFileSystem

from shared_metadata.aws.later import Refusal, refusal
from shared_metadata.errors import DefinitionError, RetryLater
from slices.collect.s3.objects import Bucket, Found

if TYPE_CHECKING:
    import duckdb

PROTOCOL = "atoll-s3"
BLOCK_BYTES = 8 << 20
GONE = ("NoSuchKey", "404", "NoSuchVersion")


class Gone(RetryLater):
    """The object is there no more, or its content is another."""


class Files(AbstractFileSystem):  # type: ignore[misc]
    """The objects that a statement reads.  failure: what kept DuckDB from reading one, which its own errors only quote."""

    protocol = PROTOCOL
    cachable = False

    def __init__(self, bucket: Bucket, place: str) -> None:
        super().__init__()
        self.bucket, self.place = bucket, place
        self.failure: Exception | None = None
        self._objects: list[Found] = []

    def add(self, found: Found) -> str:
        """The name under which DuckDB reads the object."""
        self._objects.append(found)
        return f"{PROTOCOL}://{len(self._objects) - 1}"

    def of(self, url: str) -> Found:
        return self._objects[int(url.rpartition("/")[2])]

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.register_filesystem(self)

    def read(self, found: Found, first: int, end: int) -> bytes:
        """The bytes [first, end) of an object. Raises Gone, DefinitionError where reading it is denied."""
        try:
            answer = self.bucket.s3.get_object(
                Bucket=self.bucket.name, Key=found.key, IfMatch=f'"{found.etag}"', Range=f"bytes={first}-{end - 1}"
            )
            return answer["Body"].read()
        except ClientError as error:
            raise self._translated(error, found) from error

    def is_whole_gzip(self, found: Found) -> bool:
        """Reads it through: DuckDB takes one that was cut off for what is left of it, and may take its last value for another."""
        unpacking, at = zlib.decompressobj(wbits=31), 0
        while at < found.size:
            block = self.read(found, at, min(at + BLOCK_BYTES, found.size))
            at += len(block)
            while block.strip(b"\0") or (block and not unpacking.eof):
                if unpacking.eof:  # another member follows
                    unpacking = zlib.decompressobj(wbits=31)
                try:
                    unpacking.decompress(block, BLOCK_BYTES)
                except zlib.error:
                    return False
                block = unpacking.unused_data if unpacking.eof else unpacking.unconsumed_tail
        return unpacking.eof

    def check(self) -> None:
        """Raises what kept DuckDB from reading an object, where something did."""
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure

    # -- what DuckDB asks

    def glob(self, path: str, **_: Any) -> list[str]:
        return [path]

    def exists(self, path: str, **_: Any) -> bool:
        return True

    def isfile(self, path: str) -> bool:
        return True

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        return {"name": path, "size": self.of(path).size, "type": "file"}

    def modified(self, path: str) -> datetime:
        return datetime.fromtimestamp(self.of(path).modified, UTC)

    def _open(self, path: str, mode: str = "rb", **_: Any) -> io.BufferedIOBase:
        return _File(self, self.of(path))

    def _translated(self, error: ClientError, found: Found) -> Exception:
        code = error.response["Error"]["Code"]
        if code in ("PreconditionFailed", "412", *GONE):
            what = f"{found.key} was deleted or replaced after it was listed"
            return Gone(what, place=self.place, remedy="nothing: the batch is planned again")
        if code == "InvalidObjectState":
            what = f"{found.key} is archived, and cannot be read"
            return DefinitionError(what, place=self.place, remedy="restore it, or move archived objects to another prefix")
        if code.startswith("KMS.") or "kms" in error.response["Error"].get("Message", "").lower():
            remedy = "name the key as the connection's `kms_key`, deploy again, and let the key's policy allow the role"
            return DefinitionError(f"the key that {found.key} is encrypted with is denied", place=self.place, remedy=remedy)
        if refusal(error) == Refusal.DENIED:
            remedy = "let the bucket's policy allow the role s3:GetObject there, see the slice's README"
            return DefinitionError(f"S3 denies s3:GetObject on {self.bucket.name}/{found.key}", place=self.place, remedy=remedy)
        return error


class _File(io.BufferedIOBase):
    """One object, read in blocks."""

    def __init__(self, files: Files, found: Found) -> None:
        self._files, self._found = files, found
        self._at, self._block, self._start = 0, b"", 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._found.size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        size = self._found.size if size is None or size < 0 else size
        end = min(self._at + size, self._found.size)
        if not self._start <= self._at <= end <= self._start + len(self._block):
            self._load(end)
        found = self._block[self._at - self._start : end - self._start]
        self._at += len(found)
        return found

    def _load(self, end: int) -> None:
        """What is held of the block goes on, where reading does."""
        if self._at >= self._found.size:
            return
        try:
            block = self._files.read(self._found, self._at, min(max(end, self._at + BLOCK_BYTES), self._found.size))
        except Exception as error:
            self._files.failure = error
            raise
        self._block, self._start = block, self._at
