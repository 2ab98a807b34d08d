"""Queries on their way: QUEUED, RUNNING, then SUCCEEDED, FAILED or CANCELLED, a few beside one another, each in a thread.

https://docs.aws.amazon.com/athena/latest/APIReference/API_QueryExecutionStatus.html
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from doubles.athena import results
from doubles.athena.engine import Outcome, Run
from doubles.athena.errors import SYSTEM, USER, QueryCancelled, QueryFailed, Refused
from doubles.athena.faults import Fault
from doubles.athena.files import Caller
from doubles.athena.lake import permitted
from doubles.athena.limits import DML_SECONDS, MOST_ACTIVE, SLOTS

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
_LOOK_SECONDS = 0.1
STOPPED = "Query cancelled by user"
Execution = dict[str, Any]  # as GetQueryExecution shows it; what begins with _ is this double's own
_log = logging.getLogger("athena")


@dataclass
class Settings:
    """Limits that a test may make smaller."""

    most_active: int = MOST_ACTIVE
    dml_seconds: float = DML_SECONDS


@dataclass
class Executions:
    """The queries of this process."""

    settings: Settings = field(default_factory=Settings)
    _runs: dict[str, Run] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(SLOTS))

    def active(self) -> int:
        return len(self._runs)

    def knows(self, id: str) -> bool:
        return id in self._runs

    def start(self, execution: Execution, run: Run, met: Mapping[str, Fault]) -> None:
        """In a thread that the end of the process does not wait for."""
        with self._lock:
            self._runs[execution["QueryExecutionId"]] = run
        threading.Thread(target=self._in_turn, args=(execution, run, met), name="athena", daemon=True).start()

    def stop(self, id: str, why: str = STOPPED) -> None:
        """Nothing for one that has ended."""
        run = self._runs.get(id)
        if run is not None:
            run.stop(QueryCancelled(why))

    # -- in a thread of its own

    def _in_turn(self, execution: Execution, run: Run, met: Mapping[str, Fault]) -> None:
        while not self._slots.acquire(timeout=_LOOK_SECONDS):
            if run.stopped.is_set():
                return self._end(execution, run, time.time(), "CANCELLED", str(run.why))
        try:
            self._work(execution, run, met)
        finally:
            self._slots.release()

    def _work(self, execution: Execution, run: Run, met: Mapping[str, Fault]) -> None:
        began = time.time()
        timer = threading.Timer(self.settings.dml_seconds, run.stop, [QueryFailed("QUERY_TIMEOUT", "Query timeout")])
        timer.daemon = True
        try:
            _wait(run, met.get("queued"))
            began = time.time()
            execution["Status"]["State"] = "RUNNING"
            timer.start()
            outcome = _outcome(run, met)
            _write(execution, run.caller, outcome)
            self._end(execution, run, began, "SUCCEEDED", "")
        except QueryCancelled as cancelled:
            self._end(execution, run, began, "CANCELLED", str(cancelled))
        except QueryFailed as failed:
            self._end(execution, run, began, "FAILED", str(failed), failed.error)
        except Refused as refused:  # of text that no parser reads, which Athena refuses earlier
            self._end(execution, run, began, "FAILED", refused.message, QueryFailed("SYNTAX_ERROR", refused.message).error)
        except Exception as error:  # a thread that ends otherwise would leave the query running for ever
            _log.exception("query %s", execution["QueryExecutionId"])
            broken = QueryFailed("GENERIC_INTERNAL_ERROR", f"{type(error).__name__}: {error}", category=SYSTEM)
            self._end(execution, run, began, "FAILED", str(broken), broken.error)
        finally:
            timer.cancel()

    def _end(
        self, execution: Execution, run: Run, began: float, state: str, reason: str, error: Mapping[str, Any] | None = None
    ) -> None:
        now, status = time.time(), execution["Status"]
        queued, worked = began - status["SubmissionDateTime"], now - began
        millis = {name: int(seconds * 1000) for name, seconds in (("queue", queued), ("work", worked), ("all", queued + worked))}
        execution["Statistics"].update(
            EngineExecutionTimeInMillis=millis["work"],
            QueryQueueTimeInMillis=millis["queue"],
            TotalExecutionTimeInMillis=millis["all"],
            DataScannedInBytes=run.figures.scanned_bytes,
        )
        execution["_rows"] = {
            "InputRows": run.figures.input_rows,
            "InputBytes": run.figures.scanned_bytes,
            "OutputRows": run.figures.output_rows,
            "OutputBytes": run.figures.written_bytes,
        }
        status.update(StateChangeReason=reason, CompletionDateTime=now, AthenaError=dict(error) if error else None)
        status["State"] = state  # last: whoever looks on sees all of it
        with self._lock:
            self._runs.pop(execution["QueryExecutionId"], None)


def _wait(run: Run, fault: Fault | None) -> None:
    if fault is not None:
        run.stopped.wait(fault.seconds)
    run.check()


def _outcome(run: Run, met: Mapping[str, Fault]) -> Outcome:
    _wait(run, met.get("slow"))
    for kind in ("transient", "fail", "cancel"):
        if kind in met:
            raise met[kind].end()

    def committing(table: object) -> None:
        if "conflict" in met:
            raise met["conflict"].end()

    run.committing = committing
    outcome = run.outcome()
    if "lost_commit" in met:
        raise met["lost_commit"].end()
    return outcome


def _write(execution: Execution, caller: Caller, outcome: Outcome) -> None:
    """Writes the result's file: the rows of a SELECT, or which files an INSERT has written."""
    bucket, _, key = execution["ResultConfiguration"]["OutputLocation"].removeprefix("s3://").partition("/")
    s3 = caller.client("s3")
    execution["_columns"] = results.metadata_of(outcome.columns)
    with permitted():
        try:
            if outcome.rows is not None:
                s3.put_object(Bucket=bucket, Key=key, Body=results.csv_of(outcome.columns, outcome.rows).encode())
                s3.put_object(Bucket=bucket, Key=f"{key}.metadata", Body=results.described(outcome.columns).encode())
                return
            s3.put_object(Bucket=bucket, Key=f"{key}-manifest.csv", Body="".join(f"{file}\n" for file in outcome.files).encode())
            execution["Statistics"]["DataManifestLocation"] = f"s3://{bucket}/{key}-manifest.csv"
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucket":
                raise QueryFailed("", f"The specified bucket does not exist: {bucket}", category=USER) from None
            raise
