"""Slices that wait, as they run: the real steps in functions of the embedded AWS, called by the real state machines."""

from __future__ import annotations

import io
import json
import sys
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra import workflows
from infra.embedded import EmbeddedAws
from infra.workflows import Machine
from shared_metadata.program.intervals import floor, to_text
from shared_metadata.store.reader import MetadataReader
from shared_metadata.store.table_reader import utc_now
from shared_metadata.store.writer import MetadataWriter
from tests.conformance.fixtures import create_metadata_table
from tests.waiting.remote import Remote
from tests.waiting.slices import COLLECT, HOUR, LOAD, PUBLISH, RESULT, SLICES, STAGED, TABLE, program

pytestmark = [pytest.mark.xdist_group("emulator"), pytest.mark.budget(60)]
ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 240
ENTRY = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom tests.waiting.handlers import handle\n"
STAGES = {COLLECT: "collect", LOAD: "organize", RESULT: "organize", PUBLISH: "harness"}
ROWS = [1, 2, 11, 12]
PURPOSES = ["copy", "count", "diff", "insert", "insert", "publish", "select", "unload", "unload"]


class Account:
    """The tests' own slices, deployed: their functions, and the state machines that infra.workflows makes of them."""

    def __init__(self, aws: EmbeddedAws, folder: Path) -> None:
        self._session, self._aws, self._name = aws.session(), aws, f"waiting-{uuid.uuid4().hex[:8]}"
        self._lambda, self._iam, self._states = (self._session.client(name) for name in ("lambda", "iam", "stepfunctions"))
        self.remote = Remote(folder / "remote.sqlite")
        dynamodb = self._session.client("dynamodb")
        create_metadata_table(dynamodb, self._name)
        self._bucket = self._session.resource("s3").Bucket(self._name)
        self._bucket.create()
        self.writer, self.reader = MetadataWriter(dynamodb, self._name), MetadataReader(dynamodb, self._name)
        self._dynamodb = dynamodb
        self._role = self._made_role()
        self._machines = {stage: self._machine(stage) for stage in SLICES}

    def begin(self) -> None:
        """As if nothing had ever run."""
        self.remote.forget()
        self.remote.shall("need", 1)
        self._bucket.objects.all().delete()
        for page in self._dynamodb.get_paginator("scan").paginate(TableName=self._name):
            for item in page["Items"]:
                self._dynamodb.delete_item(TableName=self._name, Key={"pk": item["pk"], "sk": item["sk"]})
        self.writer.put_program(program())
        self.writer.activate(program(), former_version="")

    def remove(self) -> None:
        for arn in self._machines.values():
            self._states.delete_state_machine(stateMachineArn=arn)
        for declaration in SLICES.values():
            for step in declaration.steps:
                self._lambda.delete_function(FunctionName=self._function_name(declaration.stage, step))

    def start(self, flow: str, **more: Any) -> str:
        """An execution of the flow's batch of the hour before."""
        end = floor(utc_now(), HOUR)
        asked = {"flow": flow, "start": to_text(end - timedelta(seconds=HOUR)), "end": to_text(end)}
        machine = self._machines[STAGES[flow]]
        return str(self._states.start_execution(stateMachineArn=machine, input=json.dumps({**asked, **more}))["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        until = time.monotonic() + DEADLINE_SECONDS
        while (found := self._states.describe_execution(executionArn=execution))["status"] == "RUNNING":
            assert time.monotonic() < until, f"the execution does not end: {self.remote.statements()}"
            time.sleep(0.05)
        return dict(found)

    def run(self, flow: str, **more: Any) -> dict[str, Any]:
        return self.ended(self.start(flow, **more))

    def calls(self, execution: str) -> int:
        """How often an execution has called a function."""
        pages = self._states.get_paginator("get_execution_history").paginate(executionArn=execution)
        return [event["type"] for page in pages for event in page["events"]].count("TaskScheduled")

    def wait_for(self, purpose: str) -> None:
        """Until a statement runs."""
        until = time.monotonic() + DEADLINE_SECONDS
        while purpose not in self.remote.purposes("runs"):
            assert time.monotonic() < until, f"{purpose} is not submitted"
            time.sleep(0.02)

    def _machine(self, stage: str) -> str:
        name, declaration = f"{self._name}-{stage}", SLICES[stage]
        itself = f"arn:aws:states:{self._aws.region}:{self._aws.account}:stateMachine:{name}"
        functions = {step: self._function(stage, step) for step in declaration.steps}
        machine = Machine(functions, itself, parts_at_once=40, waits=frozenset(declaration.waits))
        definition = json.dumps(getattr(workflows, f"{stage}_workflow")(machine))
        self._states.create_state_machine(name=name, definition=definition, roleArn=self._role)
        return itself

    def _function_name(self, stage: str, step: str) -> str:
        return f"{self._name}-{stage}-{step}"

    def _function(self, stage: str, step: str) -> str:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as content:
            content.writestr("entry.py", ENTRY)
        variables = {"ATOLL_SLICE_ID": SLICES[stage].id, "ATOLL_METADATA_TABLE": self._name, "ATOLL_DATA_BUCKET": self._name}
        made = self._lambda.create_function(
            FunctionName=self._function_name(stage, step),
            Runtime=f"python3.{sys.version_info.minor}",
            Role=self._role,
            Handler="entry.handle",
            Code={"ZipFile": archive.getvalue()},
            Environment={"Variables": {**variables, "STEP": step, "REMOTE": str(self.remote.path)}},
            Timeout=30,
        )
        return str(made["FunctionArn"])

    def _made_role(self) -> str:
        def statement(action: Any, **more: Any) -> str:
            return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, **more}]})

        trust = statement("sts:AssumeRole", Principal={"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]})
        arn = self._iam.create_role(RoleName=self._name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        actions = ["lambda:InvokeFunction", "dynamodb:*", "s3:*", "logs:*"]
        self._iam.put_role_policy(RoleName=self._name, PolicyName="all", PolicyDocument=statement(actions, Resource="*"))
        return str(arn)


@pytest.fixture(scope="module")
def deployed(local_aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    made = Account(local_aws, tmp_path_factory.mktemp("waiting"))
    yield made
    made.remove()


@pytest.fixture
def account(deployed: Account) -> Account:
    deployed.begin()
    return deployed


def test_all_three_stages_wait_and_publish_what_was_collected(account: Account) -> None:
    for flow in STAGES:
        ended = account.run(flow)
        assert ended["status"] == "SUCCEEDED", ended
    assert sorted(account.remote.rows(PUBLISH)) == sorted(account.remote.rows(TABLE)) == ROWS
    assert sorted(account.remote.purposes()) == sorted(account.remote.purposes("done")) == PURPOSES
    tables = [table for state in account.reader.flow_states([*STAGES]).values() for table in state.tables.values()]
    assert {table.attempts for table in tables} == {0}


def test_a_step_is_called_once_for_each_look_and_never_more(account: Account) -> None:
    account.run(COLLECT)
    account.remote.shall("need", 2)
    waited = account.start(LOAD)
    assert account.ended(waited)["status"] == "SUCCEEDED"
    account.remote.shall("need", 0)
    not_waited = account.start(LOAD, rerun=True)
    assert account.ended(not_waited)["status"] == "SUCCEEDED"
    plan, load_check_commit = 1, 3
    assert account.calls(waited) == plan + 3 * load_check_commit
    assert account.calls(not_waited) == plan + load_check_commit
    assert {one["looks"] for one in account.remote.statements() if one["purpose"] in ("copy", "count", "insert")} == {3, 1}


@pytest.mark.deep
@pytest.mark.parametrize("flow", [COLLECT, PUBLISH])
def test_a_function_that_dies_after_it_submitted_submits_once(account: Account, flow: str) -> None:
    """Its process ends, its answer is lost; the state machine calls the step again."""
    before = [*STAGES][: [*STAGES].index(flow)]
    account.remote.shall("need", 0)
    for other in before:
        account.run(other)
    account.remote.shall("need", 1)
    account.remote.shall("die", "exit")
    assert account.run(flow)["status"] == "SUCCEEDED"
    assert account.remote.wanted("die") is None and max(Counter(one["token"] for one in account.remote.statements()).values()) == 1
    assert len(account.remote.purposes()) == {COLLECT: 2, PUBLISH: 9}[flow]


@pytest.mark.deep
def test_a_statement_that_an_administrator_cancels_fails_its_table_by_its_name(account: Account) -> None:
    account.run(COLLECT)
    account.remote.shall("need", 1000)
    arn = account.start(LOAD)
    account.wait_for("copy")
    account.remote.cancel_all("the month's quota is used up")
    ended = account.ended(arn)
    assert ended["status"] == "FAILED" and TABLE in ended["cause"]
    outcome = account.reader.batches(LOAD, TABLE)[0].outcomes[TABLE]
    assert "remote statement s-3 was cancelled by somebody else: the month's quota is used up" in outcome.error
    assert account.reader.flow_states([LOAD])[LOAD].tables[TABLE].attempts == 1


@pytest.mark.deep
def test_what_exceeds_its_limit_is_cancelled_and_the_error_names_object_limit_and_remedy(account: Account) -> None:
    account.run(COLLECT)
    account.remote.shall("need", 1000)
    account.remote.shall("limit", 3)
    assert account.run(LOAD)["status"] == "FAILED"
    error = account.reader.batches(LOAD, TABLE)[0].outcomes[TABLE].error
    assert f"{TABLE}: remote statement s-3 was not done within 3 s, and is cancelled Remedy: " in error
    assert account.remote.purposes("cancelled") == ["copy"]


@pytest.mark.deep
def test_a_batch_that_is_staged_again_while_its_load_waits_is_loaded_as_it_was_planned(account: Account) -> None:
    account.run(COLLECT)
    account.remote.shall("need", 6)
    loads = account.start(LOAD)
    account.wait_for("copy")
    account.remote.shall("need", 0)
    assert account.run(COLLECT, rerun=True)["status"] == "SUCCEEDED"
    assert account.ended(loads)["status"] == "SUCCEEDED"
    staged, loaded = account.reader.latest_version(STAGED), account.reader.latest_version(TABLE)
    assert staged and loaded and (staged.token, loaded.token) == (2, 1)
    assert account.run(LOAD, rerun=True)["status"] == "SUCCEEDED"
    loaded = account.reader.latest_version(TABLE)
    assert loaded and loaded.token == 2 and sorted(account.remote.rows(TABLE)) == ROWS
