"""Runs a verification in a function: each call goes on where the last one stopped, and the differences are recorded for commands to
read.

The verified groups are noted in a file (`notes.py`), which lies in the data bucket between two calls, with the events beside it. Each
execution has a place of its own there, so that two may run at once; what one leaves that is stopped, the bucket lets go.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_metadata import naming
from shared_metadata.contract.runtime.deadline import Context, Deadline
from shared_metadata.errors import InputError, Unfinished
from shared_metadata.program.intervals import to_text
from shared_metadata.store import items, keys
from shared_metadata.store.table_reader import Clock, utc_now
from shared_metadata.verification.asked import Asked
from shared_metadata.verification.notes import Notes
from shared_metadata.verification.verify import Progress, Verified, verify

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

AT_ONCE = 1000  # objects that S3 deletes by one call
LAST_SECONDS = 120.0  # seconds of a call, to store the notes
MOST_TOLD = 100  # differences in the record: an item has 400 KB


@dataclass(frozen=True)
class Place:
    """The place of one execution in the data bucket: a shelf for events, and the notes beside them. prefix: ends with a slash."""

    s3: S3Client
    bucket: str
    prefix: str

    @staticmethod
    def of(s3: S3Client, bucket: str, owner: str) -> Place:
        return Place(s3, bucket, f"{naming.VERIFICATIONS}{hashlib.sha256(owner.encode()).hexdigest()[:32]}/")

    @property
    def notes(self) -> str:
        return f"{self.prefix}notes.sqlite"

    def put(self, name: str, file: Path) -> None:
        self._put(self._key(name), file)
        file.unlink()

    def get(self, name: str, into: Path) -> None:
        self._get(self._key(name), into)

    def forget(self, names: Sequence[str]) -> None:
        for at in range(0, len(names), AT_ONCE):
            some = [{"Key": self._key(name)} for name in names[at : at + AT_ONCE]]
            self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": some, "Quiet": True})  # type: ignore[typeddict-item]

    def put_notes(self, file: Path) -> None:
        self._put(self.notes, file)

    def get_notes(self, into: Path) -> None:
        """Fetches the notes of the execution's earlier calls, if there are any."""
        with contextlib.suppress(self.s3.exceptions.NoSuchKey):
            self._get(self.notes, into)

    def forget_notes(self) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=self.notes)

    def _key(self, name: str) -> str:
        return f"{self.prefix}events/{name}"

    def _put(self, key: str, file: Path) -> None:
        with file.open("rb") as body:
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def _get(self, key: str, into: Path) -> None:
        found = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"]
        with into.open("wb") as file:
            shutil.copyfileobj(found, file)


@dataclass(frozen=True)
class VerifyStep:
    """Verifies in calls of limited time. asked: made anew for each call.  bucket: holds the notes between two calls."""

    dynamodb: DynamoDBClient
    s3: S3Client
    table: str
    bucket: str
    landed: Callable[[], Asked]
    clock: Clock = utc_now

    def __call__(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Returns the verification's figures when all groups are verified. Raises Unfinished when the time is up, and InputError.

        event: {'input': {}, 'owner': the execution's id}: an execution goes on with what it has begun, also one that is redriven.
        """
        if event.get("input"):
            raise InputError("the input is refused", place="verify", remedy="accepted is {}")
        deadline, done = Deadline.of(context), [Progress(0, 0, 0)]
        place, folder = Place.of(self.s3, self.bucket, str(event.get("owner", context.aws_request_id))), Path(tempfile.mkdtemp())
        path, asked = folder / "notes.sqlite", self.landed()
        place.get_notes(path)
        notes = Notes(path, place, for_report=True)

        def go_on() -> None:
            if deadline.seconds_left < LAST_SECONDS:
                raise Unfinished(f"{done[0].done:,} of {done[0].of:,} statements are verified")

        try:
            found = verify(self.dynamodb, self.table, asked, lambda one: done.__setitem__(0, one), notes, self.clock, go_on)
            place.forget_notes()  # before the files that they name: else they would say that days were read of which nothing is left
            notes.clear()
        except Exception:  # includes what AWS refuses for the moment, after which it is called again
            notes.close()
            place.put_notes(path)
            raise
        finally:
            notes.close()
            shutil.rmtree(folder)
        return self._record(found, asked)

    def _record(self, found: Verified, asked: Asked) -> dict[str, Any]:
        figures = {"datasets": found.datasets, "batches": found.batches, "versions": found.versions}
        told = {
            "looked_at": figures,
            "differences": [one.to_dict() for one in found.differences[:MOST_TOLD]],
            "cursors_not_compared": dict(list(found.unseen_cursors.items())[:MOST_TOLD]),
            **asked.plain(),
        }
        summary = {**figures, "differences": len(found.differences), "at": to_text(self.clock())}
        values = {**keys.last_verification(), **summary, "body": json.dumps(told)}
        self.dynamodb.put_item(TableName=self.table, Item=items.to_item(values))
        return summary
