"""Faults in the deployed airline: its own functions and state machines, its clock and its stream, with IAM enforced.

Each function finds AWS behind a door of its own, by AWS_ENDPOINT_URL in its environment; all else is as the CDK deployed it. One that
finds no concurrency has none reserved for it, until Lambda has refused a call of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

import psutil
from aiohttp import web

from infra import embedded
from infra.embedded import EmbeddedAws
from infra.embedded.state import wait_until
from shared_metadata import naming
from shared_metadata.contract.batch_identity import Identity
from shared_metadata.program import Flow
from shared_metadata.program.intervals import floor
from shared_metadata.state.records import EventKind
from tests.e2e.test_airline import MINUTE, Deployed, state_command
from tests.faults.doors import AwsDoor, Doors
from tests.faults.faults import CONDUCTOR, CONFLICTS, DEATHS, READS, Invocation, Kind
from tests.faults.lane import Lane
from tests.faults.rooms import Rooms

STEPS = {
    "collect.postgres": ("plan", "extract", "commit"),
    "collect.salesforce": ("plan", "extract", "commit"),
    "organize.iceberg": ("plan", "load", "refresh", "check", "commit"),
    "harness.postgres": ("plan", "diff", "publish", "commit"),
}
# What one call survives without its batch being tried again a minute later; processes that stand still for 16 minutes are not here.
TROUBLES = (
    Kind.LOST,
    Kind.THROTTLED,
    Kind.CONFLICT,
    Kind.NO_ROOM,
    Kind.SERVER_ERROR,
    Kind.RESET,
    Kind.SLOW,
    Kind.TIMED_OUT,
)
OPERATORS = 2


def functions() -> dict[str, str]:
    """'organize.iceberg load' ▸ the function's name; all that take part in batches."""
    found = {f"{slice_id} {step}": naming.function(slice_id, step) for slice_id, steps in STEPS.items() for step in steps}
    return {CONDUCTOR: naming.CONDUCTOR_FUNCTION, **found}


def troubles(seed: int) -> dict[str, list[Kind]]:
    """A death and two troubles for each function, in any order; the same for the same seed."""
    chance, found = Random(seed), dict[str, list[Kind]]()
    for step in functions():
        found[step] = [chance.choice(DEATHS), *chance.sample(TROUBLES, 2)]
        chance.shuffle(found[step])
    return found


@dataclass
class Waiting:
    """The kinds of faults that a function still meets, one after another at its writes.

    struck: each with its operation; killed: the processes that died of them.
    """

    kinds: list[Kind]
    struck: list[tuple[Kind, str]] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)

    def strike(self, invocation: Invocation, operation: str) -> Kind | None:
        service, _, call = operation.partition(".")
        if not self.kinds or call.startswith(READS) or self.has_no_room or (self.kinds[0] in CONFLICTS and service != "dynamodb"):
            return None
        return self.strikes(operation)

    @property
    def has_no_room(self) -> bool:
        """Whether its next call is to be refused."""
        return self.kinds[:1] == [Kind.NO_ROOM]

    def strikes(self, operation: str) -> Kind:
        """The next kind, which is over."""
        self.struck.append((self.kinds[0], operation))
        return self.kinds.pop(0)


class FunctionLane(Lane):
    """A deployed function behind its door."""

    def __init__(self, step: str, waiting: Waiting) -> None:
        super().__init__(waiting, lambda *_: None)
        self.waiting, self.invocation = waiting, Invocation(0, "", "", step, step, 0)


class FunctionDoor(AwsDoor):
    """Before a deployed function, whose calls are signed for this door's address, and whose process is known by its connection."""

    _lane: FunctionLane

    async def listen(self) -> int:
        outbound = self._microburst.upstream._outbound_headers

        def signed(request: web.Request) -> dict[str, str]:
            return {**outbound(request), "host": request.headers["Host"]}

        self._microburst.upstream._outbound_headers = signed
        return await super().listen()

    def _kill(self, request: web.Request, pid: int) -> web.Response:
        port = request.transport.get_extra_info("peername")[1] if request.transport else 0
        pid = next(c.pid for c in psutil.net_connections("tcp4") if c.laddr.port == port and c.pid not in (None, os.getpid()))
        self._lane.waiting.killed.append(pid)
        return super()._kill(request, pid)


