"""How many calls of an application's API a connection may use in a day, and has used: one object beside the journal."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from shared_metadata import naming
from shared_metadata.contract.runtime.services import Services
from shared_metadata.errors import WaitForAws
from systems.application_target.journal import WRITTEN_BY_OTHERS

ATTEMPTS = 20  # to add to the count, while others do


class Budget:
    """A connection's, by days of UTC.  most: calls a day; None for any, which are not counted.

    Calls are counted when a function ends: what runs beside it may go beyond by what it uses itself.
    """

    def __init__(self, services: Services, connection: str, most: int | None, place: str) -> None:
        self._s3, self._bucket, self._clock = services.s3, services.environment.atoll_data_bucket, services.clock
        self._key = f"{naming.journal_prefix(services.environment.atoll_slice_id)}{connection}/calls.json"
        self._most, self._place = most, place
        self._used = self._read()[0] if most is not None else 0

    def hold(self, calls: int) -> None:
        """Raises WaitForAws where the day's calls are used, with these that are not counted yet: it is waited for as AWS is, however
        long that takes, and counts as no attempt, since after so many a batch would wait for an operator."""
        if self._most is None or self._used + calls < self._most:
            return
        now = self._clock()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        raise WaitForAws(
            f"the {self._most} calls are used that the program allows in a day",
            place=self._place,
            remedy="nothing, it goes on after midnight UTC; or raise `calls_a_day` of the connection, or EVERY",
            after_seconds=(midnight - now).total_seconds(),
        )

    def spend(self, calls: int) -> None:
        """Adds calls to the day's count."""
        for _ in range(ATTEMPTS if self._most is not None and calls else 0):
            used, tag = self._read()
            body = json.dumps({"day": self._day, "calls": used + calls}).encode()
            condition: dict[str, Any] = {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}
            try:
                self._s3.put_object(Bucket=self._bucket, Key=self._key, Body=body, ContentType="application/json", **condition)
                return
            except ClientError as error:
                if error.response["Error"]["Code"] not in WRITTEN_BY_OTHERS:
                    raise

    @property
    def _day(self) -> str:
        return self._clock().date().isoformat()

    def _read(self) -> tuple[int, str]:
        """How many are used today, and the object's tag."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._key)
        except self._s3.exceptions.NoSuchKey:
            return 0, ""
        told = json.loads(answer["Body"].read())
        return (int(told["calls"]) if told["day"] == self._day else 0), answer["ETag"]
