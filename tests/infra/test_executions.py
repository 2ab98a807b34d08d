"""The state machines as they run: real executions on the embedded AWS, over functions that do as each table's state says."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra import workflows
from infra.embedded import EmbeddedAws
from infra.workflows import Machine

pytestmark = pytest.mark.xdist_group("emulator")
DEADLINE_SECONDS = 60
STEPS = {
    "collect": ("plan", "extract", "commit"),
    "organize": ("plan", "load", "refresh", "check", "commit"),
    "harness": ("plan", "diff", "publish", "commit"),
}
# state['fails'] maps a step to the error it raises; state['rounds'] is how often extract or publish must be called.
CODE = """
import os
STEP = os.environ["STEP"]
rounds = {}

def handle(event, context):
    if STEP == "plan":
        return plan(event["input"], event["owner"])
    error = event.get("fails", {}).get("record" if STEP == "commit" and "error" in event else STEP)
    if error:
        raise type(error, (Exception,), {})(f"{STEP} of {event['dataset']} failed")
    if STEP == "commit":
        status = {"status": "FAILED", "error": event["error"]["Error"]} if "error" in event else {"status": "COMMITTED"}
        return {"dataset": event["dataset"], **status}
    if STEP in ("extract", "publish"):
        key = (event["dataset"], event.get("part"))
        rounds[key] = rounds.get(key, 0) + 1
        return {**event, "done": rounds[key] >= event.get("rounds", 1)}
    return {**event, "expectations": event.get("expectations", 0)}

def plan(wanted, owner):
    assert ":execution:" in owner, owner
    if "raises" in wanted:
        raise type(wanted["raises"], (Exception,), {})("plan failed")
    for state in wanted.get("work", []):
        state["filler"] = "x" * wanted.get("bytes", 0)
    return {"batches": wanted.get("batches", []), "work": wanted.get("work", []), "failed": wanted.get("failed", []), "committed": []}
"""
Start = Callable[[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def start(local_aws: EmbeddedAws) -> Iterator[Start]:
    """Starts a stage's machine with an input and waits for its end."""
    session = local_aws.session()
    lambda_, states, iam = (session.client(name) for name in ("lambda", "stepfunctions", "iam"))
    role = _role(iam)
    machines = {}
    for stage, steps in STEPS.items():
        functions = {step: _function(lambda_, role, stage, step) for step in steps}
        itself = f"arn:aws:states:{local_aws.region}:{local_aws.account}:stateMachine:test-{stage}"
        build = getattr(workflows, f"{stage}_workflow")
        definition = json.dumps(build(Machine(functions, itself)))
        states.create_state_machine(name=f"test-{stage}", definition=definition, roleArn=role)
        machines[stage] = itself

    def run(stage: str, wanted: Any) -> dict[str, Any]:
        arn = states.start_execution(stateMachineArn=machines[stage], input=json.dumps(wanted))["executionArn"]
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (found := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < deadline, "the execution does not end"
            time.sleep(0.05)
        return found

    yield run
    for arn in machines.values():
        states.delete_state_machine(stateMachineArn=arn)


def _role(iam: Any) -> str:
    def statement(action: Any, **more: Any) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, **more}]})

    services = ["lambda.amazonaws.com", "states.amazonaws.com"]
    trust = statement("sts:AssumeRole", Principal={"Service": services})
    arn = iam.create_role(RoleName="test-machines", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    actions = ["lambda:InvokeFunction", "states:StartExecution", "states:DescribeExecution", "logs:PutLogEvents"]
    iam.put_role_policy(RoleName="test-machines", PolicyName="all", PolicyDocument=statement(actions, Resource="*"))
    return str(arn)


def _function(lambda_: Any, role: str, stage: str, step: str) -> str:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("fake.py", CODE)
    made = lambda_.create_function(
        FunctionName=f"test-{stage}-{step}",
        Runtime="python3.13",
        Role=role,
        Handler="fake.handle",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"STEP": step}},
        Timeout=30,
    )
    return str(made["FunctionArn"])


