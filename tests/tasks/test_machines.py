"""The state machines of slices with tasks: as documents, and what their expressions make of an answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jsonata
import pytest

from infra import task_states, workflows
from infra.task_states import TaskPlace
from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.runtime.deadline import LEASE_SECONDS
from shared_metadata.contract.tasks.run import MOST_HOURS
from slices.registry import installed
from tests.infra import test_workflows as documents

CLUSTER = "arn:aws:ecs:::cluster/atoll"
SLICES = [pytest.param(one, id=one.id) for one in installed().values() if one.tasks]
Definition = dict[str, Any]


def place(step: str) -> TaskPlace:
    return TaskPlace(CLUSTER, f"arn:aws:ecs:::task-definition/{step}:1", ["subnet-1", "subnet-2"], ["sg-1"])


@pytest.fixture(params=SLICES)
def declared(request: pytest.FixtureRequest) -> Slice:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def definition(declared: Slice) -> Definition:
    machine = dataclasses.replace(documents.machine(declared), tasks={step: place(step) for step in declared.tasks})
    return documents.BUILDERS[declared.stage](machine)


def states_of(definition: Definition) -> dict[str, Any]:
    return {name: state for level in documents.levels(definition) for name, state in level["States"].items()}


def evaluated(expression: str, given: Any, result: Any = None, error: Any = None) -> Any:
    """An expression of a state, over its input, the answer of its resource, and the error that it catches."""
    named = {"$states.input": "input", "$states.result": "result", "$states.errorOutput": "error"}
    text = expression[2:-2]
    for variable, name in named.items():
        text = text.replace(variable, name)
    return jsonata.Jsonata.jsonata(text.strip()).evaluate({"input": given, "result": result or {}, "error": error})


@pytest.mark.parametrize(
    "check",
    [
        documents.test_every_transition_leads_to_a_state_of_its_level,
        documents.test_every_state_can_be_reached,
        documents.test_every_expression_parses,
        documents.test_what_a_retry_cannot_help_is_not_retried,
        documents.test_an_empty_batch_takes_three_transitions,
    ],
)
def test_it_is_a_machine_like_the_others(check: Callable[[Definition], None], definition: Definition) -> None:
    check(definition)


def test_each_step_with_a_task_goes_to_it_and_comes_back(definition: Definition, declared: Slice) -> None:
    states = states_of(definition)
    assert {name for name in states if name.endswith("Task")} == {f"{step.capitalize()}Task" for step in declared.tasks}
    for step in declared.tasks:
        name = step.capitalize()
        task, after = states[f"{name}Task"], states[f"After{name}"]
        assert after["Choices"][0]["Next"] == f"{name}Task" and task["Next"] == task["Catch"][0]["Next"] == name
        asks = after["Choices"][0]["Condition"]
        assert evaluated(asks, {"task": {"step": step}}) is True and evaluated(asks, {"dataset": "a", "done": True}) is False
        assert task["Arguments"]["TaskDefinition"] == f"arn:aws:ecs:::task-definition/{step}:1"


def test_a_function_that_is_lost_is_asked_once_more_with_what_became_of_it(definition: Definition, declared: Slice) -> None:
    states = states_of(definition)
    for step in declared.tasks:
        name = step.capitalize()
        first, once_more = states[name]["Catch"][0], states[f"{name}Lost"]
        assert (set(first["ErrorEquals"]), first["Next"]) == (set(workflows.LOST_ERRORS), f"{name}Lost")
        error = {"Error": "Sandbox.Timedout", "Cause": "…"}
        assert evaluated(first["Output"], {"dataset": "a"}, error=error) == {"dataset": "a", "lost": error}
        assert once_more["Arguments"] == states[name]["Arguments"] and once_more["Next"] == f"After{name}"
        assert all(catch["Next"] != f"{name}Lost" for catch in once_more.get("Catch", ()))


def test_what_is_said_of_a_task_is_small_and_stands_beside_what_was_asked(definition: Definition, declared: Slice) -> None:
    task = states_of(definition)[f"{declared.tasks[0].capitalize()}Task"]
    given = {"dataset": "a", "task": {"key": "k", "cpu": "1024", "memory": "2048", "disk_gb": 100}}
    described = {"TaskArn": "arn:aws:ecs:::task/atoll/1", "StopCode": "EssentialContainerExited", "Attachments": ["…"] * 1000}
    assert evaluated(task["Output"], given, described)["task"] == {
        **given["task"],
        "ended": {"TaskArn": "arn:aws:ecs:::task/atoll/1", "StopCode": "EssentialContainerExited"},
    }
    error = {"Error": "States.TaskFailed", "Cause": "{}"}
    assert evaluated(task["Catch"][0]["Output"], given, error=error)["task"] == {**given["task"], "failed": error}
    overrides = task["Arguments"]["Overrides"]
    assert [evaluated(overrides[name], given) for name in ("Cpu", "Memory")] == ["1024", "2048"]
    assert evaluated(overrides["EphemeralStorage"]["SizeInGiB"], given) == 100
    (variable,) = overrides["ContainerOverrides"][0]["Environment"]
    assert evaluated(variable["Value"], given) == "k"


def test_the_pauses_for_a_task_are_shorter_than_the_lease_that_its_function_took() -> None:
    rule = task_states.RETRY
    longest = sum(
        min(rule["IntervalSeconds"] * rule["BackoffRate"] ** n, rule["MaxDelaySeconds"]) for n in range(rule["MaxAttempts"])
    )
    assert longest < LEASE_SECONDS - 180
    assert task_states.TIMEOUT_SECONDS > MOST_HOURS * 3600 + 600


def test_tables_with_tasks_run_beside_one_another(definition: Definition) -> None:
    """Those behind them would be given up by their leases."""
    assert definition["States"]["Tables"]["MaxConcurrency"] == workflows.MOST_AT_ONCE
