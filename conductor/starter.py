"""Starts the executions of due batches, and notices those that ended without their batch having moved."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from conductor.environment import Environment
from shared_metadata.errors import DefinitionError, WaitForAws
from shared_metadata.later import NAMES, is_later
from shared_metadata.program import Program
from shared_metadata.records import FlowState, Worker
from shared_metadata.schedule import DueBatch, due_batches
from shared_metadata.timeline import Programs
from shared_metadata.writer import MetadataWriter

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html#API_StartExecution_Errors
NOT_THERE = ("StateMachineDoesNotExist", "StateMachineDeleting", "AccessDeniedException", "InvalidArn")
MOST_REFUSALS = 5  # in one call: then it is not a single item that somebody else writes, but a throttle
Report = Callable[[str, Mapping[str, Any]], None]


@dataclass
class Round:
    """What one call did, in batches. missing: their state machine is not there; running: executions that go on;
    later: AWS refused for the moment, so the next call asks again."""

    due: int = 0
    started: int = 0
    running: int = 0
    lost: int = 0
    missing: int = 0
    later: int = 0


class Starter:
    """One round after another over the timeline of programs; `report` takes a message and its figures, for the log."""

    def __init__(self, writer: MetadataWriter, states: SFNClient, environment: Environment, report: Report) -> None:
        self._writer, self._states, self._environment, self._report = writer, states, environment, report

    def start_due(self, now: datetime, hurried: Callable[[], bool] = lambda: False) -> Round:
        """Starts what is due, oldest first, until `max_starts` new executions run or `hurried`; the next call goes on.

        Where nothing is due it makes one GetItem and a BatchGetItem for each hundred flows.
        """
        found, missing = Round(), set[str]()
        try:
            programs = self._writer.reader.programs()
        except DefinitionError:
            return found  # nothing was ever applied
        due = due_batches(programs, self._states_under(programs, now), now)
        found.due = len(due)
        for batch in due:
            if found.started >= self._environment.max_starts or hurried():
                self._report("more batches are due than one call starts", {"due": found.due, "started": found.started})
                break
            try:
                self._settled(programs, batch, now, found, missing)
            except (ClientError, WaitForAws) as error:
                if not is_later(error):
                    raise
                found.later += 1
            if found.later >= MOST_REFUSALS:
                self._report("AWS refuses for the moment: the rest of what is due waits for the next call", {"due": found.due})
                break
        return found

    def _settled(self, programs: Programs, batch: DueBatch, now: datetime, found: Round, missing: set[str]) -> None:
        if batch.moved:
            self._writer.settle(programs, batch.flow)
        if batch.slice_id not in missing:
            self._one(batch, now, found, missing)
        found.missing += batch.slice_id in missing

    def judge_drift(self, program: Program, version: str) -> None:
        """Judges all open drift under this program: what it does not use any more goes on, what it uses stands still."""
        self._writer.drifts.rejudge(self._writer.reader.lineage(version), program, version)

    def _states_under(self, programs: Programs, now: datetime) -> Mapping[str, FlowState]:
        """The states of their flows; those that were quiesced under another program than the active one are judged again first."""
        states = self._writer.reader.flow_states(list(programs.flow_ids))
        marks = {mark.program for state in states.values() for mark in state.quiesced}
        entry, program = programs.active(now)
        if not marks or marks == {entry.version}:
            return states
        self.judge_drift(program, entry.version)
        return self._writer.reader.flow_states(list(programs.flow_ids))

    def _one(self, batch: DueBatch, now: datetime, found: Round, missing: set[str]) -> None:
        """Starts those tables of a batch that nobody is at work on."""
        recorded = self._writer.reader.batch(batch.flow, batch.interval.start)
        busy: dict[str, Worker] = {}
        for dataset in batch.datasets if recorded else ():
            worker = recorded.running(dataset, now) if recorded else None
            if worker:
                busy[dataset] = worker
        for owner in {worker.owner for worker in busy.values()}:
            theirs = tuple(dataset for dataset, worker in busy.items() if worker.owner == owner)
            ended = self._ended(owner) if owner.startswith("arn:") else ""
            if ended:
                self._lost(batch, theirs, ended, owner, found)
            else:
                found.running += 1
        free = tuple(dataset for dataset in batch.datasets if dataset not in busy)
        if free and not (recorded and batch.waits(recorded)):
            whole = batch.all_tables and len(free) == len(batch.datasets)
            self._start(replace(batch, datasets=free, all_tables=whole), now, found, missing)

    def _start(self, batch: DueBatch, now: datetime, found: Round, missing: set[str]) -> None:
        machine = self._environment.state_machine_arn(batch.slice_id)
        body = json.dumps(batch.execution_input())
        try:
            answer = self._states.start_execution(stateMachineArn=machine, name=batch.execution_name, input=body)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in NOT_THERE:
                missing.add(batch.slice_id)
                stack = "run `atoll apply`, or deploy the slice's stack and the stack Conductor"
                self._report("a state machine is not there or not granted", {"slice": batch.slice_id, "error": code, "remedy": stack})
                return
            if code != "ExecutionAlreadyExists":
                raise
        else:
            new = answer["startDate"].timestamp() >= int(now.timestamp()) - 1
            found.started, found.running = found.started + new, found.running + (not new)
            return
        arn = self._environment.execution_arn(batch.slice_id, batch.execution_name)
        ended = self._ended(arn)
        if ended:
            self._lost(batch, batch.datasets, ended, arn, found)
        else:
            found.running += 1

    def _lost(self, batch: DueBatch, datasets: tuple[str, ...], why: str, owner: str, found: Round) -> None:
        """The batch still waits at the attempt that this execution was: the next attempt has another name, after its backoff."""
        found.lost += 1
        detail = {"flow": batch.flow, "start": str(batch.interval.start), "attempt": batch.attempt, "why": why}
        self._report("an execution ended without recording an outcome", detail)
        refused = why.partition(":")[0] in NAMES
        self._writer.record_lost(batch.flow, batch.interval, datasets, why, attempt=batch.attempt, owner=owner, later=refused)

    def _ended(self, execution: str) -> str:
        """How an execution ended; '' while it runs."""
        try:
            found = self._states.describe_execution(executionArn=execution)
        except ClientError as error:
            if is_later(error):
                return ""  # whether it has ended is found out in the next round
            if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
                raise
            return "the execution is not known any more"
        if found["status"] in ("RUNNING", "PENDING_REDRIVE"):
            return ""
        said = f"{found.get('error', '')}: {_message(str(found.get('cause', '')))}" if found.get("error") else ""
        return said or f"the execution ended as {found['status']} and its batch did not move"


def _message(cause: str) -> str:
    """A Lambda function's cause is JSON with an errorMessage."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, TypeError, KeyError):
        return cause
