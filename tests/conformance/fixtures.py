"""What every conformance suite stands on: an emulated AWS account of its own for each test, a fake Lambda context, and a
walk through a slice's steps as its state machine takes it."""

from __future__ import annotations

import importlib
import json
import time
import uuid
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import aiobotocore.session
import boto3
import pytest
from aiobotocore.session import AioSession

from shared_metadata import naming
from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.landed import STEP, Landed, LandedStep
from shared_metadata.contract.runtime.environment import Environment
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.steps import Steps
from shared_metadata.contract.tasks import process
from shared_metadata.program import Program
from shared_metadata.program.intervals import Interval, to_text
from shared_metadata.store import access
from shared_metadata.store.reader import MetadataReader
from shared_metadata.store.writer import MetadataWriter
from tests.memory.clients import QuickSession, awaiting
from tests.memory.dynamodb import MemoryDynamoDB
from tests.memory.glue import MemoryGlue
from tests.memory.s3 import MemoryS3
from tests.memory.s3_door import serve
from tests.memory.secrets import MemorySecrets

REGION = "eu-central-1"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_granted: ContextVar[access.Access | None] = ContextVar("granted", default=None)
BESIDE: dict[str, Any] = {}  # services that a suite puts into memory beside these, by name
NOWHERE = "http://nothing-answers-here.invalid"  # for what is asked of a service that is not in memory
MAX_CALLS = 1000  # of one resumable step: more is a loop that gets nowhere


@cache
def shared_session() -> boto3.Session:
    """One for all tests, for it is dear to make. Its clients ask services in memory.

    That slices find there what they find in AWS is what suites of their own say, which moto and the embedded AWS pass too.
    """
    return session_with("testing")


def session_with(secret_key: str) -> boto3.Session:
    """A session of its own credentials that asks the same services."""
    in_memory = {"dynamodb": _dynamodb(), "glue": _glue(), "s3": _s3(), "secretsmanager": _secrets()}
    return QuickSession(ChainMap(in_memory, BESIDE), aws_secret_access_key=secret_key, region_name=REGION)


@cache
def _dynamodb() -> MemoryDynamoDB:
    return MemoryDynamoDB()


@cache
def _glue() -> MemoryGlue:
    return MemoryGlue()


@cache
def _s3() -> MemoryS3:
    return MemoryS3()


@cache
def _secrets() -> MemorySecrets:
    return MemorySecrets()


@cache
def _s3_url() -> str:
    """DuckDB asks by HTTP."""
    return serve(_s3())


class _AioSession(AioSession):  # type: ignore[misc]
    """What s3fs asks with."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        awaiting(self.get_component("event_emitter"), _s3())


class FakeContext:
    """A Lambda context whose remaining time the test sets."""

    def __init__(self, remaining_seconds: float = 900.0, request_id: str = "") -> None:
        self.remaining_seconds = remaining_seconds
        self.aws_request_id = request_id or uuid.uuid4().hex

    def get_remaining_time_in_millis(self) -> int:
        return int(self.remaining_seconds * 1000)


class SettableClock:
    """The time as the test sets it."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **length: float) -> None:
        self.now += timedelta(**length)


