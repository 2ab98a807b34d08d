"""What slices ask of S3, as a suite that each emulation passes: a subclass gives the fixture `s3`, a boto3 client."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

REGION = "eu-central-1"


class S3Behaviour:
    @pytest.fixture
    def bucket(self, s3: Any) -> str:
        name = f"behaviour-{uuid.uuid4().hex[:12]}"
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    @pytest.fixture
    def filled(self, s3: Any, bucket: str) -> str:
        for key in ("a", "b/1", "b/2", "b/c/3", "d é+/&<x>"):
            s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        return bucket

    @pytest.mark.parametrize("made", [bytes, io.BytesIO, bytes.decode], ids=["bytes", "file", "text"])
    @pytest.mark.parametrize("wanted", [b"", b"a few"])
    def test_what_was_put_is_given_back(self, s3: Any, bucket: str, made: Callable[[bytes], Any], wanted: bytes) -> None:
        put = s3.put_object(Bucket=bucket, Key="k", Body=made(wanted), ContentType="application/json")
        found, head = s3.get_object(Bucket=bucket, Key="k"), s3.head_object(Bucket=bucket, Key="k")
        assert found["Body"].read() == wanted
        assert found["ContentLength"] == head["ContentLength"] == len(wanted)
        assert found["ContentType"] == head["ContentType"] == "application/json"
        assert put["ETag"] == found["ETag"] == head["ETag"] and found["LastModified"] == head["LastModified"]

    @pytest.mark.parametrize(
        ("asked", "part"), [("bytes=1-2", b"12"), ("bytes=3-", b"3456789"), ("bytes=-2", b"89"), ("bytes=8-99", b"89")]
    )
    def test_a_part_is_given(self, s3: Any, bucket: str, asked: str, part: bytes) -> None:
        s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
        found = s3.get_object(Bucket=bucket, Key="k", Range=asked)
        assert (found["Body"].read(), found["ContentLength"]) == (part, len(part))
        assert found["ContentRange"].endswith("/10")

    def test_what_is_not_there_is_refused_by_its_code(self, s3: Any, bucket: str) -> None:
        with pytest.raises(s3.exceptions.NoSuchKey):
            s3.get_object(Bucket=bucket, Key="k")
        with pytest.raises(s3.exceptions.NoSuchBucket):
            s3.get_object(Bucket="not-there", Key="k")
        s3.put_object(Bucket=bucket, Key="k", Body=b"0123")
        codes = []
        for call, given in (
            (s3.head_object, {"Bucket": bucket, "Key": "not there"}),
            (s3.get_object, {"Bucket": bucket, "Key": "k", "Range": "bytes=9-"}),
            (s3.put_object, {"Bucket": bucket, "Key": "k", "IfNoneMatch": "*"}),
        ):
            with pytest.raises(ClientError) as caught:
                call(**given)
            codes.append((caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]))
        assert codes == [("404", 404), ("InvalidRange", 416), ("PreconditionFailed", 412)]

    def test_keys_are_listed_in_order_by_prefix_page_and_group(self, s3: Any, filled: str) -> None:
        def listed(**asked: Any) -> tuple[list[str], list[str]]:
            pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=filled, **asked))
            keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
            return keys, [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", [])]

        everything = ["a", "b/1", "b/2", "b/c/3", "d é+/&<x>"]
        assert listed() == listed(PaginationConfig={"PageSize": 2}) == (everything, [])
        assert listed(Prefix="b/") == (["b/1", "b/2", "b/c/3"], []) and listed(Prefix="x") == ([], [])
        assert listed(Prefix="b/", Delimiter="/") == (["b/1", "b/2"], ["b/c/"])
        assert listed(Delimiter="/") == (["a"], ["b/", "d é+/"])
        assert listed(StartAfter="b/1") == (everything[2:], [])
        one = s3.list_objects_v2(Bucket=filled, MaxKeys=1)
        assert (one["IsTruncated"], one["KeyCount"], one["Contents"][0]["Size"]) == (True, 1, 1)

    def test_what_is_deleted_is_gone_also_twice(self, s3: Any, filled: str) -> None:
        s3.delete_object(Bucket=filled, Key="a")
        s3.delete_object(Bucket=filled, Key="a")
        told = s3.delete_objects(Bucket=filled, Delete={"Objects": [{"Key": "b/1"}, {"Key": "not there"}]})
        assert {one["Key"] for one in told["Deleted"]} == {"b/1", "not there"}
        s3.delete_objects(Bucket=filled, Delete={"Objects": [{"Key": "b/2"}], "Quiet": True})
        assert [one["Key"] for one in s3.list_objects_v2(Bucket=filled)["Contents"]] == ["b/c/3", "d é+/&<x>"]

    def test_an_object_is_copied(self, s3: Any, filled: str) -> None:
        s3.copy_object(Bucket=filled, Key="copy", CopySource=f"{filled}/b/c/3")
        assert s3.get_object(Bucket=filled, Key="copy")["Body"].read() == b"b/c/3"

    def test_an_object_comes_in_parts_or_not_at_all(self, s3: Any, bucket: str) -> None:
        upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        bodies, one = (b"x" * 5 * 1024 * 1024, b"end"), {"Bucket": bucket, "Key": "k", "UploadId": upload}
        parts = [s3.upload_part(**one, PartNumber=number, Body=body)["ETag"] for number, body in enumerate(bodies, 1)]
        with pytest.raises(s3.exceptions.NoSuchKey):
            s3.get_object(Bucket=bucket, Key="k")
        told = {"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(parts, 1)]}
        s3.complete_multipart_upload(**one, MultipartUpload=told)
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(bodies)

        other = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=other)
        assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == sum(map(len, bodies))


class S3AsDocumented(S3Behaviour):
    """What the embedded AWS is laxer about."""

    @pytest.mark.parametrize(("sizes", "order", "code"), [((1, 1), (1, 2), "EntityTooSmall"), ((5, 1), (1, 3), "InvalidPart")])
    def test_parts_that_make_no_object_are_refused(
        self, s3: Any, bucket: str, sizes: tuple[int, int], order: tuple[int, int], code: str
    ) -> None:
        with pytest.raises(ClientError, match=code):
            complete(s3, bucket, sizes, order)


def complete(s3: Any, bucket: str, sizes: Sequence[int], order: Sequence[int]) -> None:
    """Uploads parts of so many MiB, and asks for an object of them in this order."""
    one = {"Bucket": bucket, "Key": "k", "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]}
    bodies = {number: b"x" * size * (1 << 20) for number, size in enumerate(sizes, 1)}
    etags = {number: s3.upload_part(**one, PartNumber=number, Body=body)["ETag"] for number, body in bodies.items()}
    told = {"Parts": [{"PartNumber": number, "ETag": etags.get(number, etags[1])} for number in order]}
    s3.complete_multipart_upload(**one, MultipartUpload=told)
