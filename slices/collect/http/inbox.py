"""Keeps requests as objects in the data bucket, by the moment of their arrival, from when they are answered 202 until they are old.

An object is one request: a line that tells of it, and a line for each event. Its name begins with the moment at which the receiving
function took it. A request is answered 202 only if S3's own clock says, in its answer to the put, that this was at most
`LATEST_SECONDS` after that moment; and a batch is planned once that clock says that its end is `SETTLED_SECONDS` ago. So whatever
was promised before a batch's end is listed by its plan, whoever's clock goes wrong and however slow a put was.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from shared_metadata.errors import RetryLater
from slices.collect.http.logic import stamp
from slices.collect.http.signatures import Signed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LATEST_SECONDS, SETTLED_SECONDS = 5, 8  # S3 tells whole seconds, and two of its servers may differ by one
READERS = 32
_AGES_SECONDS = 600  # a batch that ended so long ago needs no look at S3's clock


class NotInTime(Exception):
    """An object was stored too late to be of the moment that its name says."""


class Request(NamedTuple):
    """A request that was taken.  name: of its object.  texts: what its events say."""

    name: str
    sender: str
    message: str
    texts: Sequence[str]


class Inbox:
    """The objects of one connection. clock: tells the time.  sleep: waits."""

    def __init__(self, s3: S3Client, bucket: str, prefix: str, clock: Callable[[], datetime], sleep: Callable[[float], None]) -> None:
        self._s3, self._bucket, self._prefix, self._clock, self._sleep = s3, bucket, prefix, clock, sleep

    # -- what the receiving function does

    def put(self, table: str, signed: Signed, form: str, lines: Sequence[str]) -> str:
        """Its name, once S3 has it for good.  form, lines: as `bodies.events` takes and gives them.  Raises NotInTime."""
        arrived = self._clock()
        name = f"{stamp(arrived)}-{uuid.uuid4().hex}"
        head = json.dumps({"sender": signed.sender, "message": signed.message, "form": form})
        body = "\n".join((head, *lines)).encode()
        answer = self._s3.put_object(Bucket=self._bucket, Key=self._key(table, name), Body=body, ContentType="application/x-ndjson")
        if self._moment(answer) - arrived > timedelta(seconds=LATEST_SECONDS):
            raise NotInTime
        return name

    # -- what a batch does

    def settle(self, end: datetime) -> None:
        """Waits until nothing can come any more that was promised before a batch's end."""
        settled = end + timedelta(seconds=SETTLED_SECONDS)
        if (self._clock() - settled).total_seconds() > _AGES_SECONDS:
            return
        answer = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
        left = (settled - self._moment(answer)).total_seconds()
        if left > 0:
            self._sleep(left)

    def names(self, table: str, begins: datetime | None, ends: datetime | None) -> Iterator[str]:
        """The objects that arrived from a moment, or ever, and before another, in the order of their arrival."""
        base, last = self._key(table, ""), stamp(ends) if ends else "~"
        # a name is longer than its moment, so it is after it
        after: dict[str, Any] = {"StartAfter": base + stamp(begins)} if begins else {}
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=base, **after):
            for found in page.get("Contents", ()):
                name = found["Key"].removeprefix(base)
                if name >= last:
                    return
                yield name

    def read(self, table: str, names: Sequence[str]) -> Iterator[Request]:
        """Raises RetryLater for one that is there no more."""
        with ThreadPoolExecutor(READERS) as pool:
            yield from pool.map(lambda name: self._read(table, name), names)

    def _read(self, table: str, name: str) -> Request:
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=self._key(table, name))["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
                raise
            what = f"a request to {table} is there no more: it has become too old, or somebody has deleted it"
            raise RetryLater(what, remedy="nothing: the batch is planned again, and says whether anything is lost") from error
        head, *lines = body.decode().split("\n")
        told: Mapping[str, Any] = json.loads(head)
        texts = [str(json.loads(line)) for line in lines] if told["form"] == "text" else lines
        return Request(name, str(told["sender"]), str(told["message"]), texts)

    # -- the pieces

    def _key(self, table: str, name: str) -> str:
        return f"{self._prefix}{table}/{name}"

    def _moment(self, answer: Mapping[str, Any]) -> datetime:
        """S3's time of an answer; the function's own where it tells none."""
        told = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        return parsedate_to_datetime(told).astimezone(UTC) if told else self._clock()