class Cloud:
    """One test's AWS: a metadata table and a data bucket of its own, and the services of a slice over them."""

    def __init__(self) -> None:
        self.session = shared_session()
        self.clock, identity = SettableClock(), uuid.uuid4().hex[:12]
        self.has_task = 0  # 1 where the functions have tasks to go on in
        self.table, self.bucket = f"metadata-{identity}", f"data-{identity}"
        self.dynamodb, self.s3 = self.session.client("dynamodb"), self.session.client("s3")
        self.writer = MetadataWriter(self.dynamodb, self.table, self.clock)
        create_metadata_table(self.dynamodb, self.table)
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})

    @property
    def reader(self) -> MetadataReader:
        return MetadataReader(self.dynamodb, self.table)

    def services(self, slice_id: str) -> Services:
        """As a fresh Lambda process of the slice makes them."""
        services = Services(Environment(slice_id, self.table, self.bucket, 0, self.has_task), self.session, self.clock)
        services.dynamodb.meta.events.register("before-parameter-build.dynamodb", _refuse_what_is_not_granted)
        return services

    def put_secret(self, reference: str, value: Mapping[str, Any] | str) -> None:
        secrets, name = self.session.client("secretsmanager"), naming.secret(reference)
        text = value if isinstance(value, str) else json.dumps(dict(value))
        try:
            secrets.create_secret(Name=name, SecretString=text)
        except secrets.exceptions.ResourceExistsException:
            secrets.put_secret_value(SecretId=name, SecretString=text)

    def forget_secrets(self) -> None:
        _secrets().secrets.clear()

    def apply(self, program: Program) -> Program:
        """Stores and activates a program, as `atoll apply` does."""
        self.writer.put_program(program)
        self.writer.activate(program, former_version=self.reader.active_version())
        return program

    def event(self, flow: str, dataset: str = "", *, rerun: bool = False, interval: Interval | None = None) -> dict[str, Any]:
        """The conductor's input for the flow's next batch (or for `interval`), after its end."""
        state = self.reader.flow_states([flow])[flow]
        program = self.reader.active_program()
        start = state.tables[dataset or next(iter(state.tables))].watermark
        wanted = interval or Interval(start, start + timedelta(seconds=program.flows[flow].interval_seconds))
        self.clock.now = max(self.clock.now, wanted.end + timedelta(seconds=1))
        return {
            "flow": flow,
            "start": to_text(wanted.start),
            "end": to_text(wanted.end),
            **({"rerun": True} if rerun else {}),
            **({"datasets": [dataset]} if dataset else {}),
        }

    def keys(self, prefix: str = "") -> list[str]:
        """Every key in the data bucket below `prefix`."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def body(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def manifest(self, dataset: str) -> dict[str, Any]:
        """The manifest of the latest version of a staged dataset or a result."""
        version = self.reader.latest_version(dataset)
        assert version is not None, f"{dataset} has no version"
        return json.loads(self.body(version.pointer["manifest"]))  # type: ignore[no-any-return]

    def rows(self, dataset: str) -> Any:
        """The rows of the latest version of a staged dataset or a result, as a pyarrow table in file order."""
        import io

        import pyarrow as pa
        import pyarrow.parquet as pq

        tables = [pq.read_table(io.BytesIO(self.body(file["key"]))) for file in self.manifest(dataset)["files"]]
        return pa.concat_tables(tables) if tables else None


def create_metadata_table(dynamodb: Any, name: str) -> None:
    """The metadata table as its stack declares it."""
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})


def set_aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a Lambda finds in its environment, for the clients that read it themselves (boto3, s3fs, DuckDB's session)."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(aiobotocore.session, "AioSession", _AioSession)
    values = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    values |= {"AWS_ENDPOINT_URL": NOWHERE, "AWS_ENDPOINT_URL_S3": _s3_url()}
    for name, value in {**values, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)


def open_cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The body of the `cloud` fixture, for suites that define it as a method."""
    set_aws_environment(monkeypatch)
    cloud = Cloud()
    yield cloud
    cloud.forget_secrets()
    del _dynamodb().tables[cloud.table], _s3().buckets[cloud.bucket]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


@dataclass
class BatchRun:
    """What one execution did. errors: dataset ▸ the exception that its commit recorded; calls: step ▸ how often it ran.

    pauses: of the machine, in seconds, in their order.  tasks: the steps that were tasks, in theirs.
    """

    planned: Mapping[str, Any]
    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    errors: dict[str, Exception] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    pauses: list[int] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)


def run_batch(
    steps: Steps,
    event: Mapping[str, Any],
    *,
    context: Callable[[str], FakeContext] | None = None,
    record_errors: bool = False,
) -> BatchRun:
    """Walks one batch through the slice's steps as its state machine does: plan, then for each table the steps of the stage.

    context: the step's name ▸ the context of its next call.  record_errors: an exception of a table goes to commit, as the state
    machine's Catch does, and is found in `errors`; otherwise it is raised, and so is a table that failed in plan.
    """
    make = context or (lambda _: FakeContext())
    run = BatchRun(_call(steps, "plan", event, make))
    assert not run.planned["batches"], "several batches: run each of planned['batches'] by itself"
    if run.planned["failed"] and not record_errors:
        raise AssertionError(f"plan failed: {run.planned['failed']}")
    for state in run.planned["work"]:
        try:
            done = _table(steps, state, make, run)
        except Exception as error:
            if not record_errors:
                raise
            run.errors[state["dataset"]] = error
            cause = json.dumps({"errorMessage": str(error), "errorType": type(error).__name__})
            done = {**state, "error": {"Error": type(error).__name__, "Cause": cause}}
        run.results[state["dataset"]] = _until_answered(steps, "commit", done, make, run)
    return run


def _table(steps: Steps, state: Mapping[str, Any], make: Callable[[str], FakeContext], run: BatchRun) -> Mapping[str, Any]:
    stage = steps.declaration.stage
    if stage == "collect":
        for part in state["parts"]:
            _until_done(steps, "extract", {**state, "part": part}, make, run)
        return state
    if stage == "organize":
        state = _until_answered(steps, state["kind"], state, make, run)
        return _until_answered(steps, "check", state, make, run) if state["expectations"] else state
    return _until_done(steps, "publish", _until_answered(steps, "diff", state, make, run), make, run)


def _until_done(
    steps: Steps, name: str, state: Mapping[str, Any], make: Callable[[str], FakeContext], run: BatchRun
) -> Mapping[str, Any]:
    for _ in range(MAX_CALLS):
        run.calls[name] = run.calls.get(name, 0) + 1
        state = _until_answered(steps, name, state, make, run)
        if state["done"]:
            return state
    raise AssertionError(f"{name} was called {MAX_CALLS} times and is not done")


