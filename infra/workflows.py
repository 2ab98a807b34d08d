"""The state machines of the three stages, as plain Amazon States Language in JSONata; no CDK here.

Every machine is one frame around the stage's own states of a table:

    Plan ▸ nothing to do ▸ Done
         ▸ several batches ▸ each as an execution of its own, oldest first ▸ Outcome
         ▸ one batch ▸ its tables beside one another ▸ Outcome ▸ Done | Failed

A step that waits for work elsewhere is called again after a pause (`_step`): only where its slice declares it has the machine pauses.
One that has a task answers that it is to be run, or is lost; then it is called again, with what became of it (`task_states.py`).
A table that fails records its failure and lets the others go on; the execution fails at its end, when all others are done.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.task_states import HANDED_OVER, TaskPlace, catching, with_task
from shared_metadata.aws import later
from shared_metadata.contract.sizes import MOST_CALLS
from shared_metadata.errors import AlreadyCommitted, RetryLater, StaleToken, Unfinished, WaitForAws

State = dict[str, Any]
States = dict[str, State]

TASK_TIMEOUT_SECONDS = 960  # a function runs 900 at most
WEEK_SECONDS = 7 * 86400
# Tables that wait, or are tasks, do so beside one another; a Map has no more at once, and those behind would outlast their lease:
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-asl-use-map-state-inline.html
MOST_AT_ONCE = 40
CAUSE_LIMIT = 30_000  # a Fail state's cause may have 32,768 characters

DONE = "{% $states.input.done %}"
WAITING = "{% $exists($states.input.waiting) %}"
# Whether all tables that could not be recorded are for later. The conductor reads it of those only: what is recorded is counted.
ONLY_LATER = "$count($states.input.failed[later = true]) > 0 and $count($states.input.failed[later = false]) = 0"
LOST_ERRORS = ["States.Timeout", "Sandbox.Timedout", "Runtime.ExitError", "Lambda.Unknown"]
TAKEN_ERRORS = [StaleToken.__name__, AlreadyCommitted.__name__]

# What StartExecution answers when it is asked too much, or when too many executions are open.
START_ERRORS = [f"StepFunctions.{name}Exception" for name in ("ExecutionLimitExceeded", "SdkClient", "Throttling")]

# Later is no failure: some two and a half hours, with pauses of two and a half minutes at a mean. Each try is a handful of the 25,000
# events that an execution may have. What waits longer fails the execution, is told by its alarm, and is not counted (later.py).
LATER = {
    "ErrorEquals": [*later.NAMES],
    "IntervalSeconds": 3,
    "BackoffRate": 2,
    "MaxDelaySeconds": 300,
    "MaxAttempts": 60,
    "JitterStrategy": "FULL",
}
RETRY = [
    {"ErrorEquals": [Unfinished.__name__], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": MOST_CALLS},
    {
        "ErrorEquals": [RetryLater.__name__],
        "IntervalSeconds": 10,
        "BackoffRate": 2,
        "MaxDelaySeconds": 300,
        "MaxAttempts": 5,
        "JitterStrategy": "FULL",
    },
    LATER,
    {"ErrorEquals": LOST_ERRORS, "IntervalSeconds": 5, "BackoffRate": 2, "MaxAttempts": 2, "JitterStrategy": "FULL"},
]


@dataclass(frozen=True)
class Machine:
    """What a workflow is built from.

    functions: the ARN of each step's function.  itself: the state machine's own ARN, for several batches.
    tables_at_once, parts_at_once: how many run beside one another.  waits: the steps that may wait (`Slice.waits`).
    tasks: those that may run as tasks of Fargate, and where."""

    functions: Mapping[str, str]
    itself: str
    partition: str = "aws"
    tables_at_once: int = 4
    parts_at_once: int = 4
    waits: frozenset[str] = frozenset()
    tasks: Mapping[str, TaskPlace] = field(default_factory=dict)


def collect_workflow(machine: Machine) -> dict[str, Any]:
    """plan ▸ for each table: extract its parts, each until done ▸ commit."""
    extract = {
        **_step(machine, "extract", "Extract", {DONE: "PartDone"}, catch=[]),
        "PartDone": {"Type": "Succeed"},
    }
    parts = {
        "Type": "Map",
        "Items": "{% $states.input.parts %}",
        "ItemSelector": "{% $merge([$sift($states.input, function($v, $k) { $k != 'parts' }), "
        "{'part': $states.context.Map.Item.Value}]) %}",
        "MaxConcurrency": machine.parts_at_once,
        "ItemProcessor": _inline("Extract", extract),
        "Output": "{% $states.input %}",
        "Catch": _catch(),
        "Next": "Commit",
    }
    return _frame(machine, "collect", "Parts", {"Parts": parts})


def organize_workflow(machine: Machine) -> dict[str, Any]:
    """plan ▸ for each table: load or refresh ▸ check, if anything is expected of it ▸ commit.

    A slice that computes in another's warehouses loads nothing.
    """
    expected = {"{% $states.input.expectations > 0 %}": "Check"}
    states = {**_step(machine, "refresh", "Commit", expected), **_step(machine, "check", "Commit")}
    if "load" not in machine.functions:
        return _frame(machine, "organize", "Refresh", states)
    kind = _choice({"{% $states.input.kind = 'load' %}": "Load"}, "Refresh")
    return _frame(machine, "organize", "Kind", {"Kind": kind, **_step(machine, "load", "Commit", expected), **states})


def harness_workflow(machine: Machine) -> dict[str, Any]:
    """plan ▸ for each table: diff ▸ publish until done ▸ commit."""
    states = {**_step(machine, "diff", "Publish"), **_step(machine, "publish", "Publish", {DONE: "Commit"})}
    return _frame(machine, "harness", "Diff", states)


def verify_workflow(function: str, partition: str) -> dict[str, Any]:
    """One state: the function, again until all is verified.  function: its ARN."""
    machine = Machine({"verify": function}, "", partition)
    payload = {"input": "{% $states.input %}", "owner": "{% $states.context.Execution.Id %}"}
    return {
        "Comment": "Atoll verify: start it with {}; `atoll state verify --last` shows what it found",
        "QueryLanguage": "JSONata",
        "StartAt": "Verify",
        "TimeoutSeconds": WEEK_SECONDS,
        "States": {"Verify": _task(machine, "verify", payload) | {"End": True}},
    }


def _frame(machine: Machine, stage: str, start_at: str, states: States) -> dict[str, Any]:
    return {
        "Comment": f'Atoll {stage}: start it with {{}}, {{"flow": "…"}}, or {{"flow": "…", "from": "…", "to": "…"}}',
        "QueryLanguage": "JSONata",
        "StartAt": "Plan",
        "TimeoutSeconds": WEEK_SECONDS,
        "States": {
            "Plan": _plan(machine),
            "Planned": _choice(
                {
                    "{% $count($states.input.batches) > 0 %}": "Batches",
                    "{% $count($states.input.work) + $count($states.input.failed) > 0 %}": "Tables",
                },
                "Done",
            ),
            "Batches": _batches(machine),
            "Tables": {
                "Type": "Map",
                "Items": "{% $states.input.work %}",
                "MaxConcurrency": MOST_AT_ONCE if machine.waits or machine.tasks else machine.tables_at_once,
                "ItemProcessor": _inline(start_at, {**states, **_ending(machine)}),
                "Output": {"failed": "{% [$states.input.failed, $states.result[status = 'FAILED']] %}"},
                "Next": "Outcome",
            },
            "Outcome": _choice({"{% $count($states.input.failed) > 0 %}": "Failed"}, "Done"),
            "Failed": {
                "Type": "Fail",
                "Error": f"{{% {ONLY_LATER} ? '{WaitForAws.__name__}' : 'BatchFailed' %}}",
                "Cause": f"{{% $substring($join([$states.input.failed.(dataset & ': ' & error)], '; '), 0, {CAUSE_LIMIT}) %}}",
            },
            "Done": {"Type": "Succeed"},
        },
    }


def _plan(machine: Machine) -> State:
    """The input is handed on as it is, beside the execution's id, which owns the batch's lease."""
    payload = {"input": "{% $states.input %}", "owner": "{% $states.context.Execution.Id %}"}
    return _task(machine, "plan", payload) | {"Next": "Planned"}


def _batches(machine: Machine) -> State:
    batch = {
        "Type": "Task",
        "Resource": f"arn:{machine.partition}:states:::states:startExecution.sync:2",
        "Arguments": {"StateMachineArn": machine.itself, "Input": "{% $states.input %}"},
        "Output": {"failed": []},
        "Retry": [LATER | {"ErrorEquals": START_ERRORS}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.input %}", "Next": "BatchFailed"}],
        "End": True,
    }
    failed = {
        "Type": "Pass",
        "Output": {
            "failed": [
                {
                    "dataset": "{% $states.input.flow & ' from ' & $states.input.start %}",
                    "error": "see the execution of this batch",
                }
            ]
        },
        "End": True,
    }
    return {
        "Type": "Map",
        "Items": "{% $states.input.batches %}",
        "MaxConcurrency": 1,
        "ItemProcessor": _inline("Batch", {"Batch": batch, "BatchFailed": failed}),
        "Output": {"failed": "{% [$states.result.failed] %}"},
        "Next": "Outcome",
    }


def _ending(machine: Machine) -> States:
    """How a table ends: committed, recorded as failed, or done by another worker meanwhile.

    Where AWS had no room for hours even for recording it, the execution's own error says that it is for later. Only a table that was
    not recorded has `later`, true or false.
    """
    unrecorded = {
        "ErrorEquals": [*later.NAMES],
        "Output": "{% $merge([$states.input, {'later': true}]) %}",
        "Next": "NotRecorded",
    }
    dataset = "{% $states.input.dataset %}"
    lost = "{% $states.input.error.Error & ', and recording it failed' %}"
    return {
        **_commit(machine),
        "RecordFailure": _task(machine, "commit") | {"Catch": [unrecorded, *_catch("NotRecorded", keep=True)], "End": True},
        "NotRecorded": {
            "Type": "Pass",
            "Output": {"dataset": dataset, "status": "FAILED", "error": lost, "later": "{% $states.input.later = true %}"},
            "End": True,
        },
        "Taken": {"Type": "Pass", "Output": {"dataset": dataset, "status": "TAKEN"}, "End": True},
    }


def _commit(machine: Machine) -> States:
    if "commit" not in machine.waits and "commit" not in machine.tasks:
        return {"Commit": _task(machine, "commit") | {"Catch": _catch(), "End": True}}
    return {**_step(machine, "commit", "TableDone"), "TableDone": {"Type": "Succeed"}}


def _step(
    machine: Machine, step: str, following: str, rules: Mapping[str, str] | None = None, catch: list[State] | None = None
) -> States:
    """A step and where its answer leads: to `following`, unless a rule says otherwise.

    One that may wait answers for how long: step ▸ choice ▸ pause, in which nothing runs ▸ the same step. Where there is nothing to
    choose there is no choice, for each transition is paid for.
    """
    name = step.capitalize()
    pause = {"Type": "Wait", "Seconds": "{% $states.input.waiting.seconds %}", "Next": name}
    pauses = {f"{name}Pause": pause} if step in machine.waits else {}
    rules = {**dict.fromkeys([WAITING] if pauses else [], f"{name}Pause"), **(rules or {})}
    catchers = _catch() if catch is None else catch
    place = machine.tasks.get(step)
    rules = {HANDED_OVER: f"{name}Task", **rules} if place else rules
    task = _task(machine, step) | {"Next": f"After{name}" if rules else following}
    states = with_task(machine.partition, place, name, task, catchers, LOST_ERRORS) if place else {name: catching(task, catchers)}
    return {**states, **({f"After{name}": _choice(rules, following)} if rules else {}), **pauses}


def _task(machine: Machine, step: str, payload: Any = "{% $states.input %}") -> State:
    return {
        "Type": "Task",
        "Resource": f"arn:{machine.partition}:states:::lambda:invoke",
        "Arguments": {"FunctionName": machine.functions[step], "Payload": payload},
        "Output": "{% $states.result.Payload %}",
        "TimeoutSeconds": TASK_TIMEOUT_SECONDS,
        "Retry": RETRY,
    }


def _catch(otherwise: str = "RecordFailure", *, keep: bool = False) -> list[State]:
    """Catches: to Taken when another worker owns or has committed the table, else on with the error in the state."""
    failed = "{% $states.input %}" if keep else "{% $merge([$states.input, {'error': $states.errorOutput}]) %}"
    return [
        {"ErrorEquals": TAKEN_ERRORS, "Output": "{% $states.input %}", "Next": "Taken"},
        {"ErrorEquals": ["States.ALL"], "Output": failed, "Next": otherwise},
    ]


def _choice(rules: Mapping[str, str], default: str) -> State:
    choices = [{"Condition": condition, "Next": following} for condition, following in rules.items()]
    return {"Type": "Choice", "Choices": choices, "Default": default}


def _inline(start_at: str, states: States) -> State:
    return {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": start_at, "States": states}
