"""Deletes what batches have staged and is not needed any more: files of abandoned attempts, consumed files, documents."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared_metadata import naming
from shared_metadata.contract.runtime.deadline import LEASE_SECONDS, Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.errors import RetryLater
from shared_metadata.program import Flow
from shared_metadata.program.intervals import floor, next_interval

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Longer than an execution may take (infra.workflows: a week), so that no worker still means to make a version of such a file.
SAFE_AGE = timedelta(days=8)
QUARANTINE = "/quarantine/"
DELETE_LIMIT = 1000  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
BATCH = re.compile(r"(\d{8}T\d{6}Z)/(\d{6})/")


@dataclass(frozen=True)
class Place:
    """The place where batches of a dataset are staged.

    lengths: of its batches in seconds, in all programs of which batches may be made.
    upto: what batches that end by then have staged is not read any more.
    used_by: the flow whose batches may make files from here table data, when they are run again; None for none.
    """

    slice_id: str
    flow: Flow
    dataset: str
    lengths: frozenset[int]
    upto: datetime
    used_by: Flow | None = None

    def ends(self, start: datetime) -> set[datetime]:
        """Where a batch of one interval that starts then may end."""
        return {next_interval(start, seconds).end for seconds in self.lengths}

    @property
    def prefix(self) -> str:
        return f"{naming.staging_prefix(self.slice_id)}{self.flow.id.replace(':', '/')}/"

    @property
    def folder(self) -> str:
        """Files below the batch's own prefix."""
        return f"{self.dataset.replace(':', '/')}/"


class Sweep:
    """One run of it, begun at `now`. Nothing younger than SAFE_AGE goes, and no quarantined row."""

    def __init__(self, services: Services, now: datetime) -> None:
        self._services, self._now = services, now
        self._bucket = services.environment.atoll_data_bucket
        self._listed: dict[str, list[str]] = {}

    def of(self, places: Sequence[Place], needed: Collection[str], manifests: Sequence[str], deadline: Deadline) -> int | None:
        """How many objects were deleted; None when the time was too short for all.

        needed: URLs that table data refers to.  manifests: keys; whatever was staged beside them stays.
        """
        stay = tuple(manifest.rpartition("/")[0] + "/" for manifest in manifests)
        count = 0
        for place in places:
            for start, found in self._batches(place).items():
                if deadline.near:
                    return None
                garbage = [k for k in found if f"s3://{self._bucket}/{k}" not in needed and not k.startswith(stay)]
                if garbage and self._is_over(place, start) and not self._in_use(place, start):
                    delete(self._services.s3, self._bucket, garbage)
                    count += len(garbage)
        return count

    def _batches(self, place: Place) -> dict[datetime, list[str]]:
        """The old objects of the place's batches that are done with, by the batch's start."""
        if place.prefix not in self._listed:
            self._listed[place.prefix] = list(old_keys(self._services.s3, self._bucket, place.prefix, self._now - SAFE_AGE))
        found: dict[datetime, list[str]] = defaultdict(list)
        for key in self._listed[place.prefix]:
            batch = BATCH.match(key, len(place.prefix))
            if batch and key.startswith(place.folder, batch.end()) and QUARANTINE not in key:
                start = datetime.strptime(batch[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                if max(place.ends(start)) <= place.upto:
                    found[start].append(key)
        return found

    def _is_over(self, place: Place, start: datetime) -> bool:
        """Whether the batch ends by then too where it was made of several intervals: looked up for those with garbage only."""
        made = self._services.reader.batch(place.flow.id, start, ())
        return made is None or made.interval.end <= place.upto

    def _in_use(self, place: Place, start: datetime) -> bool:
        """Whether a worker has been loading this batch again since the sweep began: looked up just before anything is deleted.

        A load takes what a batch that ends with its own has staged, whatever length that had. A lease ends at once with an execution
        that is given up (`record_lost`); its function may go on as long as a lease lasts.
        """
        if place.used_by is None:
            return False
        reader, since, flow = self._services.reader, self._now - timedelta(seconds=LEASE_SECONDS), place.used_by.id
        staged = reader.batch(place.flow.id, start, ())
        ends = place.ends(start) | ({staged.interval.end} if staged else set())
        starts = {start} | {floor(end - timedelta(seconds=1), seconds) for end in ends for seconds in place.lengths}
        before = [reader.batch_before(flow, end) for end in sorted(ends)]  # one that covers more than what was staged
        starts |= {interval.start for interval in before if interval}
        made = [table.dataset for table in place.used_by.tables if place.dataset in table.inputs]
        loads = reader.batches_at({(flow, moment): made for moment in starts})
        return any(worker.lease_until > since for load in loads.values() for worker in load.workers.values())


def old_keys(s3: S3Client, bucket: str, prefix: str, before: datetime) -> Iterator[str]:
    """The keys of objects that were written before a moment."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from (found["Key"] for found in page.get("Contents", ()) if found["LastModified"] < before)


def delete(s3: S3Client, bucket: str, keys: Sequence[str]) -> None:
    for at in range(0, len(keys), DELETE_LIMIT):
        some = [{"Key": key} for key in keys[at : at + DELETE_LIMIT]]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": some, "Quiet": True})  # type: ignore[typeddict-item]
        if failed := answer.get("Errors"):
            raise RetryLater(f"S3 did not delete {len(failed)} objects: {failed[0].get('Code')}", place=bucket)
