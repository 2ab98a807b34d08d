"""An account in which the real steps and the real conductor run, one call of the outside at a time, in any order and with any fault.

What is real: the metadata layer, the steps of collect and organize, the conductor. What is modelled: DynamoDB (metadata/memory.py),
S3, the state machine's frame (infra/workflows.py: what it tries again, what it catches), the source and the warehouse.
"""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from botocore.exceptions import ClientError

from conductor.environment import Environment as ConductorEnvironment
from conductor.losses import Losses
from conductor.starter import Starter
from shared_metadata.contract import collect
from shared_metadata.contract.batch_identity import Identity
from shared_metadata.contract.collect import CollectSteps
from shared_metadata.contract.landed import Landed
from shared_metadata.contract.maintenance.ageing import Ageing
from shared_metadata.contract.maintenance.retention import Retention
from shared_metadata.contract.organize import OrganizeSteps
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.environment import Environment
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.waiting import waits
from shared_metadata.errors import AtollError
from shared_metadata.program import Program
from shared_metadata.program.intervals import Interval, from_text
from shared_metadata.store import items
from shared_metadata.store.reader import MetadataReader
from shared_metadata.store.writer import MetadataWriter
from tests.conformance.fixtures import FakeContext
from tests.memory.dynamodb import MemoryDynamoDB, Rows, refused, text_of
from tests.protocol.lake import BEGIN, SLICES, ModelDriver, ModelSource
from tests.protocol.replay import TIMEOUT, Call, History, Line, NoSuchKey, Outcome, Raised, Returned, answer, refusal, run

METADATA, BUCKET, ACCOUNT, REGION = "metadata", "data", "111122223333", "eu-central-1"
CONDUCTOR = ConductorEnvironment(METADATA, ACCOUNT, REGION)
TAKEN = ("StaleToken", "AlreadyCommitted")
TRIES = {"RetryLater": 5, "lost": 2}  # infra/workflows.py: RETRY
AGE = "age"
KEEP = timedelta(0)  # what no reader needs any more ages at once


class Fault(Enum):
    """What happens at a call."""

    NONE = ""
    LOST = "it is done, and its answer is lost"
    UNSENT = "it is not done, and times out"
    TWICE = "it is done twice, as the SDK tries again"
    DIES_BEFORE = "the process dies before it"
    DIES_AFTER = "the process dies after it"

    @property
    def kills(self) -> bool:
        return self in (Fault.DIES_BEFORE, Fault.DIES_AFTER)


@dataclass(frozen=True)
class Process:
    """A step of an execution, or a call of the conductor, that stands before its next call. call: what it draws as its own id."""

    slice_id: str  # '' for the conductor
    step: str
    event: str = "{}"
    history: History = ()
    call: str = ""


@dataclass(frozen=True)
class Branch:
    """An execution's plan, then each table of its batch; `process` is None when it has ended, as `result`."""

    step: str
    state: str
    process: Process | None
    tries: tuple[str, ...] = ()
    result: str = ""


@dataclass(frozen=True)
class Execution:
    """Of a slice's state machine.

    waiting: the inputs of executions that are still to be started, one after the other, for an input that means several batches.
    parent: the execution that waits for this one.
    """

    name: str
    slice_id: str
    input: str
    branches: tuple[Branch, ...]
    status: str = "RUNNING"
    waiting: tuple[str, ...] = ()
    parent: str = ""

    @property
    def arn(self) -> str:
        return CONDUCTOR.execution_arn(self.slice_id, self.name)


@dataclass(frozen=True)
class Made:
    """Who writes, drives and lets age; the mutations of the protocol put others in."""

    writer: type[MetadataWriter] = MetadataWriter
    driver: type[ModelDriver] = ModelDriver
    waits: tuple[str, ...] = ()  # the steps of the warehouse that wait
    ageing: type[Ageing] = Ageing


class WiredServices(Services):
    """A process's services over its line."""

    def __init__(self, slice_id: str, line: Line, world: World) -> None:
        super().__init__(Environment(slice_id, METADATA, BUCKET), None, line.clock)
        self._line, self._world = line, world

    @cached_property
    def writer(self) -> MetadataWriter:
        return self._world.writer(self._line)

    def client(self, service: str) -> Any:
        return self._line.client(service)


