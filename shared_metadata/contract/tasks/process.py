"""The program of a task: does one step as its function would, keeps the batch's lease meanwhile, and leaves its answer.

    python -m shared_metadata.contract.tasks.process slices.organize.iceberg.handlers.refresh

The variable ATOLL_TASK is the key of what is to be done (turns.py). Its exit code is 0 where it has left an answer, be that an error.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from shared_metadata.contract.runtime.deadline import LEASE_SECONDS
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import read_json
from shared_metadata.contract.tasks import at_work
from shared_metadata.contract.tasks.at_work import AtWork
from shared_metadata.contract.tasks.run import VARIABLE
from shared_metadata.contract.tasks.stopped import OVERTAKEN, TOO_LONG
from shared_metadata.contract.tasks.turns import KIND, answer_key, write_document
from shared_metadata.errors import DefinitionError, RetryLater, StaleToken, Unfinished
from shared_metadata.program.intervals import Interval, from_text
from shared_metadata.state.records import Claim, Wait

LOOK_SECONDS = 240.0  # between two looks after the lease
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 10.0, 300.0
GRACE_SECONDS = 60.0  # after the step's own deadline, before the process ends itself
Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]


class TaskContext:
    """What a handler asks of Lambda's context."""

    def __init__(self, id: str, ends_monotonic: float) -> None:
        self.aws_request_id, self._ends = id, ends_monotonic

    def get_remaining_time_in_millis(self) -> int:
        return max(int((self._ends - time.monotonic()) * 1000), 0)


def run(handler: Handler, services: Services, key: str, began: float, *, end: Callable[[int], None] = os._exit) -> int:
    """Does what stands at `key`, unless that is done already; the exit code.  began: when the process did, as a Unix time."""
    bucket = services.environment.atoll_data_bucket
    if read_json(services.s3, bucket, answer_key(key)) is not None:
        return 0
    asked = read_json(services.s3, bucket, key)
    if asked is None:
        raise DefinitionError(f"what the task is to do is gone: {key}", remedy="the batch is tried again")
    here = AtWork.found(asked["size"], began)
    # What sizes itself by its function's memory has the task's.
    os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = str(here.gb * 1024)
    at_work.enter(here)
    seconds = float(asked["size"]["hours"]) * 3600
    ends, done = time.monotonic() + seconds, threading.Event()
    threading.Thread(target=_looked_after, args=(services, asked, here, ends, done, end), name="lease", daemon=True).start()
    try:
        answer = _answered(handler, asked["state"], TaskContext(here.id, ends), ends)
    finally:
        done.set()
        at_work.leave()
    write_document(services, answer_key(key), answer)
    return 0


def _answered(handler: Handler, state: Mapping[str, Any], context: TaskContext, ends: float) -> dict[str, Any]:
    """The state of the step, or its error, with the waits for what is for later: a task is not called again."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return {"answer": handler(state, context)}
        except RetryLater as error:
            if time.monotonic() + pause > ends:
                late = DefinitionError(f"{error.what}; the time of its task is over", place=error.place, remedy=error.remedy)
                return _error(type(late).__name__, str(late))
            if not isinstance(error, Unfinished):
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        except Exception as error:
            return _error(type(error).__name__, str(error))


def _error(name: str, message: str) -> dict[str, Any]:
    return {"error": {"name": name, "message": message}}


def _looked_after(
    services: Services, asked: Mapping[str, Any], here: AtWork, ends: float, done: threading.Event, end: Callable[[int], None]
) -> None:
    """Extends the batch's lease again and again; ends the process where another worker has the batch, or its time is over."""
    claim, step = claim_of(asked["state"]), str(asked["step"])
    since = services.clock().replace(microsecond=0)
    while not done.is_set():
        if time.monotonic() > ends + GRACE_SECONDS:
            return end(TOO_LONG)
        wait = Wait(
            f"{KIND} {here.id}".strip(), step, since, services.clock().replace(microsecond=0) + timedelta(seconds=LOOK_SECONDS)
        )
        try:
            services.writer.renew(claim, LEASE_SECONDS, wait)
        except StaleToken:
            return end(OVERTAKEN)
        except Exception as error:  # the next look is in time
            print(f"the lease could not be extended: {type(error).__name__}", flush=True)
        done.wait(min(LOOK_SECONDS, max(ends + GRACE_SECONDS - time.monotonic(), 1.0)))
    return None


def claim_of(state: Mapping[str, Any]) -> Claim:
    """The claim that a table's state stands for, as far as a lease is concerned."""
    interval = Interval(from_text(state["start"]), from_text(state["end"]))
    return Claim(state["flow"], interval, state["token"], (state["dataset"],), state["program"])


def main(name: str, key: str) -> int:
    from shared_metadata.contract.runtime.lambda_handler import services

    module, _, function = name.rpartition(".")
    began = time.time()
    return run(getattr(importlib.import_module(module), function), services(), key, began)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], os.environ[VARIABLE]))
