"""Job runs on their way: SUBMITTED, SCHEDULED, RUNNING, then SUCCESS, FAILED or CANCELLED, one at a time, each in a thread.

https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/job-states.html
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from doubles.emr_serverless.faults import Fault

ENDED = ("SUCCESS", "FAILED", "CANCELLED")
# A driver and an executor of four vCPUs and 16 GB, of which EMR bills a minute at least:
# https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/app-behavior.html#worker-configs
WORKERS, VCPUS, GIGABYTES, LEAST_SECONDS = 2, 4, 16, 60
EXCEEDED = "Job failed: ApplicationMaxCapacityExceededException: no worker could be allocated within the maximumCapacity"
_LOOK_SECONDS = 0.1
Run = dict[str, Any]  # as GetJobRun shows it; what begins with _ is this double's own
_log = logging.getLogger("emr-serverless")


@dataclass(frozen=True)
class Job:
    """What is run.  keys: of the role, by whose rights it works.  settings: of `--conf`."""

    run: str
    script: str
    arguments: list[str]
    settings: Mapping[str, str]
    keys: Mapping[str, str]
    stopped: threading.Event = field(default_factory=threading.Event)


class Runner(Protocol):
    """What runs a job."""

    def run(self, job: Job, began: threading.Event) -> int:
        """The exit code of its driver; `began` is set when that runs. Ends early where the job is stopped."""
        ...


class Runs:
    """The job runs of this process."""

    def __init__(self, known: MutableMapping[str, Run], runner: Runner) -> None:
        self._known, self._runner = known, runner
        self._jobs, self._slot, self._lock = dict[str, Job](), threading.Semaphore(1), threading.Lock()

    def knows(self, id: str) -> bool:
        return id in self._jobs

    def start(self, run: Run, job: Job, capacity: int, met: Mapping[str, Fault]) -> None:
        """In a thread that the end of the process does not wait for.  capacity: vCPUs that its application may have."""
        with self._lock:
            self._jobs[job.run] = job
        threading.Thread(target=self._in_turn, args=(run, job, capacity, met), name="emr-serverless", daemon=True).start()

    def cancel(self, run: Run) -> None:
        if job := self._jobs.get(run["jobRunId"]):
            run["state"] = "CANCELLING"
            job.stopped.set()

    # -- in a thread of its own

    def _in_turn(self, run: Run, job: Job, capacity: int, met: Mapping[str, Fault]) -> None:
        try:
            run["state"] = "SCHEDULED"
            if "queued" in met:
                job.stopped.wait(met["queued"].seconds)
            while not self._slot.acquire(timeout=_LOOK_SECONDS):
                if job.stopped.is_set():
                    break
            else:
                try:
                    self._work(run, job, capacity, met)
                finally:
                    self._slot.release()
                return
            self._end(run, "CANCELLED", "")
        except Exception as error:  # a thread that ends otherwise would leave the run running for ever
            _log.exception("job run %s", job.run)
            self._end(run, "FAILED", f"Internal error: {type(error).__name__}")
        finally:
            with self._lock:
                self._jobs.pop(job.run, None)

    def _work(self, run: Run, job: Job, capacity: int, met: Mapping[str, Fault]) -> None:
        if capacity < WORKERS * VCPUS:
            return self._end(run, "FAILED", EXCEEDED)
        if "refused" in met:
            return self._end(run, "FAILED", met["refused"].message)
        began, timer = threading.Event(), threading.Timer(run["executionTimeoutMinutes"] * 60, job.stopped.set)
        timer.daemon = True
        timer.start()
        threading.Thread(target=self._show, args=(run, began), daemon=True).start()
        try:
            if "slow" in met or "killed" in met:
                self._begin(run)
            if "slow" in met:
                job.stopped.wait(met["slow"].seconds)
            code = 137 if "killed" in met else self._runner.run(job, began)
        finally:
            timer.cancel()
            began.set()
        if "lost_commit" in met:
            code = 137
        if job.stopped.is_set():
            return self._end(run, "CANCELLED", "")
        details = f"Job failed, please check complete logs in configured logging destination. ExitCode: {code}." if code else ""
        self._end(run, "FAILED" if code else "SUCCESS", details)

    def _show(self, run: Run, began: threading.Event) -> None:
        began.wait()
        self._begin(run)

    @staticmethod
    def _begin(run: Run) -> None:
        if run["state"] == "SCHEDULED":
            now = time.time()
            run.update(state="RUNNING", startedAt=now, queuedDurationMilliseconds=int((now - run["createdAt"]) * 1000))

    @staticmethod
    def _end(run: Run, state: str, details: str) -> None:
        now = time.time()
        seconds = max(int(now - run["startedAt"]), 1) if "startedAt" in run else 0
        hours = WORKERS * max(seconds, LEAST_SECONDS) / 3600 if seconds else 0.0
        used = {"vCPUHour": hours * VCPUS, "memoryGBHour": hours * GIGABYTES, "storageGBHour": 0.0}
        run.update(updatedAt=now, endedAt=now, stateDetails=details, totalExecutionDurationSeconds=seconds)
        run.update(totalResourceUtilization=used, billedResourceUtilization=dict(used))
        run["state"] = state  # last: whoever looks on sees all of it
