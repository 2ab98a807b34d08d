"""Runs a verification in a function: each call goes on where the last one stopped, and the differences are recorded for commands to
read.

The verified groups are noted in a file (`notes.py`), which lies in the data bucket between two calls, with the events beside it.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

PREFIX = "verification/"
NOTES, EVENTS = f"{PREFIX}notes.sqlite", f"{PREFIX}events/"
AT_ONCE = 1000  # objects that S3 deletes by one call
OWNER = "owner"
LAST_SECONDS = 120.0  # seconds of a call, to store the notes
MOST_TOLD = 100  # differences in the record: an item has 400 KB
ACCEPTED = '{}, which goes on within a day where another verification stopped, or {"anew": true}'


@dataclass(frozen=True)
class Bucket:
    """A shelf in the data bucket."""

    s3: S3Client
    bucket: str

    def put(self, name: str, file: Path) -> None:
        with file.open("rb") as body:
            self.s3.put_object(Bucket=self.bucket, Key=f"{EVENTS}{name}", Body=body)
        file.unlink()

    def get(self, name: str, into: Path) -> None:
        with into.open("wb") as file:
            shutil.copyfileobj(self.s3.get_object(Bucket=self.bucket, Key=f"{EVENTS}{name}")["Body"], file)

    def forget(self, names: Sequence[str]) -> None:
        for at in range(0, len(names), AT_ONCE):
            some = [{"Key": f"{EVENTS}{name}"} for name in names[at : at + AT_ONCE]]
            self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": some, "Quiet": True})  # type: ignore[typeddict-item]


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

        event: {'input': {} or {'anew': true}, 'owner': the execution's id}: an execution goes on with what it has begun.
        """
        anew, owner, deadline = _anew(event), str(event.get(OWNER, context.aws_request_id)), Deadline.of(context)
        path = Path(tempfile.mkdtemp()) / "notes.sqlite"
        made_by = self._fetch(path)
        notes, asked, done = Notes(path, Bucket(self.s3, self.bucket), for_report=True), self.landed(), [Progress(0, 0, 0)]
        if anew and made_by != owner:
            self._forget()
            notes.clear()

        def go_on() -> None:
            if deadline.seconds_left < LAST_SECONDS:
                raise Unfinished(f"{done[0].done:,} of {done[0].of:,} statements are verified")

        try:
            found = verify(self.dynamodb, self.table, asked, lambda one: done.__setitem__(0, one), notes, self.clock, go_on)
            self._forget()  # before the files that it names: without them it would say that days were read of which nothing is left
            notes.clear()
        except Exception:  # includes what AWS refuses for the moment, after which it is called again
            notes.close()
            with path.open("rb") as body:
                self.s3.put_object(Bucket=self.bucket, Key=NOTES, Body=body, Metadata={OWNER: owner})
            raise
        finally:
            notes.close()
            shutil.rmtree(path.parent)
        return self._record(found, asked)

    def _forget(self) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=NOTES)

    def _fetch(self, path: Path) -> str:
        """Fetches the notes of an earlier call, if any; returns their owner."""
        try:
            noted = self.s3.get_object(Bucket=self.bucket, Key=NOTES)
        except self.s3.exceptions.NoSuchKey:
            return ""
        with path.open("wb") as into:
            shutil.copyfileobj(noted["Body"], into)
        return noted["Metadata"].get(OWNER, "")

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


def _anew(event: Mapping[str, Any]) -> bool:
    """Whether to begin anew. Raises InputError."""
    given = event.get("input", {})
    if not isinstance(given, Mapping) or given.keys() - {"anew"} or not isinstance(given.get("anew", False), bool):
        raise InputError("the input is refused", place="verify", remedy=f"accepted is {ACCEPTED}")
    return bool(given.get("anew"))
