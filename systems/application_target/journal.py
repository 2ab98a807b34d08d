"""What was sent to an application, as Atoll remembers it, since the application keeps no receipt: JSON objects of S3.

Where each batch says all that the application holds, one object says where the flow stands: its last receipt, and the batch that is
being sent. Where batches add to each other, they are sent beside each other, and each has such an object of its own; that of the flow
names the newest batch then. An object is written only over what was read, so that of two workers one is told that it is late.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared_metadata import naming
from shared_metadata.contract.landed import Landed
from shared_metadata.contract.results.changes import Forget, Which
from shared_metadata.contract.results.receipt import Receipt
from shared_metadata.contract.runtime.services import Services
from shared_metadata.errors import RetryLater, StaleToken
from shared_metadata.program.intervals import Interval, from_text, to_text

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WRITTEN_BY_OTHERS = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409", "404")  # or deleted
ATTEMPTS = 20  # to name the newest batch, while others end


@dataclass(frozen=True)
class Sent:
    """A batch that is being sent, or was broken off: it may have arrived in part.

    token: of the claim that sends it.  begun: of the one that began.  rerun: whether all of it was to be sent again.
    changes: what `diff` worked out, which every attempt sends alike.  rows_a_group: as it began.
    settled: how many rows, in the files' order, the application has answered.  refused: the numbers of those that it refuses ▸ why.
    waiting: of those that it has not taken yet ▸ why.
    noted: the key of a group that is on its way ▸ what the application said of it before it was sent.
    """

    start: datetime
    token: int
    begun: int
    rerun: bool
    changes: Mapping[str, Any]
    rows_a_group: int
    settled: int = 0
    refused: Mapping[int, str] = field(default_factory=dict)
    noted: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[int, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, ...] | None:
        """The columns by which its rows are matched; None where there are none, or an earlier version has begun it."""
        return tuple(self.changes.get("key") or ()) or None

    @property
    def files(self) -> tuple[str, ...]:
        """The files of all rows and keys that may have arrived, also in batches before that were broken off."""
        return (*(file["key"] for file in self.changes["files"]), *self.changes["unsure"])


@dataclass(frozen=True)
class Late:
    """A group that was on its way when another result took the place of its own: it may be heard after what was sent since.

    files: those of its rows' keys.  until: the moment at which the call that has sent it is over.
    """

    files: tuple[str, ...]
    until: datetime


@dataclass(frozen=True)
class Standing:
    """Where a flow stands, or a batch.  key: of the object that says so.  end: of the last receipt's batch.

    late: what may have arrived since.  tag: of the object as it was read; '' where there is none.
    """

    key: str
    last: Receipt | None = None
    end: datetime | None = None
    sent: Sent | None = None
    late: tuple[Late, ...] = ()
    tag: str = ""

    @property
    def receipts(self) -> list[Receipt]:
        return [self.last] if self.last else []


class Journal:
    """One flow's."""

    def __init__(self, s3: S3Client, bucket: str, slice_id: str, flow: str, place: str, where: str = "") -> None:
        """where: what names the place that rows are sent to now: of what was sent to another one nothing is read; '' for any."""
        self._s3, self._bucket, self._flow, self._place = s3, bucket, flow, place
        self._where = hashlib.sha256(where.encode()).hexdigest()[:32] if where else ""
        self._prefix = f"{naming.journal_prefix(slice_id)}{flow}/"
        self._batches = f"{self._prefix}batches/"

    def standing(self, batch: datetime | None = None) -> Standing:
        """Where the flow stands; batch: where this one of it does."""
        return self._read(self._key_of(batch) if batch else self._key)

    def later(self, start: datetime) -> str:
        """What changes whenever a batch after this one is sent or published; '' where there is none."""
        found = self._after(start)
        return hashlib.sha256(json.dumps(found).encode()).hexdigest() if found else ""

    def published_later(self, start: datetime) -> list[Receipt]:
        """Receipts of the batches after this one, oldest first, and of each one that is being sent, as if it had arrived."""
        found = list[Receipt]()
        for key, _ in self._after(start):
            standing = self._read(key)
            found += standing.receipts
            if sent := standing.sent:
                found.append(Receipt(sent.start, sent.token, "", sent.files, 0, 0, key=sent.key))
        return found

    def put(self, standing: Standing) -> Standing:
        """Writes over what was read.

        Raises StaleToken where another worker has written since, RetryLater where it has sent another batch of the flow.
        """
        sent = standing.sent
        said = {
            "last": _told(standing.last) if standing.last else None,
            "end": to_text(standing.end) if standing.end else None,
            "sent": {**asdict(sent), "start": to_text(sent.start)} if sent else None,
            "late": [{"files": one.files, "until": to_text(one.until)} for one in standing.late],
            "where": self._where,
        }
        try:
            return replace(standing, tag=self._write(standing.key, said, standing.tag))
        except StaleToken:
            now = self._read(standing.key)
            other = now.sent or now.last
            if sent and other and other.start != sent.start:
                raise RetryLater("another batch of the flow is being sent", place=self._place) from None
            raise

    def finish(self, standing: Standing, receipt: Receipt, end: datetime) -> None:
        """Writes the receipt of what was sent. Where batches add to each other, the flow's newest one is named before, so that there
        is none without its receipt's batch in it."""
        if standing.key != self._key:
            self._name(receipt, end)
        self.put(replace(standing, last=receipt, end=end, sent=None))

    def newest(self) -> Landed | None:
        standing = self._newest(self.standing())
        if standing.last is None or standing.end is None:
            return None
        interval, told = Interval(standing.last.start, standing.end), f"the journal s3://{self._bucket}/{self._key}"
        return Landed(interval, standing.last.token, told)

    def forgetting(self, start: datetime) -> Forget:
        """What makes a batch be published as if none was before."""
        keys: Mapping[Which, str] = {"all": self._key, "this": self._key_of(start), "later": self._batches}
        return lambda which: f"delete s3://{self._bucket}/{keys[which]}"

    def _name(self, receipt: Receipt, end: datetime) -> None:
        """Has the flow's object name this batch, if no later one is known; other batches may write there meanwhile."""
        for _ in range(ATTEMPTS):
            named = self.standing()
            newest, known = Standing(self._key, receipt, end), self._newest(named)
            if known.last and (known.last.start, known.last.token) >= (receipt.start, receipt.token):
                newest = known
            if newest.last == named.last:
                return
            try:
                self.put(replace(newest, key=self._key, sent=None, tag=named.tag))
                return
            except StaleToken:
                continue
        raise RetryLater("other batches of the flow end at the same time", place=self._place)

    def _newest(self, named: Standing) -> Standing:
        """What the flow's object names, or the newest batch with a receipt, where that object was deleted."""
        if named.tag:
            return named
        return next((one for key, _ in reversed(self._after(None)) if (one := self._read(key)).last), named)

    def _read(self, key: str) -> Standing:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key)
        except self._s3.exceptions.NoSuchKey:
            return Standing(key)
        said = json.loads(answer["Body"].read())
        if (said.get("where") or self._where) != self._where and self._where:
            return Standing(key, tag=answer["ETag"])
        last, end, sent = said["last"], said["end"], said["sent"]
        late = tuple(Late(tuple(one["files"]), from_text(one["until"])) for one in said.get("late", ()))
        found = Standing(key, _receipt(last) if last else None, from_text(end) if end else None, _sent(sent) if sent else None, late)
        return replace(found, tag=answer["ETag"])

    def _write(self, key: str, said: Mapping[str, Any], before: str) -> str:
        """Writes over the object with this tag, or where there is none; returns the new one's tag."""
        condition: dict[str, Any] = {"IfMatch": before} if before else {"IfNoneMatch": "*"}
        body = json.dumps(said).encode()
        try:
            answer = self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json", **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] not in WRITTEN_BY_OTHERS:
                raise
            raise StaleToken("another worker sends to the application", place=self._place) from None
        return answer["ETag"]

    @property
    def _key(self) -> str:
        return f"{self._prefix}standing.json"

    def _key_of(self, start: datetime) -> str:
        return f"{self._batches}{to_text(start)}.json"

    def _after(self, start: datetime | None) -> list[tuple[str, str]]:
        """Keys and tags of the objects of the batches after this one, oldest first; None: of all."""
        after = self._key_of(start) if start else self._batches
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._batches, StartAfter=after)
        return [(item["Key"], item["ETag"]) for page in pages for item in page.get("Contents", ())]


def journal_of(services: Services, flow: str, place: str, where: str = "") -> Journal:
    environment = services.environment
    return Journal(services.s3, environment.atoll_data_bucket, environment.atoll_slice_id, flow, place, where)


def newest_batches(services: Services, flows: Mapping[str, str], place: str) -> dict[str, Landed | None]:
    """Each published table's newest batch, by the journal of its flow."""
    return {dataset: journal_of(services, flow, place).newest() for dataset, flow in flows.items()}


def _told(receipt: Receipt) -> dict[str, Any]:
    return {**asdict(receipt), "start": to_text(receipt.start)}


def _receipt(said: Mapping[str, Any]) -> Receipt:
    lists = {name: tuple(said[name]) for name in ("files", "rejected", "unsure", "key") if said.get(name) is not None}
    return Receipt(**{**said, **lists, "start": from_text(said["start"])})


def _sent(said: Mapping[str, Any]) -> Sent:
    rows = {name: {int(row): why for row, why in said.get(name, {}).items()} for name in ("refused", "waiting")}
    return Sent(**{**said, **rows, "start": from_text(said["start"])})
