"""Calls of functions as statements that run elsewhere: each is started once under its token, and its answer lies beside its rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shared_metadata import naming
from shared_metadata.contract.runtime.staging import read_json
from shared_metadata.contract.waiting.statements import Look, Status
from shared_metadata.store.table_reader import Clock
from slices.organize.pyfunctions.config import FunctionOptions
from slices.organize.pyfunctions.logic import ANSWER, step
from slices.organize.pyfunctions.slice import SLICE

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

STARTED = "started.json"
LATE_SECONDS = 120  # beyond a function's own time, in which Lambda may begin it and its answer comes
MEGABYTE = 1 << 20


class Calls:
    """See shared_metadata.contract.waiting.statements.Engine: a text is the event of a function's Lambda, an id where it answers."""

    kind = "call of a function"

    def __init__(self, lambdas: LambdaClient, s3: S3Client, bucket: str, clock: Clock) -> None:
        self._lambdas, self._s3, self._bucket, self._clock = lambdas, s3, bucket, clock

    def submit(self, text: str, token: str) -> str:
        """Noted once it is invoked: a call that died between the two has it run once more, into the same place."""
        event = json.loads(text)
        out = f"{event['out']}{token}/"
        if read_json(self._s3, self._bucket, out + STARTED) is not None:
            return out
        options = FunctionOptions.read(event.pop("options"), place=f"the function {event['function']}")
        self._lambdas.invoke(
            FunctionName=naming.function(SLICE.id, step(event["function"])),
            InvocationType="Event",
            Payload=json.dumps({**event, "out": out, "bucket": self._bucket}).encode(),
        )
        until = self._clock().timestamp() + options.timeout_seconds + LATE_SECONDS
        noted = {"function": event["function"], "until": until, "memory_mb": options.memory_mb}
        self._s3.put_object(Bucket=self._bucket, Key=out + STARTED, Body=json.dumps(noted).encode())
        return out

    def look(self, id: str) -> Look:
        noted: dict[str, Any] = read_json(self._s3, self._bucket, id + STARTED) or {}
        answer = read_json(self._s3, self._bucket, id + ANSWER)
        if answer is None:
            if self._clock().timestamp() < noted["until"]:
                return Look(Status.RUNS)
            remedy = "raise timeout_seconds or memory_mb in CREATE FUNCTION; its log may say which it wanted"
            return Look(Status.FAILED, f"{noted['function']} gave no answer within its time", remedy=remedy)
        if error := answer.get("error"):
            return Look(Status.FAILED, f"{noted['function']}: {error['what']}", remedy=error["remedy"])
        used = {"lambda_invocation": 1.0, "lambda_arm64_gb_second": round(answer["seconds"] * noted["memory_mb"] / 1024, 3)}
        file, seconds = answer["file"], answer["seconds"]
        return Look(Status.DONE, run_seconds=seconds, rows=file["rows"], used=used, result=file, bytes_written=file["bytes"])

    def cancel(self, id: str) -> None:
        """Leaves the call to its end, which no API of Lambda brings about; what it gives is not read."""
