"""One run of the reference program: days that pass, and what meets it meanwhile.

A batch is a day, so that leases, retries and a night's outage fit into it; the conductor decides what runs, at moments that the
harness chooses.
"""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from conductor.freshness import EVERY_MINUTES
from conductor.losses import TOLD_AS
from shared_metadata import naming
from shared_metadata.program.intervals import floor
from shared_metadata.store.dead_letters import dead_batches
from tests.faults import sources
from tests.faults.account import BEGIN, Account, Stage
from tests.faults.contents import Contents
from tests.faults.crowd import Crowd
from tests.faults.faults import CLOCKS, CONDUCTOR, DEATHS, INVOKE, PAUSES, Fault, Invocation, Kind, Schedule
from tests.faults.lane import Lane, send_signal
from tests.faults.machine import Execution
from tests.faults.processes import LOST, TIMED_OUT, Function, FunctionError

DAY = timedelta(days=1)
REFUSALS = {Kind.NO_ROOM: "Lambda.TooManyRequestsException", Kind.NOT_READY: "Lambda.ResourceNotReadyException"}
MOST_ROUNDS = 200
MOST_REDRIVES = 5  # of each day
REFUSED, REFUSED_BATCH = "published.airport_delays", 1  # what a target refuses until people were told of it, and when
CLOCK_SECONDS = EVERY_MINUTES * 60
WAIT = timedelta(minutes=10, seconds=10)
LATEST = timedelta(hours=23, minutes=50)  # after a batch's end; ten minutes later the next is due
JUMP = timedelta(hours=2)
OPERATORS = 2


class Stuck(Exception):
    """A batch did not become complete."""


class Overtaken(Exception):
    """The execution has ended while its function stands still."""


class MachineStops(Exception):
    """All processes are gone."""