class Once:
    """What is made of each item, once: an item is never changed in place."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make, self._made = make, dict[int, tuple[Any, Any]]()

    def of(self, item: Any) -> Any:
        found = self._made.get(id(item))
        if found is None or found[0] is not item:
            found = self._made[id(item)] = (item, self._make(item))
        return found[1]


@dataclass
class World:
    """All of it is made of values, so that `taken` is a copy and `put_back` brings it back.

    hurries: calls that no other process can notice, or be noticed by, are done at once; what is left to interleave are the others.
    """

    program: Program
    made: Made = field(default_factory=Made)
    hurries: bool = False
    now: datetime = BEGIN
    dynamodb: MemoryDynamoDB = field(default_factory=MemoryDynamoDB)
    objects: dict[str, bytes] = field(default_factory=dict)
    snapshots: dict[str, tuple[str, ...]] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    rounds: tuple[Process, ...] = ()
    agers: tuple[Process, ...] = ()
    memory: str = ""  # of the conductor's process that was called last
    zombies: tuple[Process, ...] = ()
    _ran: dict[tuple[Process, datetime], tuple[History, Outcome]] = field(default_factory=dict)
    _texts: Once = field(default_factory=lambda: Once(text_of))
    _values: Once = field(default_factory=lambda: Once(items.from_item))

    def __post_init__(self) -> None:
        self.dynamodb.create_table(TableName=METADATA)
        writer = MetadataWriter(self.dynamodb, METADATA, lambda: self.now)  # type: ignore[arg-type]
        self.now = BEGIN + timedelta(hours=1)  # the first batch starts at BEGIN
        writer.put_program(self.program)
        writer.activate(self.program, former_version="")

    @property
    def reader(self) -> MetadataReader:
        """For those who look on."""
        made = MetadataReader(self.dynamodb, METADATA, lambda: self.now)  # type: ignore[arg-type]
        made._programs[self.program.version] = self.program
        return made

    @property
    def rows(self) -> Rows:
        return self.dynamodb.tables[METADATA]

    def taken(self) -> tuple[Any, ...]:
        parts = (self.rows, self.objects, self.snapshots, self.executions)
        return (self.now, *map(dict, parts), self.rounds, self.agers, self.memory, self.zombies)

    def put_back(self, taken: tuple[Any, ...]) -> None:
        self.now, rows, objects, snapshots, executions, self.rounds, self.agers, self.memory, self.zombies = taken
        self.dynamodb.tables[METADATA] = dict(rows)
        self.objects, self.snapshots, self.executions = dict(objects), dict(snapshots), dict(executions)

    def identity(self) -> int:
        """Equal for equal worlds."""
        rows = frozenset((key, self._texts.of(item)) for key, item in self.rows.items())
        parts = (self.objects, self.snapshots, self.executions)
        return hash((self.now, rows, *(frozenset(part.items()) for part in parts), self.rounds, self.agers, self.zombies))

    def values(self) -> list[dict[str, Any]]:
        """All items as plain values, which are read only."""
        return [self._values.of(item) for item in self.rows.values()]

    def landed(self) -> dict[str, list[Landed]]:
        """What the warehouse says of which batches it holds, dataset by dataset."""
        found = {}
        for dataset, snapshots in self.snapshots.items():
            known = [Identity.read(json.loads(snapshot)["identity"]) for snapshot in snapshots]
            found[dataset] = [
                Landed(Interval(from_text(i.start), from_text(i.end)), i.token, f"snapshot {number}")
                for number, i in enumerate(known)
                if i
            ]
        return found

    # -- what may be done

    def processes(self) -> Iterator[tuple[str, Process]]:
        """All that stand before a call, by name."""
        for execution in self.executions.values():
            for number, branch in enumerate(execution.branches):
                if branch.process:
                    yield f"{execution.name}/{number}", branch.process
        for kind, group in (("round", self.rounds), ("ager", self.agers), ("zombie", self.zombies)):
            yield from ((f"{kind}/{number}", process) for number, process in enumerate(group))

    def next_call(self, process: Process) -> Outcome:
        return self._advance(process)[1]

    def start(self, name: str, slice_id: str, event: Mapping[str, Any], parent: str = "") -> Execution:
        """An execution that stands before its first call."""
        body = json.dumps(dict(event), sort_keys=True)
        execution = Execution(name, slice_id, body, (), parent=parent)
        state = json.dumps({"input": dict(event), "owner": execution.arn})
        self.executions[name] = execution
        self._enter(replace(execution, branches=(Branch("plan", state, None),)), 0, "plan", state)
        return self.executions[name]

    def start_round(self) -> None:
        """The clock calls the conductor."""
        self._call_conductor("start_due", "")

    def start_ageing(self, flow: str) -> None:
        """Maintenance comes to what a flow has made."""
        process = Process("organize.model", AGE, json.dumps(flow), call=f"{len(self.agers)}")
        self.agers = _placed(self.agers, len(self.agers), self._alive(process))

    def bring(self, key: tuple[str, str]) -> None:
        """The stream brings the conductor an event, however long ago it was written."""
        self._call_conductor("start_after", text_of(self.rows[key]))

    def tell(self, name: str) -> None:
        """Step Functions tells the conductor how an execution ended."""
        execution = self.executions[name]
        told = {"executionArn": execution.arn, "status": execution.status, "input": execution.input}
        self._call_conductor("ended", json.dumps(told))

    def _call_conductor(self, step: str, event: str) -> None:
        """In the process that was called last, which remembers what it has seen."""
        process = Process("", step, json.dumps([event, self.memory]))
        self.rounds = _placed(self.rounds, len(self.rounds), self._alive(process))

    def abort(self, name: str) -> None:
        """The execution is stopped, wherever it stands; what it calls may still arrive."""
        execution = self.executions[name]
        left = tuple(branch.process for branch in execution.branches if branch.process)
        ended = tuple(replace(branch, process=None) for branch in execution.branches)
        self.executions[name] = replace(execution, branches=ended, status="ABORTED", waiting=())
        self.zombies = (*self.zombies, *left)

    def time_out(self, where: str) -> None:
        """A step took too long: the machine tries it again, while the function that it gave up goes on."""
        execution, number, branch = self._branch(where)
        assert branch.process
        self.zombies = (*self.zombies, branch.process)
        self._failed(execution, number, "lost", "timed out")

    def step(self, where: str, fault: Fault = Fault.NONE) -> None:
        """The next call of a process, and then on to the one after."""
        process = dict(self.processes())[where]
        history, call = self._advance(process)
        assert isinstance(call, Call)
        said = TIMEOUT if fault == Fault.UNSENT else ""
        if fault not in (Fault.UNSENT, Fault.DIES_BEFORE):
            said = self._answer(call)
            said = self._answer(call) if fault == Fault.TWICE else TIMEOUT if fault == Fault.LOST else said
        self._go_on(where, None if fault.kills else replace(process, history=(*history, said)))

    # -- processes

    def writer(self, line: Line) -> MetadataWriter:
        writer = self.made.writer(line.client("dynamodb"), METADATA, line.clock)
        writer.reader._programs[self.program.version] = self.program  # versions never change: there is nothing to see in reading one
        return writer

    def _advance(self, process: Process) -> tuple[History, Outcome]:
        while True:
            key = (process, self.now)
            if key not in self._ran:
                self._ran[key] = run(lambda line, process=process: self._body(process, line), process.history, self.now)
            history, outcome = self._ran[key]
            if not (self.hurries and isinstance(outcome, Call) and self._unnoticed(outcome)):
                return history, outcome
            process = replace(process, history=(*history, self._answer(outcome)))

    def _body(self, process: Process, line: Line) -> Any:
        if not process.slice_id:
            return self._conduct(process, line)
        services = WiredServices(process.slice_id, line, self)
        steps: Any
        if process.step == AGE:
            return self._age(services, json.loads(process.event))
        if process.slice_id == "collect.model":
            steps = CollectSteps(SLICES[process.slice_id], services, lambda *_: ModelSource(services))
        else:
            declared = replace(SLICES[process.slice_id], waits=self.made.waits)
            steps = OrganizeSteps(declared, services, lambda *_: self.made.driver(services, line))
        drawn = SimpleNamespace(uuid4=lambda: SimpleNamespace(hex=process.call))
        with patch.object(collect, "uuid", drawn), patch.object(waits, "uuid", drawn):
            return getattr(steps, process.step)(json.loads(process.event), FakeContext(request_id="request"))

    def _age(self, services: WiredServices, flow: str) -> None:
        """As `maintain` does at a table's turn."""
        held = Retention(services.reader, services.clock())
        ageing, limits = self.made.ageing(services, held, Deadline(math.inf)), held.ages_before(flow, KEEP)
        for dataset, limit in limits.items():
            ageing.versions(dataset, limit, KEEP)
        ageing.batches(flow, min(limits.values()))

    def _conduct(self, process: Process, line: Line) -> str:
        """What the conductor's process remembers afterwards."""
        writer, (event, memory) = self.writer(line), json.loads(process.event)
        starter = Starter(writer, line.client("states"), CONDUCTOR, lambda *_: None)
        if memory:
            starter._agenda = pickle.loads(bytes.fromhex(memory))
        if process.step == "ended":
            Losses(writer, lambda *_: None).ended(json.loads(event), line.clock())
        elif process.step == "start_after":
            starter.start_after([items.event(items.from_item(json.loads(event)))], line.clock())
        else:
            starter.start_due(line.clock())
        return pickle.dumps(starter._agenda).hex()

    def _go_on(self, where: str, process: Process | None) -> None:
        """To the process's next call, or to what follows its end; None: it has died."""
        kind, _, number = where.rpartition("/")
        if kind == "round":
            alive = self._alive(process)
            self.rounds = _placed(self.rounds, int(number), alive)
            if alive is None:
                self.memory = self._remembered(process)
        elif kind == "ager":
            self.agers = _placed(self.agers, int(number), self._alive(process))
        elif kind == "zombie":
            self.zombies = _placed(self.zombies, int(number), self._alive(process))
        else:
            execution, at, _ = self._branch(where)
            self._settle(execution, at, process)

    def _alive(self, process: Process | None) -> Process | None:
        """As it stands before its next call; None when it has ended."""
        if process is None:
            return None
        history, outcome = self._advance(process)
        return replace(process, history=history) if isinstance(outcome, Call) else None

    def _remembered(self, process: Process | None) -> str:
        """By the conductor's process at its end; nothing by one that died or failed."""
        outcome = self._advance(process)[1] if process else None
        return str(outcome.value) if isinstance(outcome, Returned) else ""

    def _unnoticed(self, call: Call) -> bool:
        """The batch's own files, which lie under its token; figures, by which nobody decides; the timeline, which nobody changes."""
        key = call.arguments.get("Key") or call.arguments.get("Item")
        return call.service == "s3" or (isinstance(key, dict) and key["pk"]["S"].startswith(("STATISTICS#", "PROGRAM")))

    # -- the state machine

    def _branch(self, where: str) -> tuple[Execution, int, Branch]:
        name, _, number = where.rpartition("/")
        execution = self.executions[name]
        return execution, int(number), execution.branches[int(number)]

    def _settle(self, execution: Execution, number: int, process: Process | None) -> None:
        if process is None:
            self._failed(execution, number, "lost", "the process died")
            return
        history, outcome = self._advance(process)
        if isinstance(outcome, Call):
            branch = replace(execution.branches[number], process=replace(process, history=history))
            self._keep(replace(execution, branches=_with(execution.branches, number, branch)))
        elif isinstance(outcome, Returned):
            self._returned(execution, number, outcome.value)
        elif isinstance(outcome, Raised):
            name = type(outcome.error).__name__
            if not isinstance(outcome.error, AtollError) and name not in ("ReadTimeoutError", "ClientError"):
                raise outcome.error
            self._failed(execution, number, name, str(outcome.error))

    def _returned(self, execution: Execution, number: int, value: dict[str, Any]) -> None:
        step = execution.branches[number].step
        if "waiting" in value:
            self._enter(execution, number, step, json.dumps(value))
        elif step == "plan":
            self._planned(execution, value)
        elif step == "commit":
            self._end(execution, number, value["status"])
        elif step == "extract":
            state = {name: item for name, item in value.items() if name not in ("part", "done")}
            parts = value["parts"]
            following = value["part"] + (1 if value["done"] else 0)
            done = following == len(parts)
            self._enter(
                execution, number, "commit" if done else "extract", json.dumps(state if done else {**state, "part": following})
            )
        else:
            self._enter(execution, number, "commit", json.dumps(value))

    def _planned(self, execution: Execution, planned: Mapping[str, Any]) -> None:
        failed = tuple(Branch("plan", "", None, result="FAILED") for _ in planned["failed"])
        works = [(_first_step(execution.slice_id, work), json.dumps(work)) for work in planned["work"]]
        branches = tuple(Branch(step, state, None) for step, state in works) + failed
        waiting = tuple(json.dumps(batch) for batch in planned["batches"])
        execution = replace(execution, branches=branches, waiting=waiting)
        self._keep(execution)
        for number, (step, state) in enumerate(works):
            self._enter(self.executions[execution.name], number, step, state)

    def _enter(self, execution: Execution, number: int, step: str, state: str, tries: tuple[str, ...] = ()) -> None:
        branches = _with(execution.branches, number, Branch(step, state, None, tries))
        self._settle(replace(execution, branches=branches), number, Process(execution.slice_id, step, state, call=f"{len(tries):08}"))

    def _failed(self, execution: Execution, number: int, error: str, text: str) -> None:
        branch = execution.branches[number]
        if branch.tries.count(error) < TRIES.get(error, 0):
            self._enter(execution, number, branch.step, branch.state, (*branch.tries, error))
        elif branch.step == "plan":
            self._end(execution, number, "FAILED")
        elif error in TAKEN:
            self._end(execution, number, "TAKEN")
        elif "error" in (state := json.loads(branch.state)):
            self._end(execution, number, "FAILED")  # not recorded
        else:
            state.pop("part", None)
            self._enter(execution, number, "commit", json.dumps({**state, "error": {"Error": error, "Cause": text}}))

    def _end(self, execution: Execution, number: int, result: str) -> None:
        branch = replace(execution.branches[number], process=None, result=result)
        self._keep(replace(execution, branches=_with(execution.branches, number, branch)))

    def _keep(self, execution: Execution) -> None:
        if all(branch.result for branch in execution.branches):
            results = {branch.result for branch in execution.branches}
            if execution.waiting:
                self._next_child(execution)
                return
            execution = replace(execution, status="FAILED" if "FAILED" in results else "SUCCEEDED")
        self.executions[execution.name] = execution
        parent = self.executions.get(execution.parent)
        if parent and execution.status != "RUNNING" and parent.status == "RUNNING":
            self._keep(parent)

    def _next_child(self, execution: Execution) -> None:
        body, *left = execution.waiting
        self.executions[execution.name] = replace(execution, waiting=tuple(left))
        self.start(f"{execution.name}-{len(left)}", execution.slice_id, json.loads(body), execution.name)

    # -- the outside

    def _answer(self, call: Call) -> str:
        try:
            return answer(getattr(self, f"_{call.service}")(call))
        except (NoSuchKey, ClientError) as error:
            return refusal(error)

    def _dynamodb(self, call: Call) -> Any:
        return getattr(self.dynamodb, call.name)(**call.arguments)

    def _s3(self, call: Call) -> Any:
        key = call.arguments["Key"]
        if call.name == "put_object":
            self.objects[key] = call.arguments["Body"]
            return {}
        if key not in self.objects:
            raise NoSuchKey
        return {"Body": self.objects[key]}

    def _warehouse(self, call: Call) -> Any:
        dataset = call.arguments["dataset"]
        held = self.snapshots.get(dataset, ())
        if call.name == "snapshots":
            return [json.loads(snapshot) for snapshot in held]
        if len(held) != call.arguments["parent"]:
            return False
        self.snapshots[dataset] = (*held, json.dumps(call.arguments["snapshot"], sort_keys=True))
        return True

    def _states(self, call: Call) -> Any:
        if call.name == "describe_execution":
            name = call.arguments["executionArn"].rpartition(":")[2]
            if name not in self.executions:
                raise refused("ExecutionDoesNotExist", call.name)
            return {"status": self.executions[name].status}
        name, body = call.arguments["name"], call.arguments["input"]
        known = self.executions.get(name)
        if known and known.status != "RUNNING":
            raise refused("ExecutionAlreadyExists", call.name)
        slice_id = call.arguments["stateMachineArn"].rpartition(":")[2].removeprefix("atoll-").replace("-", ".", 1)
        started = known or self.start(name, slice_id, json.loads(body))
        return {"executionArn": started.arn, "startDate": self.now - timedelta(hours=9) if known else self.now}


def _first_step(slice_id: str, work: dict[str, Any]) -> str:
    if slice_id.startswith("organize"):
        return str(work["kind"])
    if work["parts"]:
        work["part"] = 0
        return "extract"
    return "commit"


def _with(group: tuple[Any, ...], number: int, value: Any) -> tuple[Any, ...]:
    return (*group[:number], value, *group[number + 1 :])


def _placed(group: tuple[Process, ...], number: int, process: Process | None) -> tuple[Process, ...]:
    """With a process where it stood, or without it."""
    return (*group[:number], *((process,) if process else ()), *group[number + 1 :])
