"""Reads a stream's shards: waits where Kinesis throttles, opens what expires again, and says what is denied or gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from shared_metadata.aws.later import THROTTLES, Refusal, pauses, refusal
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import DefinitionError, RetryLater
from slices.collect.kinesis.positions import Position, Shard

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

PAGE_RECORDS = (
    10_000  # that an answer may have, or 10 MB: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
)
# Five reads a second and 2 MB: after an answer of 10 MB a shard refuses for five seconds.
# https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
TRIES = 40
READS_A_SECOND = 5
AWS_KEY = "alias/aws/kinesis"
PLANNED_AGAIN = "nothing: the batch is planned again, and says whether anything is lost"


class Trimmed(RetryLater):
    """An event at which reading begins or ends is there no more: the stream's retention has overtaken it."""


class OutOfTime(Exception):
    """Waiting on would pass the deadline."""


class Page(NamedTuple):
    """What one call has brought. behind_ms: how far it is behind the newest event.  ended: the shard has no more, ever."""

    records: list[dict[str, Any]]
    behind_ms: int
    ended: bool

    @property
    def at_tip(self) -> bool:
        """Whether nothing lies behind it at this moment; an answer with events never says so, as it may have been cut."""
        return not self.records and not self.behind_ms and not self.ended


class Stream:
    """One stream. place: for errors.  deadline: when waiting has to end; None for a short call."""

    def __init__(
        self,
        kinesis: KinesisClient,
        arn: str,
        place: str,
        deadline: Deadline | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._kinesis, self.arn, self._place, self._deadline, self._sleep = kinesis, arn, place, deadline, sleep
        self.name = arn.partition(":stream/")[2]
        self._listed = dict[str, Shard]()

    @property
    def is_there(self) -> bool:
        """Raises DefinitionError where it may not be known."""
        return self.retention_hours > 0

    @property
    def retention_hours(self) -> int:
        """0 for a stream that is not there."""
        return int(self._summary.get("RetentionPeriodHours", 0))

    @property
    def is_locked(self) -> bool:
        """Whether it is encrypted with a key of its owner's, and not with AWS's."""
        key = self._summary.get("KeyId") or AWS_KEY
        return not str(key).endswith(AWS_KEY)

    @cached_property
    def _summary(self) -> dict[str, Any]:
        """{} for a stream that is not there."""
        try:
            return dict(self._call("describe_stream_summary", StreamARN=self.arn)["StreamDescriptionSummary"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return {}
            raise

    def shards(self) -> dict[str, Shard]:
        """All that the stream keeps, the closed ones too."""
        found, asked = dict[str, Shard](), dict[str, Any]({"StreamARN": self.arn})
        while True:
            answer = self._call("list_shards", **asked)
            for one in answer["Shards"]:
                parents = (one.get("ParentShardId"), one.get("AdjacentParentShardId"))
                hashes = (int(one["HashKeyRange"][bound]) for bound in ("StartingHashKey", "EndingHashKey"))
                found[one["ShardId"]] = Shard(one["ShardId"], tuple(parent for parent in parents if parent), *hashes)
            if not answer.get("NextToken"):
                self._listed = found
                return found
            asked = {"NextToken": answer["NextToken"]}  # with which no stream is named

    def shard(self, name: str) -> Shard:
        """One of them, as they were listed last. Raises Trimmed for one that is forgotten."""
        found = (self._listed or self.shards()).get(name)
        if found is None:
            raise self._trimmed(name)
        return found

    def pages(self, shard: str, begins: Position | datetime, limit: int = PAGE_RECORDS) -> Iterator[Page]:
        """Reads on for ever, or until the shard ends.

        Begins with the event of a position 'after' too, which tells that nothing behind it was deleted: where it is there no more,
        raises Trimmed. Of a moment: with the first event that is as young, by the stream's own index.
        """
        first = begins.sequence if isinstance(begins, Position) else ""
        iterator: str | None = self._iterator(shard, begins)
        last, reading_again = "", False
        while iterator:
            try:
                answer = self._call("get_records", StreamARN=self.arn, ShardIterator=iterator, Limit=limit)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ExpiredIteratorException":
                    raise
                # five minutes old
                iterator, reading_again = self._iterator(shard, Position("at", last) if last else begins), bool(last)
                continue
            records = list(answer["Records"])
            iterator, behind_ms = answer.get("NextShardIterator"), int(answer.get("MillisBehindLatest") or 0)
            self._checked(records, behind_ms, iterator, shard, last if reading_again else first)
            if records:
                first, records = "", records[1:] if reading_again else records
                reading_again = False
            last = records[-1]["SequenceNumber"] if records else last
            yield Page(records, behind_ms, not iterator)

    # -- the pieces

    def _checked(self, records: list[dict[str, Any]], behind_ms: int, iterator: str | None, shard: str, first: str) -> None:
        """Raises Trimmed where reading was to begin with an event, and does not."""
        if not first:
            return
        nothing_left = not records and (not iterator or not behind_ms or behind_ms >= self._kept_ms)
        if nothing_left or (records and records[0]["SequenceNumber"] != first):
            raise self._trimmed(shard)

    @property
    def _kept_ms(self) -> int:
        """An iterator that stands before the oldest event is told to be as far behind as the stream keeps events."""
        return self.retention_hours * 3_600_000 - 60_000

    def _trimmed(self, shard: str) -> Trimmed:
        what = f"{self.name}, {shard}: the stream's retention has deleted the event at which reading was to go on"
        return Trimmed(what, place=self._place, remedy=PLANNED_AGAIN)

    def _iterator(self, shard: str, begins: Position | datetime) -> str:
        asked: dict[str, Any] = {"StreamARN": self.arn, "ShardId": shard}
        if isinstance(begins, datetime):
            asked |= {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": begins}
        elif begins.sequence:
            asked |= {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": begins.sequence}
        else:
            asked["ShardIteratorType"] = "TRIM_HORIZON"
        try:
            return str(self._call("get_shard_iterator", **asked)["ShardIterator"])
        except ClientError as error:
            gone = ("InvalidArgumentException", "ResourceNotFoundException")  # the event; its shard
            if error.response["Error"]["Code"] in gone and not isinstance(begins, datetime) and self.is_there:
                raise self._trimmed(shard) from error
            raise

    def _call(self, operation: str, **asked: Any) -> dict[str, Any]:
        """Asks again where Kinesis throttles, for as long as there is time. Raises DefinitionError for what is denied."""
        for pause in (*pauses(TRIES), None):
            try:
                return dict(getattr(self._kinesis, operation)(**asked))
            except ClientError as error:
                if error.response["Error"]["Code"] not in THROTTLES or pause is None:
                    raise self._translated(error, operation) from error
                pause = max(pause, 1 / READS_A_SECOND)
                if self._deadline is not None and (self._deadline.near or self._deadline.seconds_left < pause):
                    raise OutOfTime from error
                self._sleep(pause)
        raise AssertionError("the last try has no pause")

    def _translated(self, error: ClientError, operation: str) -> Exception:
        code = error.response["Error"]["Code"]
        if code.startswith("KMS") and code not in THROTTLES:
            remedy = "name the key as the connection's `kms_key`, deploy again, and let the key's policy allow the role"
            return DefinitionError(f"the key that {self.name} is encrypted with is denied: {code}", place=self._place, remedy=remedy)
        if refusal(error) == Refusal.DENIED:
            right = "kinesis:" + "".join(word.capitalize() for word in operation.split("_"))
            remedy = "`atoll deploy` again; of another account's stream let its policy allow the role, see the slice's README"
            return DefinitionError(f"Kinesis denies {right} on {self.arn}", place=self._place, remedy=remedy)
        return error
