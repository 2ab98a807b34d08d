"""A function's own Lambda: brings its rows, runs its code beside itself, and puts what that gives where the caller looks for it."""

from __future__ import annotations

import json
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

from shared_metadata.contract.runtime.deadline import Context
from slices.organize.pyfunctions.function.process import run
from slices.organize.pyfunctions.logic import ANSWER, MADE

SPARE_SECONDS = 15.0  # of the function's time, in which it says that its code did not end


def handle(event: Mapping[str, Any], context: Context) -> None:
    """It always answers, so that nothing is tried again by Lambda.

    event: of logic.job, with keys of S3 for files; bucket; out: the prefix below which it puts rows and answer.
    """
    began, s3 = time.monotonic(), boto3.client("s3")
    with tempfile.TemporaryDirectory() as holder:
        try:
            answer = _answer(event, context, s3, Path(holder))
        except Exception as error:  # of ours, or of what we stand on: no word of it may quote a row
            traceback.print_exc()
            what = f"{event['handler']} was not run: {type(error).__name__}"
            answer = {"error": {"what": what, "remedy": "its log says more; the batch is tried again"}}
    answer["seconds"] = round(time.monotonic() - began, 3)
    s3.put_object(Bucket=event["bucket"], Key=f"{event['out']}{ANSWER}", Body=json.dumps(answer).encode())


def _answer(event: Mapping[str, Any], context: Context, s3: Any, holder: Path) -> dict[str, Any]:
    given, work = holder / "given", holder / "work"
    for place in (given, work):
        place.mkdir()
    files = []
    for number, key in enumerate(event["given"]):
        files.append(str(given / f"{number}.parquet"))
        s3.download_file(event["bucket"], key, files[-1])
    seconds = context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS
    answer = run({**event, "given": files}, work, seconds, lambda line: print(line, file=sys.stderr))
    if "error" in answer:
        return answer
    made, key = Path(answer["file"]), f"{event['out']}{context.aws_request_id}-{MADE}"
    s3.upload_file(str(made), event["bucket"], key)
    return {"file": {"key": key, "rows": answer["rows"], "bytes": made.stat().st_size}}
