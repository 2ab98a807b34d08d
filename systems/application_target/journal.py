"""What was sent to an application, as Atoll remembers it, since the application keeps no receipt: JSON objects of S3.

A flow has one object that says where it stands: its last receipt, and the batch that is being sent. It is written only over what was
read, so that of two workers one is told that it is late. Where batches add to each other, each one's receipt stays, as an object of
its own: a batch that is run again asks for those after it.
"""

from __future__ import annotations

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
from shared_metadata.contract.runtime.staging import read_json
from shared_metadata.errors import StaleToken
from shared_metadata.program.intervals import Interval, from_text, to_text

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WRITTEN_BY_OTHERS = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409", "404")  # or deleted


@dataclass(frozen=True)
class Sent:
    """A batch that is being sent, or was broken off: it may have arrived in part.

    token: of the claim that sends it.  begun: of the one that began.  rerun: whether all of it was to be sent again.
    changes: what `diff` worked out, which every attempt sends alike.  rows_a_group: as it began.
    settled: how many rows, in the files' order, were taken or refused.  refused: the numbers of the latter ▸ why.
    """

    start: datetime
    token: int
    begun: int
    rerun: bool
    changes: Mapping[str, Any]
    rows_a_group: int
    settled: int = 0
    refused: Mapping[int, str] = field(default_factory=dict)

    @property
    def files(self) -> tuple[str, ...]:
        """The files of all rows and keys that may have arrived, also in batches before that were broken off."""
        return (*(file["key"] for file in self.changes["files"]), *self.changes["unsure"])


@dataclass(frozen=True)
class Standing:
    """Where a flow stands.  end: of the last receipt's batch.  tag: of the object that says so; '' where there is none."""

    last: Receipt | None = None
    end: datetime | None = None
    sent: Sent | None = None
    tag: str = ""


class Journal:
    """One flow's."""

    def __init__(self, s3: S3Client, bucket: str, slice_id: str, flow: str, place: str) -> None:
        self._s3, self._bucket, self._flow, self._place = s3, bucket, flow, place
        self._prefix = f"{naming.journal_prefix(slice_id)}{flow}/"

    def standing(self) -> Standing:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._key)
        except self._s3.exceptions.NoSuchKey:
            return Standing()
        said = json.loads(answer["Body"].read())
        sent = said["sent"]
        return Standing(
            _receipt(said["last"]) if said["last"] else None,
            from_text(said["end"]) if said["end"] else None,
            _sent(sent) if sent else None,
            answer["ETag"],
        )

    def receipts(self, standing: Standing, start: datetime, *, supersedes: bool) -> list[Receipt]:
        """Those of the batches from `start` on, oldest first; the last one where there are none.

        supersedes: each batch says all that the application holds, so that only the last one counts.
        """
        last = standing.last
        if supersedes or (last and last.start < start):
            return [last] if last else []
        kept = self._kept(start)
        return [*(one for one in kept if one.start < last.start), last] if last else kept

    def put(self, standing: Standing) -> Standing:
        """Writes where the flow stands, over what was read. Raises StaleToken where another worker has written since."""
        sent = standing.sent
        said = {
            "last": _told(standing.last) if standing.last else None,
            "end": to_text(standing.end) if standing.end else None,
            "sent": {**asdict(sent), "start": to_text(sent.start)} if sent else None,
        }
        return replace(standing, tag=self._write(self._key, said, standing.tag))

    def tag_of(self, start: datetime) -> str:
        """The tag of the object of a batch's receipt; '' where there is none."""
        try:
            return self._s3.head_object(Bucket=self._bucket, Key=self._key_of(start))["ETag"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "404":
                raise
            return ""

    def finish(self, standing: Standing, receipt: Receipt, end: datetime, before: str | None) -> None:
        """Writes the receipt of what was sent; it is the flow's last one unless that is of a later batch.

        before: as `tag_of` gave it before the batch was begun; None where only the last receipt counts.
        """
        if before is not None:
            self._write(self._key_of(receipt.start), _told(receipt), before)
        later = standing.last is not None and standing.last.start > receipt.start
        newest = (standing.last, standing.end) if later else (receipt, end)
        self.put(replace(standing, last=newest[0], end=newest[1], sent=None))

    def newest(self) -> Landed | None:
        standing = self.standing()
        if standing.last is None or standing.end is None:
            return None
        return Landed(
            Interval(standing.last.start, standing.end), standing.last.token, f"the journal s3://{self._bucket}/{self._key}"
        )

    def forgetting(self, start: datetime) -> Forget:
        """What makes a batch be published as if none was before."""

        def said(which: Which) -> str:
            below = {"all": "", "this": self._key_of(start), "later": f"{self._prefix}receipts/"}[which]
            return " and ".join(f"delete s3://{self._bucket}/{key}" for key in (below, self._key) if key)

        return said

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
        return f"{self._prefix}receipts/{to_text(start)}.json"

    def _kept(self, first: datetime) -> list[Receipt]:
        """Those of the batches from `first` on, oldest first."""
        below, after = f"{self._prefix}receipts/", self._key_of(first).removesuffix(".json")  # just before the first one
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=below, StartAfter=after)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        found = [read_json(self._s3, self._bucket, key) for key in keys]
        return [_receipt(said) for said in found if said is not None]


def journal_of(services: Services, flow: str, place: str) -> Journal:
    environment = services.environment
    return Journal(services.s3, environment.atoll_data_bucket, environment.atoll_slice_id, flow, place)


def newest_batches(services: Services, flows: Mapping[str, str], place: str) -> dict[str, Landed | None]:
    """Each published table's newest batch, by the journal of its flow."""
    return {dataset: journal_of(services, flow, place).newest() for dataset, flow in flows.items()}


def _told(receipt: Receipt) -> dict[str, Any]:
    return {**asdict(receipt), "start": to_text(receipt.start)}


def _receipt(said: Mapping[str, Any]) -> Receipt:
    lists = {name: tuple(said[name]) for name in ("files", "rejected", "unsure")}
    return Receipt(**{**said, **lists, "start": from_text(said["start"])})


def _sent(said: Mapping[str, Any]) -> Sent:
    refused = {int(row): why for row, why in said["refused"].items()}
    return Sent(**{**said, "start": from_text(said["start"]), "refused": refused})