def table(name: str, **more: Any) -> dict[str, Any]:
    return {"flow": "f", "dataset": name, "start": "a", "end": "b", "token": 1, "program": "p", "rerun": False, "parts": [0], **more}


def test_nothing_to_do_succeeds(start):
    assert start("collect", {})["status"] == "SUCCEEDED"


def test_tables_are_extracted_part_by_part_until_done_and_committed(start):
    ended = start("collect", {"work": [table("a", parts=[0, 1], rounds=2), table("b", parts=[])]})
    assert ended["status"] == "SUCCEEDED", ended
    assert json.loads(ended["output"]) == {"failed": []}


def test_a_failing_table_does_not_hold_back_the_others_and_fails_the_execution_at_its_end(start):
    work = [table("bad", fails={"extract": "DefinitionError"}), table("good"), table("late", fails={"commit": "ValueError"})]
    ended = start("collect", {"work": work})
    assert (ended["status"], ended["error"]) == ("FAILED", "BatchFailed")
    assert ended["cause"] == "bad: DefinitionError; late: ValueError"


def test_a_table_that_another_worker_has_taken_ends_quietly(start):
    work = [table("taken", fails={"extract": "StaleToken"}), table("done", fails={"commit": "AlreadyCommitted"})]
    assert start("collect", {"work": work})["status"] == "SUCCEEDED"


def test_a_table_that_is_taken_while_its_failure_is_recorded_ends_quietly(start):
    work = [table("taken", fails={"extract": "DefinitionError", "record": "StaleToken"})]
    assert start("collect", {"work": work})["status"] == "SUCCEEDED"


def test_a_failure_that_cannot_be_recorded_still_fails_the_execution(start):
    ended = start("collect", {"work": [table("x", fails={"extract": "DefinitionError", "record": "ValueError"})]})
    assert (ended["status"], ended["cause"]) == ("FAILED", "x: DefinitionError, and recording it failed")


def test_what_plan_could_not_plan_fails_the_execution_after_the_others_are_done(start):
    ended = start("collect", {"work": [table("good")], "failed": [{"dataset": "gone", "error": "DefinitionError: no such table"}]})
    assert ended["cause"] == "gone: DefinitionError: no such table"


def test_a_plan_that_fails_fails_the_execution_with_its_own_error(start):
    ended = start("collect", {"raises": "InputError"})
    assert (ended["status"], ended["error"]) == ("FAILED", "InputError")
    assert json.loads(ended["cause"])["errorMessage"] == "plan failed"


def test_several_batches_run_one_by_one_and_one_failure_does_not_stop_the_next(start):
    bad = {"flow": "f", "start": "2026-01-01", "failed": [{"dataset": "x", "error": "y"}]}
    good = {"flow": "g", "start": "2026-01-02", "work": [table("a")]}
    ended = start("collect", {"batches": [good, bad, good]})
    assert ended["cause"] == "f from 2026-01-01: see the execution of this batch"
    assert start("collect", {"batches": [good, good]})["status"] == "SUCCEEDED"


def test_organize_loads_refreshes_and_checks_only_what_is_expected_of(start):
    work = [
        table("loaded", kind="load", fails={"refresh": "ValueError", "check": "ValueError"}),
        table("view", kind="refresh", fails={"load": "ValueError", "check": "ValueError"}),
        table("checked", kind="refresh", expectations=1, fails={"check": "DefinitionError"}),
    ]
    assert start("organize", {"work": work})["cause"] == "checked: DefinitionError"


def test_harness_publishes_until_done(start):
    work = [table("a", rounds=3), table("b", fails={"publish": "SecretError"})]
    assert start("harness", {"work": work})["cause"] == "b: SecretError"


def test_a_plan_that_no_state_machine_carries_ends_the_execution_whatever_is_caught(start):
    """As in AWS: so a step refuses to answer with more than is carried (`LambdaHandler`)."""
    ended = start("collect", {"work": [table("a", parts=[])], "bytes": 262_144})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")
    assert start("collect", {"work": [table("a", parts=[])], "bytes": 250_000})["status"] == "SUCCEEDED"