class World(Account):
    """One run. `schedule` holds the faults that it meets.

    crowded: two operators start by hand what the conductor starts, all at once, and its events come twice, late and in any order.
    """

    def __init__(self, stage: Stage, faults: tuple[Fault, ...] = (), *, crowded: bool = False) -> None:
        self._crowd = Crowd(self, OPERATORS) if crowded else None
        self.schedule, self.batch, self.invocations, self.redriven = Schedule(faults), 0, 0, 0
        self.outages: list[int] = []  # the batches during which the machine stopped
        self._told: Kind | None = None
        self._paused: list[tuple[Function, Invocation]] = []
        self._functions: dict[str, Function] = {}
        self._begun: list[tuple[Execution, str]] = []  # and not at work yet
        self._subjects: set[str] = set()
        self._lane = stage.doors.open(Lane(self.schedule, self._tell))
        super().__init__(stage, self._lane.postgres_port)

    # -- what happens

    def apply(self) -> None:
        """As `atoll apply` does, on the first day."""
        self.writer.put_program(self.program, self.stage.compilation.lineage)
        self.writer.activate(self.program, former_version="")

    def run(self, batches: int, outages: Sequence[int] = ()) -> World:
        """The first batch and those that follow it, each with what changed in the sources before.

        When the machine has stopped it is a day later, so that the next day's batch is due as well; in the sources nothing changes
        that day, for what was not read in time cannot be read later. outages: batches with such a day although nothing stops.
        """
        self.apply()
        self.outages += outages
        for number in range(batches):
            self.run_batch(number)
        return self

    def run_batch(self, number: int) -> None:
        """Until every dataset is complete through the end of this batch, and of a day without changes for each outage.

        Raises Stuck when it does not get there.
        """
        self.batch, first = number, self._last_day(number - 1) + DAY
        if number:
            sources.change_database(self.dsn, number, first - DAY / 2, captured=self.stage.captured)
            self.sales.change(number, first - DAY / 2)
        if number == REFUSED_BATCH:
            sources.refuse(self.dsn, REFUSED)
        day = first
        while day <= self._last_day(number):  # which an outage moves
            self._run_day(day)
            day += DAY
        self._wake()

    def _last_day(self, number: int) -> datetime:
        """The end of this batch, or of its last day without changes."""
        return BEGIN + (number + sum(outage <= number for outage in self.outages)) * DAY

    def _run_day(self, end: datetime) -> None:
        """Until all is complete through `end`. What died of too many faults an operator redrives."""
        self.now, redrives = max(self.now, end) + timedelta(seconds=10), 0
        for _ in range(MOST_ROUNDS):
            if self._round():
                continue
            if not self.behind(end):
                return
            redrives += redrives < MOST_REDRIVES and self._redrive()
        raise Stuck(f"the batches until {end} did not complete: {self.behind(end)}")

    def _round(self) -> bool:
        """One call of the conductor and the executions that it started; False when there were none.

        Then time passes, but not until a further day's batch is due.
        """
        try:
            self._conduct()
            self._begun += self.started()
            if not self._begun:
                latest = self._last_day(self.batch) + LATEST
                self.now = max(self.now, min(floor(self.now, CLOCK_SECONDS) + WAIT, latest))
                return False
            if self._crowd:
                self._crowd.execute(self._begun)
                self._begun.clear()
            while self._begun:
                self._execute(*self._begun.pop(0))
        except MachineStops:
            self._restart()
        return True

    def _redrive(self) -> bool:
        """As `atoll retry --all` does; of what the target refuses, when somebody was told and has removed the cause."""
        programs = self.reader.programs()
        dead = dead_batches(programs, self.reader.flow_states(list(programs.flow_ids)), self.reader)
        refused = [batch for batch in dead if batch.dataset.endswith(REFUSED)]
        if any(batch.letter and batch.letter.told_at for batch in refused):
            sources.accept(self.dsn, REFUSED)
        else:
            dead = [batch for batch in dead if batch not in refused]
        for flow in {batch.flow for batch in dead}:
            redriven = self.writer.dead_letters.redrive(flow, [batch.dataset for batch in dead if batch.flow == flow])
            self.redriven += sum(not name.endswith(REFUSED) for name in redriven)
        return bool(dead)

    def behind(self, end: datetime) -> dict[str, str]:
        """The datasets that are not complete through `end`, with their last errors."""
        states = self.reader.flow_states(list(self.program.flows))
        tables = {name: table for state in states.values() for name, table in state.tables.items()}
        return {name: f"{t.watermark} {t.attempts} {t.error}" for name, t in tables.items() if t.watermark < end}

    def _conduct(self) -> None:
        """One call of the conductor; one that fails is not repeated: the clock calls it again."""
        if self._crowd:
            return self._crowd.conduct()
        with contextlib.suppress(FunctionError, Overtaken):
            self.invoke(CONDUCTOR, "handle", {"trigger": "clock"}, CONDUCTOR, "")

    def started(self, expected: int | None = None) -> Iterator[tuple[Execution, str]]:
        """The executions that Step Functions has started since, with the token that ends each; expected: so many, if known."""
        deadline, running = time.monotonic() + 10, self._running() if expected is None else expected
        while running and time.monotonic() < deadline:
            for message in self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", []):
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                body = json.loads(message["Body"])
                running -= 1
                yield Execution(body["slice"], body["input"], body["arn"], self._waited), body["token"]

    def _running(self) -> int:
        arns = [naming.state_machine_arn(s, self.account, self.stage.stack.region) for s in self.program.slice_ids]
        return sum(len(self.states.list_executions(stateMachineArn=a, statusFilter="RUNNING")["executions"]) for a in arns)

    def _execute(self, execution: Execution, token: str) -> None:
        try:
            cause = execution.run(lambda step, event, flow, dataset: self.invoke(execution.slice_id, step, event, flow, dataset))
        except MachineStops:
            self.end_execution(execution.arn, token, MachineStops.__name__)
            raise  # and nobody is there to be told
        except Overtaken:
            cause = Overtaken.__name__
        self.end_execution(execution.arn, token, cause)
        if cause:
            self._tell_ended(execution.arn)

    def _tell_ended(self, arn: str) -> None:
        """As Step Functions' event does, once, and not at all where the conductor does not take it."""
        found = self.states.describe_execution(executionArn=arn)
        told = {name: found[name] for name in ("executionArn", "status", "input", "error", "cause") if name in found}
        with contextlib.suppress(FunctionError, Overtaken):
            self.invoke(CONDUCTOR, "handle", {"detail-type": TOLD_AS, "detail": told}, CONDUCTOR, "")

    def end_execution(self, arn: str, token: str, cause: str) -> None:
        if cause:
            self.states.send_task_failure(taskToken=token, error="BatchFailed", cause=cause[:30000])
        else:
            self.states.send_task_success(taskToken=token, output="{}")
        while self.states.describe_execution(executionArn=arn)["status"] == "RUNNING":
            time.sleep(0.005)

    def _restart(self) -> None:
        """The machine was off for a day: what ran is gone, and Step Functions knows of its executions only that they ended."""
        for function in (*self._functions.values(), *(standing for standing, _ in self._paused)):
            function.end()
        self._functions.clear()
        self._paused.clear()
        for begun in (self._begun, self.started()):
            for execution, token in begun:
                self.end_execution(execution.arn, token, "States.ServiceRestart")
        self._begun.clear()
        self.outages.append(self.batch)
        self.now += DAY

    def _waited(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # -- functions

    def invoke(self, slice_id: str, step: str, event: Mapping[str, Any], flow: str, dataset: str) -> dict[str, Any]:
        """One invocation in the slice's process, a new one if it has died. Raises FunctionError, Overtaken or MachineStops."""
        self.invocations += 1
        self._wake(lambda standing: standing.early and standing.dataset == dataset and standing.step != step)
        function, part, self._told = self._function(slice_id), int(event.get("part", 0)), None
        invocation = Invocation(self.batch, flow, dataset, f"{step}{part}" if part else step, slice_id, function.pid)
        self._lane.invocation = invocation
        if refused := self.schedule.strike(invocation, INVOKE):
            raise FunctionError(REFUSALS[refused], str(refused))
        armed = self._arm_source(invocation)
        function.send(step, event, self.now)
        try:
            return function.answer(given_up=lambda: self._told in PAUSES)  # type: ignore[no-any-return]
        except FunctionError as error:
            if error.name in (LOST, TIMED_OUT):
                self._functions.pop(slice_id, None)
                self._leave(function, invocation)
            raise
        finally:
            self._lane.invocation = None
            self._disarm_source(invocation, armed)

    def _leave(self, function: Function, invocation: Invocation) -> None:
        """Of a process that gave no answer: it is dead, or stands still and wakes later."""
        if self._told in PAUSES:
            self._paused.append((function, invocation))
        else:
            function.end()
        if self._told == Kind.OVERTAKEN:
            raise Overtaken
        if self._told == Kind.MACHINE:
            raise MachineStops

    def _tell(self, kind: Kind, invocation: Invocation) -> None:
        self._told = kind
        invocation.early = kind == Kind.PAUSED and sum(invocation.counts.values()) % 2 == 0
        if kind == Kind.CHANGED:
            sources.change_meanwhile(self.dsn, self.now + DAY / 4)
        if kind in CLOCKS:
            self.now += JUMP if kind == Kind.CLOCK_FORWARD else -JUMP

    def _wake(self, which: Callable[[Invocation], bool] = lambda _: True) -> None:
        """Those that stood still go on where they were, and nobody minds their answers."""
        for function, was in [standing for standing in self._paused if which(standing[1])]:
            self._paused.remove((function, was))
            self._lane.invocation = Invocation(-1, was.flow, was.dataset, was.step, was.slice_id, function.pid)
            self.stage.doors.wake(self._lane, function.pid)
            with contextlib.suppress(FunctionError):
                function.answer()
            self._lane.invocation = None
            function.end()

    def _function(self, slice_id: str) -> Function:
        if slice_id not in self._functions:
            self._functions[slice_id] = Function(slice_id, self.variables(slice_id, f"http://127.0.0.1:{self._lane.aws_port}"))
        return self._functions[slice_id]

    # -- the source's own troubles

    def _arm_source(self, invocation: Invocation) -> list[Fault]:
        found = []
        for fault in self.schedule.waiting:
            site = fault.site
            mine = (fault.batch, site.flow, site.dataset, site.step) == (invocation.batch, *invocation.place)
            if mine and site.service == "salesforce" and not found:
                self.sales.arm(fault.kind, site.operation.partition(".")[2], partial(self._met_source, fault.kind, invocation))
                found.append(fault)
        return found

    def _met_source(self, kind: Kind, invocation: Invocation) -> None:
        """The process that asks dies, or stands still until it is woken."""
        if kind in DEATHS:
            send_signal(invocation.pid, signal.SIGKILL)
        if kind in PAUSES:
            self._tell(kind, invocation)
            send_signal(invocation.pid, signal.SIGSTOP)

    def _disarm_source(self, invocation: Invocation, armed: list[Fault]) -> None:
        left = self.sales.disarm()
        for number, fault in enumerate(armed):
            if number >= left:
                self.schedule.struck(fault, invocation)
        for operation in self.sales.asked():
            self.schedule.met.setdefault((invocation.batch, invocation.next_site(f"salesforce.{operation}")), invocation.slice_id)

    def contents(self) -> Contents:
        """All that was made so far, and what people were told at least once of that which the target refused."""
        function = Function("contents", self.variables("contents", self.stage.stack.endpoint))
        try:
            function.send("contents", {"program": self.program.version, "dsn": self.dsn, "since": BEGIN - DAY}, self.now)
            found: Contents = function.answer(120)
        finally:
            function.end()
        self._subjects |= {message["Subject"] for message in self.inbox.take()}
        found.tables["told"] = Counter((subject,) for subject in self._subjects if REFUSED in subject)
        return found

    def close(self) -> None:
        for function in (*self._functions.values(), *(standing for standing, _ in self._paused)):
            function.end()
        if self._crowd:
            self._crowd.close()
        super().close()


@contextmanager
def world(stage: Stage, faults: tuple[Fault, ...] = (), *, crowded: bool = False) -> Iterator[World]:
    """A run, which is cleared away at the end."""
    made = World(stage, faults, crowded=crowded)
    try:
        yield made
    finally:
        made.close()
