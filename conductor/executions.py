"""The executions of batches: starts them under names of their own, and records those that ended without moving their batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from conductor.environment import Environment
from shared_metadata.aws.later import NAMES, is_later
from shared_metadata.state.records import Batch
from shared_metadata.state.schedule import DueBatch
from shared_metadata.store.writer import MetadataWriter

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html#API_StartExecution_Errors
NOT_THERE = ("StateMachineDoesNotExist", "StateMachineDeleting", "AccessDeniedException", "InvalidArn")
# When to look again at a batch without news: later than the lease that its execution takes.
UNHEARD = timedelta(minutes=17)
Report = Callable[[str, Mapping[str, Any]], None]


@dataclass
class Round:
    """The result of one call, in batches.

    missing: without a state machine.  running: with a worker.  later: AWS refused for the moment, so the next call asks again.
    """

    due: int = 0
    started: int = 0
    running: int = 0
    lost: int = 0
    missing: int = 0
    later: int = 0

    def add(self, other: Round) -> None:
        for name, number in vars(other).items():
            setattr(self, name, getattr(self, name) + number)


@dataclass(frozen=True)
class Done:
    """The result for a batch, and when to look at it again if no event comes.

    tables: those of its tables that are at work.  partly: others wait for a place in their warehouse.
    """

    figures: Round
    again_at: datetime
    tables: tuple[str, ...] = ()
    partly: bool = False


class Executions:
    """The executions of the slices' state machines."""

    def __init__(self, writer: MetadataWriter, states: SFNClient, environment: Environment, report: Report) -> None:
        self._writer, self._states, self._environment, self._report = writer, states, environment, report

    def begin(self, batch: DueBatch, recorded: Batch | None, now: datetime) -> Done:
        """Starts those tables of a batch that have no worker; the others are left alone until their lease has ended.

        recorded: the batch as its workers have claimed it.
        """
        busy = {name: found for name in batch.datasets if recorded and (found := recorded.running(name, now))}
        running = Round(running=len({worker.owner for worker in busy.values()}))
        free = tuple(name for name in batch.datasets if name not in busy)
        if not free or (recorded and batch.waits(recorded)):
            at = min([*(worker.lease_until for worker in busy.values()), *([now + UNHEARD] if free else [])])
            return Done(running, at, tuple(busy))
        done = self._start(batch.only(free), now)
        begun = free if done.figures.started or done.figures.running else ()
        done.figures.add(running)
        at = min([done.again_at, *(worker.lease_until for worker in busy.values())])
        return replace(done, again_at=at, tables=(*busy, *begun))

    def _start(self, batch: DueBatch, now: datetime) -> Done:
        machine = self._environment.state_machine_arn(batch.slice_id)
        body = json.dumps(batch.execution_input())
        try:
            answer = self._states.start_execution(stateMachineArn=machine, name=batch.execution_name, input=body)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in NOT_THERE:
                return self._missing(batch, code, now)
            if code != "ExecutionAlreadyExists":
                raise
            return self._known(batch, now)
        new = answer["startDate"].timestamp() >= int(now.timestamp()) - 1
        return Done(Round(started=new, running=not new), now + UNHEARD)

    def _missing(self, batch: DueBatch, code: str, now: datetime) -> Done:
        stack = "run `atoll apply`, or deploy the slice's stack and the stack Conductor"
        self._report("a state machine is not there or not granted", {"slice": batch.slice_id, "error": code, "remedy": stack})
        return Done(Round(missing=1), now)

    def _known(self, batch: DueBatch, now: datetime) -> Done:
        """The result for a name that is taken: its execution runs, or has ended without an event, though its batch has not moved."""
        arn = self._environment.execution_arn(batch.slice_id, batch.execution_name)
        ended = self._ended(arn)
        if not ended:
            return Done(Round(running=1), now + UNHEARD)
        self._report("an execution ended without recording an outcome", {"execution": arn, "why": ended})
        refused = is_refused(ended)
        self._writer.record_lost(batch.flow, batch.interval, batch.datasets, ended, attempt=batch.attempt, owner=arn, later=refused)
        return Done(Round(lost=1), now)

    def _ended(self, execution: str) -> str:
        """The status of an ended execution; '' while it runs."""
        try:
            found = self._states.describe_execution(executionArn=execution)
        except ClientError as error:
            if is_later(error):
                return ""  # its end is found out later
            if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
                raise
            return "the execution is not known any more"
        return "" if found["status"] in ("RUNNING", "PENDING_REDRIVE") else how_it_ended(found)


def how_it_ended(found: Mapping[str, Any]) -> str:
    """The error and cause, or else the status, of an execution as Step Functions describes it, or reports its end."""
    if not found.get("error"):
        return f"the execution ended as {found['status']} and its batch did not move"
    return f"{found['error']}: {_message(str(found.get('cause') or ''))}"


def is_refused(why: str) -> bool:
    """Whether AWS refused for the moment only, from the result of `how_it_ended`."""
    return why.partition(":")[0] in NAMES


def _message(cause: str) -> str:
    """The message in a Lambda function's cause, which is JSON with an errorMessage."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, TypeError, KeyError):
        return cause
