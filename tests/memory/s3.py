"""S3 in memory, as far as slices, s3fs and DuckDB use it; passes the same suite as moto and the embedded AWS."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

PAGE = 1000  # keys, as S3 lists, or deletes, at once
SMALLEST_PART = 5 * 1024 * 1024  # bytes, but for the last
_MEANT = {
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchUpload": (404, "The specified upload does not exist."),
    "404": (404, "Not Found"),
    "InvalidPart": (400, "One or more of the specified parts could not be found"),
    "InvalidPartOrder": (400, "The list of parts was not in ascending order"),
    "EntityTooSmall": (400, "Your proposed upload is smaller than the minimum allowed size"),
    "MalformedXML": (400, "The XML you provided was not well-formed"),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "PreconditionFailed": (412, "At least one of the pre-conditions you specified did not hold"),
    "BucketAlreadyOwnedByYou": (409, "Your previous request to create the named bucket succeeded"),
}


@dataclass(frozen=True)
class Stored:
    """An object.  kind: its content type."""

    body: bytes
    etag: str
    kind: str = "binary/octet-stream"
    moment: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def told(self) -> dict[str, Any]:
        return {"ETag": self.etag, "LastModified": self.moment, "ContentType": self.kind, "Metadata": {}}


class MemoryS3:
    """An account's buckets: each operation by the name and with the parameters that boto3's client gives it; bodies are bytes.

    Whoever calls holds `lock`: who asks by HTTP, and who by a client.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.buckets: dict[str, dict[str, Stored]] = {}
        self._uploads: dict[str, dict[int, bytes]] = {}

    def create_bucket(self, *, Bucket: str, CreateBucketConfiguration: Mapping[str, str] | None = None) -> None:
        if Bucket in self.buckets:
            raise refused("BucketAlreadyOwnedByYou", "CreateBucket")
        self.buckets[Bucket] = {}

    def get_bucket_location(self, *, Bucket: str) -> dict[str, Any]:
        """Everything is in the one region."""
        self.head_bucket(Bucket=Bucket)
        return {"LocationConstraint": None}

    def head_bucket(self, *, Bucket: str) -> None:
        if Bucket not in self.buckets:
            raise refused("404", "HeadBucket")

    # -- objects

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: bytes = b"",
        ContentType: str = Stored.kind,
        IfNoneMatch: str = "",
        IfMatch: str = "",
    ) -> dict[str, Any]:
        objects = self._objects(Bucket, "PutObject")
        if IfMatch and Key not in objects:
            raise refused("NoSuchKey", "PutObject")
        if (IfNoneMatch and Key in objects) or (IfMatch and IfMatch.strip('"') != objects[Key].etag.strip('"')):
            raise refused("PreconditionFailed", "PutObject")
        objects[Key] = Stored(Body, f'"{hashlib.md5(Body).hexdigest()}"', ContentType)
        return {"ETag": objects[Key].etag}

    def get_object(self, *, Bucket: str, Key: str, Range: str = "", IfMatch: str = "") -> dict[str, Any]:
        stored = self._object(Bucket, Key, "GetObject", "NoSuchKey")
        if IfMatch and IfMatch.strip('"') != stored.etag.strip('"'):
            raise refused("PreconditionFailed", "GetObject")
        if not Range:
            return {**stored.told(), "ContentLength": len(stored.body), "Body": stored.body}
        start, end = _bounds(Range, len(stored.body))
        part, whole = stored.body[start:end], len(stored.body)
        return {**stored.told(), "ContentLength": len(part), "ContentRange": f"bytes {start}-{end - 1}/{whole}", "Body": part}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        stored = self._object(Bucket, Key, "HeadObject", "404")
        return {**stored.told(), "ContentLength": len(stored.body)}

    def copy_object(self, *, Bucket: str, Key: str, CopySource: str) -> dict[str, Any]:
        bucket, _, key = CopySource.lstrip("/").partition("/")
        stored = self._object(bucket, key, "CopyObject", "NoSuchKey")
        return {"CopyObjectResult": self.put_object(Bucket=Bucket, Key=Key, Body=stored.body, ContentType=stored.kind)}

    def delete_object(self, *, Bucket: str, Key: str) -> None:
        self._objects(Bucket, "DeleteObject").pop(Key, None)

    def delete_objects(self, *, Bucket: str, Delete: Mapping[str, Any]) -> dict[str, Any]:
        if len(Delete["Objects"]) > PAGE:
            raise refused("MalformedXML", "DeleteObjects")
        for one in Delete["Objects"]:
            self.delete_object(Bucket=Bucket, Key=one["Key"])
        return {} if Delete.get("Quiet") else {"Deleted": [{"Key": one["Key"]} for one in Delete["Objects"]]}

    def list_objects_v2(
        self, *, Bucket: str, Prefix: str = "", Delimiter: str = "", MaxKeys: int = PAGE, **after: str
    ) -> dict[str, Any]:
        """after: StartAfter, ContinuationToken."""
        objects = self._objects(Bucket, "ListObjectsV2")
        first = max(after.get("StartAfter", ""), after.get("ContinuationToken", ""))
        contents, groups = list[dict[str, Any]](), dict[str, None]()
        found: dict[str, Any] = {"Name": Bucket, "Prefix": Prefix, "MaxKeys": MaxKeys, "IsTruncated": False}
        for key in sorted(key for key in objects if key.startswith(Prefix) and key > first):
            rest, split, _ = key[len(Prefix) :].partition(Delimiter) if Delimiter else (key, "", "")
            group = f"{Prefix}{rest}{split}" if split else ""
            if group and (group in groups or first.startswith(group)):
                continue
            if len(contents) + len(groups) == min(MaxKeys, PAGE):
                token = (contents[-1]["Key"] if contents else "", *groups)
                found |= {"IsTruncated": True, "NextContinuationToken": max(token)}
                break
            if group:
                groups[group] = None
            else:
                stored = objects[key]
                told = {"ETag": stored.etag, "Size": len(stored.body), "LastModified": stored.moment, "StorageClass": "STANDARD"}
                contents.append({"Key": key, **told})
        found["KeyCount"] = len(contents) + len(groups)
        return found | _told(Contents=contents, CommonPrefixes=[{"Prefix": group} for group in groups])

    # -- uploads in parts

    def create_multipart_upload(self, *, Bucket: str, Key: str, ContentType: str = "") -> dict[str, Any]:
        self._objects(Bucket, "CreateMultipartUpload")
        upload = uuid.uuid4().hex
        self._uploads[upload] = {}
        return {"Bucket": Bucket, "Key": Key, "UploadId": upload}

    def upload_part(self, *, Bucket: str, Key: str, UploadId: str, PartNumber: int, Body: bytes) -> dict[str, Any]:
        self._upload(UploadId, "UploadPart")[PartNumber] = Body
        return {"ETag": f'"{hashlib.md5(Body).hexdigest()}"'}

    def complete_multipart_upload(
        self, *, Bucket: str, Key: str, UploadId: str, MultipartUpload: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> dict[str, Any]:
        parts = self._upload(UploadId, "CompleteMultipartUpload")
        numbers = [part["PartNumber"] for part in MultipartUpload["Parts"]]
        if not set(numbers) <= parts.keys():
            raise refused("InvalidPart", "CompleteMultipartUpload")
        if numbers != sorted(numbers):
            raise refused("InvalidPartOrder", "CompleteMultipartUpload")
        if any(len(parts[number]) < SMALLEST_PART for number in numbers[:-1]):
            raise refused("EntityTooSmall", "CompleteMultipartUpload")
        put = self.put_object(Bucket=Bucket, Key=Key, Body=b"".join(parts[number] for number in numbers))
        del self._uploads[UploadId]
        return {"Bucket": Bucket, "Key": Key, **put}

    def abort_multipart_upload(self, *, Bucket: str, Key: str, UploadId: str) -> None:
        self._upload(UploadId, "AbortMultipartUpload")
        del self._uploads[UploadId]

    def _objects(self, bucket: str, operation: str) -> dict[str, Stored]:
        if bucket not in self.buckets:
            raise refused("NoSuchBucket", operation)
        return self.buckets[bucket]

    def _object(self, bucket: str, key: str, operation: str, otherwise: str) -> Stored:
        stored = self._objects(bucket, operation).get(key)
        if stored is None:
            raise refused(otherwise, operation)
        return stored

    def _upload(self, upload: str, operation: str) -> dict[int, bytes]:
        if upload not in self._uploads:
            raise refused("NoSuchUpload", operation)
        return self._uploads[upload]


def refused(code: str, operation: str) -> ClientError:
    """An error as botocore raises it."""
    status, message = _MEANT[code]
    error = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(error, operation)  # type: ignore[arg-type]


def _bounds(asked: str, size: int) -> tuple[int, int]:
    """'bytes=2-4', 'bytes=2-' or 'bytes=-2' ▸ where the part begins and where it has ended. Raises ClientError beyond the object."""
    first, _, last = asked.removeprefix("bytes=").partition("-")
    start = int(first) if first else max(size - int(last), 0)
    if start >= size:
        raise refused("InvalidRange", "GetObject")
    return start, min(int(last) + 1, size) if first and last else size


def _told(**lists: Sequence[Any]) -> dict[str, Any]:
    return {name: list(found) for name, found in lists.items() if found}