def _until_answered(
    steps: Steps, name: str, state: Mapping[str, Any], make: Callable[[str], FakeContext], run: BatchRun
) -> Mapping[str, Any]:
    """The answer of a step, which is called again after each pause that it asks for."""
    for _ in range(MAX_CALLS):
        state = _call(steps, name, state, make)
        if "task" in state:
            run.tasks.append(name)
            state = {**state, "task": {**state["task"], **by_task(steps, name, state["task"])}}
            continue
        if "waiting" not in state:
            return state
        run.pauses.append(state["waiting"]["seconds"])
        steps.services.clock.advance(seconds=run.pauses[-1])  # type: ignore[attr-defined]
    raise AssertionError(f"{name} has paused {MAX_CALLS} times and gets nowhere")


def answered(steps: Steps, name: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of one step, by its function or by a task."""
    found = dict(getattr(steps, name)(dict(state), FakeContext()))
    while "task" in found:
        found = dict(getattr(steps, name)({**found, "task": {**found["task"], **by_task(steps, name, found["task"])}}, FakeContext()))
    return found


def by_task(steps: Steps, name: str, task: Mapping[str, Any]) -> dict[str, Any]:
    """Runs what is handed over, as the process of a task does; what its state machine is told of it."""

    def ended(code: int) -> None:
        raise AssertionError(f"the task of {name} has ended itself with {code}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "2048")  # the process sets its own
        with granted(steps.declaration, name):
            code = process.run(getattr(steps, name), steps.services, task["key"], time.time(), end=ended)
    assert code == 0
    return {
        "ended": {
            "TaskArn": "arn:aws:ecs:eu-central-1:111122223333:task/atoll/0123456789abcdef",
            "StopCode": "EssentialContainerExited",
        }
    }


@contextmanager
def granted(declaration: Slice, step: str) -> Iterator[None]:
    """With the access to metadata that the role of a step has."""
    before = _granted.set(
        access.of_step(declaration.stage, step) | access.GRANT_LEASES | access.Access(reads=declaration.reads_in(step))
    )
    try:
        yield
    finally:
        _granted.reset(before)


def _refuse_what_is_not_granted(params: Mapping[str, Any], model: Any, **_: Any) -> None:
    """As IAM does for the role of the step that calls: moto knows no roles."""
    granted = _granted.get()
    for action, key in _accesses(model.name, params) if granted else ():
        writes = {"PutItem": granted.puts, "UpdateItem": granted.updates, "DeleteItem": granted.deletes}
        patterns = writes.get(action, granted.reads)
        assert any(fnmatchcase(key, pattern) for pattern in patterns), (
            f"{action} on {key!r} is not granted: shared_metadata/store/access.py"
        )


def _accesses(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each action of a call, and the partition key of its item."""
    if operation == "TransactWriteItems":
        for item in params["TransactItems"]:
            for kind, one in item.items():
                yield from _accesses(f"{kind}Item", one)
    elif operation == "BatchGetItem":
        for wanted in params["RequestItems"].values():
            yield from ((operation, key["pk"]["S"]) for key in wanted["Keys"])
    elif operation == "Query":
        yield operation, params["ExpressionAttributeValues"][":pk"]["S"]
    else:
        yield operation, (params.get("Key") or params["Item"])["pk"]["S"]


def newest_there(steps: Steps, of: Any, flows: Mapping[str, str]) -> dict[str, tuple[Interval, int] | None]:
    """What the slice's `landed` function says of each dataset: interval and token of the newest batch."""
    declaration = steps.declaration
    if STEP not in declaration.steps:
        pytest.skip(f"{declaration.id} does not declare {STEP}")
    handlers = importlib.import_module(f"slices.{declaration.id}.handlers")
    event = {"of": {"name": of.name, "system": of.system, "options": dict(of.options)}, "flows": dict(flows)}
    answer = LandedStep(declaration, steps.services, handlers.look)(json.loads(json.dumps(event)), FakeContext())
    found = {dataset: Landed.from_plain(one) if one else None for dataset, one in json.loads(json.dumps(answer))["landed"].items()}
    return {dataset: (one.interval, one.token) if one else None for dataset, one in found.items()}


def check_statistics(cloud: Cloud, flow: str, rows: int) -> None:
    """The last batch's statistics hold its rows, and figures that cannot be nothing."""
    (found,) = cloud.reader.statistics(flow, 1)
    assert found["rows"] == rows and found["seconds"] > 0 and found["skew"] >= 1.0
    assert found["gb_seconds"] > 0 and 1e-6 < found["cost_dollars"] < 0.01


def _call(steps: Steps, name: str, state: Mapping[str, Any], make: Callable[[str], FakeContext]) -> dict[str, Any]:
    """One state's call, with its role's access to metadata: input and output are JSON and stay below Step Functions' 256 KB."""
    with granted(steps.declaration, name):
        text = json.dumps(getattr(steps, name)(json.loads(json.dumps(dict(state))), make(name)))
    assert len(text) < 262_144, f"{name} returned {len(text)} bytes of state"
    return json.loads(text)  # type: ignore[no-any-return]