@contextlib.contextmanager
def faltering(deployed: Deployed, kinds: Mapping[str, Sequence[Kind]]) -> Iterator[dict[str, Waiting]]:
    """The functions behind doors, until the block ends."""
    stack, client = deployed.demo.stack, deployed.demo.target.session.client("lambda")
    doors = Doors(stack.endpoint, stack.ca_bundle, stack.postgres_port, FunctionDoor)
    waiting, before = {step: Waiting(list(some)) for step, some in kinds.items()}, dict[str, dict[str, str]]()
    rooms: Rooms | None = None
    try:
        for step, name in functions().items():
            lane = doors.open(FunctionLane(step, waiting[step]))
            before[name] = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            variables = {**before[name], "AWS_ENDPOINT_URL": f"http://127.0.0.1:{lane.aws_port}"}
            client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        rooms = Rooms(deployed.demo.target.session, {name: waiting[step] for step, name in functions().items()})
        yield waiting
    finally:
        if rooms:
            rooms.close()
        for name, variables in before.items():
            client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        doors.close()
        for _ in range(2):  # one may have begun before
            _saved(stack)


def _saved(stack: EmbeddedAws) -> None:
    """Has the emulator write its functions to disk: a stop would forget what they are now."""
    path, record = stack.folders.aws / "state" / "lambda.json", stack.folders.read().gateway
    before, gateway = path.stat().st_mtime if path.exists() else 0, record.find() if record else None
    assert gateway, "it does not run"
    gateway.send_signal(signal.SIGUSR1)
    wait_until(lambda: path.exists() and path.stat().st_mtime > before, 120, "the embedded AWS saves nothing")


def start_by_hand(deployed: Deployed, operators: int = OPERATORS) -> list[str]:
    """Operators who start every flow at the same moment; their executions."""
    target, client = deployed.demo.target, deployed.demo.target.session.client("stepfunctions")

    def start(flow: Flow) -> str:
        arn, body = target.state_machine_arn(flow.slice_id), json.dumps({"flow": flow.id})
        return str(client.start_execution(stateMachineArn=arn, input=body)["executionArn"])

    flows = [flow for flow in deployed.program.flows.values() for _ in range(operators)]
    with ThreadPoolExecutor(len(flows)) as pool:
        return list(pool.map(start, flows))


def stop_hard(stack: EmbeddedAws) -> None:
    """SIGKILL for the emulator, for the functions that run in it, and for the database."""
    state = stack.folders.read()
    for record in (state.gateway, state.postgres):
        process = record.find() if record else None
        assert process, "it does not run"
        family = [process, *process.children(recursive=True)]
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
        psutil.wait_procs(family, 30)


def start_again(stack: EmbeddedAws) -> None:
    """As `atoll local up` does."""
    again = embedded.up(stack.folders.root)
    assert (again.endpoint, again.postgres_port) == (stack.endpoint, stack.postgres_port)


def running(deployed: Deployed) -> list[str]:
    """The executions that run, by the names of their state machines."""
    client, target = deployed.demo.target.session.client("stepfunctions"), deployed.demo.target
    machines = {slice_id: target.state_machine_arn(slice_id) for slice_id in STEPS}
    return [
        slice_id
        for slice_id, arn in machines.items()
        for _ in client.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]
    ]


def made_twice(deployed: Deployed, since: datetime) -> list[str]:
    """Completed batches of which there are two events, and batches of which one token made two snapshots."""
    session, found = deployed.demo.target.session, Counter[str]()
    for event in deployed.demo.target.reader.events(since, datetime.now(UTC)):
        if event.kind == EventKind.BATCH_COMPLETED:
            found.update(f"event of {event.flow} from {event.detail['start']}: {name}" for name in event.detail["datasets"])
    glue, s3 = session.client("glue"), session.client("s3")
    for database in glue.get_databases()["DatabaseList"]:
        for table in glue.get_tables(DatabaseName=database["Name"])["TableList"]:
            bucket, key = table["Parameters"]["metadata_location"].removeprefix("s3://").split("/", 1)
            snapshots = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())["snapshots"]
            found.update(f"snapshot of {table['Name']}: {made}" for one in snapshots if (made := Identity.read(one["summary"])))
    return [what for what, count in found.items() if count > 1]


def wrong(deployed: Deployed, since: datetime) -> list[str]:
    """What is not as it should be, once all batches are made that end by now; `since` when nothing was yet."""
    deployed.demo.wait(deployed.program, floor(datetime.now(UTC), 60) + MINUTE, "the batches after it")
    found = [f"published.{d.table}: {d.missing} rows missing, {d.unexpected} unexpected" for d in deployed.differences()]
    verified = state_command(deployed.demo.stack, "verify", "--json")
    found += [f"state verify: {one}" for one in verified["differences"]]
    found += [f"state verify did not look at {what}" for what in verified["not_compared_with"]]
    return found + made_twice(deployed, since)
