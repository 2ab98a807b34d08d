"""The state machines as documents: every transition leads somewhere, every error exists, every expression parses."""

import dataclasses
import heapq
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import jsonata
import pytest

from infra import workflows
from infra.workflows import Machine
from shared_metadata import errors
from shared_metadata.aws import later
from shared_metadata.contract import discovery, landed, receiving
from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.maintenance import step as maintenance
from tests.infra.looked_at import looked_at

BUILDERS = {
    "collect": workflows.collect_workflow,
    "organize": workflows.organize_workflow,
    "harness": workflows.harness_workflow,
}
BESIDE = (discovery.STEP, landed.STEP, maintenance.STEP, receiving.STEP)  # take part in no batch
AWS_ERRORS = {*workflows.START_ERRORS, *later.FUNCTION_ERRORS, *workflows.LOST_ERRORS, "States.ALL"}


def machine(declaration: Slice) -> Machine:
    functions = {step: f"arn:aws:lambda:::function:{step}" for step in declaration.steps}
    return Machine(functions, "arn:aws:states:::stateMachine:itself", waits=frozenset(declaration.waits))


def waiting(declaration: Slice) -> Slice:
    """The same, with every step that may wait doing so."""
    return dataclasses.replace(declaration, waits=tuple(s for s in declaration.steps if s not in ("plan", *BESIDE)))


SLICES = [pytest.param(declaration, id=declaration.id) for declaration in looked_at().values()]
SLICES += [pytest.param(waiting(declaration), id=f"{declaration.id}, waiting") for declaration in looked_at().values()]


@pytest.fixture(params=SLICES)
def definition(request: pytest.FixtureRequest) -> dict[str, Any]:
    declaration: Slice = request.param
    return BUILDERS[declaration.stage](machine(declaration))


def levels(definition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The machine itself and each Map's processor: what has StartAt and States."""
    yield definition
    for state in definition["States"].values():
        if "ItemProcessor" in state:
            yield from levels(state["ItemProcessor"])


def following(state: dict[str, Any]) -> list[str]:
    found = [state[key] for key in ("Next", "Default") if key in state]
    return found + [rule["Next"] for key in ("Choices", "Catch") for rule in state.get(key, [])]


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def test_every_transition_leads_to_a_state_of_its_level(definition):
    for level in levels(definition):
        for name, state in level["States"].items():
            assert all(target in level["States"] for target in following(state)), name
            terminal = state["Type"] in ("Succeed", "Fail") or state.get("End")
            assert bool(terminal) != bool("Next" in state or "Default" in state), name


def test_every_state_can_be_reached(definition):
    for level in levels(definition):
        reached, todo = set(), [level["StartAt"]]
        while todo:
            name = todo.pop()
            if name not in reached:
                reached.add(name)
                todo += following(level["States"][name])
        assert reached == set(level["States"])


def test_every_named_error_is_one_of_ours_or_of_aws(definition):
    ours = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.AtollError)}
    for level in levels(definition):
        for state in level["States"].values():
            for rule in [*state.get("Retry", []), *state.get("Catch", [])]:
                assert set(rule["ErrorEquals"]) <= ours | AWS_ERRORS


def test_what_a_retry_cannot_help_is_not_retried(definition):
    retried = {
        name
        for level in levels(definition)
        for s in level["States"].values()
        for r in s.get("Retry", [])
        for name in r["ErrorEquals"]
    }
    hopeless = {
        "DefinitionError",
        "InputError",
        "SecretError",
        "StaleToken",
        "AlreadyCommitted",
        "RowError",
        "States.ALL",
        "States.TaskFailed",
    }
    assert not retried & hopeless


@pytest.mark.parametrize(("concurrency", "executions"), [(10, 100), (10, 300), (100, 1000)])
def test_however_little_concurrency_an_account_has_no_execution_of_a_herd_fails(concurrency: int, executions: int) -> None:
    """Simulated: executions of four steps of three seconds, all begun at once, that wait as the machines' Retry says."""
    chance, rule = Random(3), workflows.LATER
    waiting = [(chance.random(), number, 0, 0) for number in range(executions)]  # when, which, step, refusals
    ends: list[float] = []
    while waiting:
        now, number, step, refusals = heapq.heappop(waiting)
        while ends and ends[0] <= now:
            heapq.heappop(ends)
        if len(ends) < concurrency:
            heapq.heappush(ends, now + 3)
            if step < 3:
                heapq.heappush(waiting, (now + 3.1, number, step + 1, 0))
            continue
        assert refusals < rule["MaxAttempts"]
        longest = min(rule["IntervalSeconds"] * rule["BackoffRate"] ** refusals, rule["MaxDelaySeconds"])
        heapq.heappush(waiting, (now + chance.uniform(0, longest), number, step, refusals + 1))


def test_later_is_waited_for_by_every_task_and_longer_than_a_throttle_lasts(definition):
    """And not so often that an execution of many tables would have more events than it may."""
    tasks = [s for level in levels(definition) for s in level["States"].values() if s["Type"] == "Task"]
    for task in tasks:
        rule = next(r for r in task["Retry"] if not {*r["ErrorEquals"]}.isdisjoint({*later.NAMES, *workflows.START_ERRORS}))
        mean = sum(min(rule["IntervalSeconds"] * 2**n, rule["MaxDelaySeconds"]) / 2 for n in range(rule["MaxAttempts"]))
        assert mean > 2 * 3600 and rule["JitterStrategy"] == "FULL" and rule["MaxAttempts"] * 5 < 500


@pytest.mark.parametrize(
    ("failed", "error"),
    [
        ([{"dataset": "a", "later": True}], "WaitForAws"),
        ([{"dataset": "a", "later": True}, {"dataset": "b", "later": True}], "WaitForAws"),
        ([{"dataset": "a", "later": True}, {"dataset": "b", "later": False}], "BatchFailed"),
        ([{"dataset": "a", "later": False}], "BatchFailed"),
        ([{"dataset": "a", "error": "DefinitionError: no such table"}], "BatchFailed"),
        ([{"dataset": "a", "later": True}, {"dataset": "b", "error": "no such table", "status": "FAILED"}], "WaitForAws"),
        ([{"dataset": "a", "later": True}, {"dataset": "b", "error": "x"}, {"dataset": "c", "later": True}], "WaitForAws"),
        ([{"dataset": "a", "later": True}, {"dataset": "b", "later": False}, {"dataset": "c", "error": "x"}], "BatchFailed"),
    ],
)
def test_what_could_not_be_recorded_for_hours_is_not_counted(definition, failed, error):
    """The conductor reads it in the execution's error, which it knows as one for later; what was recorded it does not read there."""
    expression = definition["States"]["Failed"]["Error"][2:-2].replace("$states.input", "$")
    assert jsonata.Jsonata.jsonata(expression).evaluate({"failed": failed}) == error
    assert ("WaitForAws" in later.NAMES) and ("BatchFailed" not in later.NAMES)


def test_every_expression_parses(definition):
    expressions = [text for text in texts(definition) if "{%" in text]
    assert len(expressions) > 10
    for text in expressions:
        assert text.startswith("{%") and text.endswith("%}")
        jsonata.Jsonata.jsonata(text[2:-2].strip())


@pytest.mark.parametrize("declaration", SLICES)
def test_a_machine_calls_each_step_of_its_slice(declaration):
    definition = json.dumps(BUILDERS[declaration.stage](machine(declaration)))
    assert all((f'function:{step}"' in definition) == (step not in BESIDE) for step in declaration.steps)


def test_an_empty_batch_takes_three_transitions(definition):
    """Plan, Planned, Done: each transition is paid for, most batches are empty."""
    states = definition["States"]
    assert definition["StartAt"] == "Plan"
    assert states["Plan"]["Next"] == "Planned"
    assert states[states["Planned"]["Default"]]["Type"] == "Succeed"


def test_a_step_that_waits_is_paused_and_called_again_and_no_other_has_a_pause(definition, request):
    """A slice that declares none has the machine that it always had: no state of it is entered that it would not need."""
    declaration: Slice = request.node.callspec.params["definition"]
    states = {name: state for level in levels(definition) for name, state in level["States"].items()}
    pauses = {name: state for name, state in states.items() if state["Type"] == "Wait"}
    assert set(pauses) == {f"{step.capitalize()}Pause" for step in declaration.waits}
    for step in declaration.waits:
        task, after = step.capitalize(), states[states[step.capitalize()]["Next"]]
        first = after["Choices"][0]
        assert (first["Next"], pauses[f"{task}Pause"]["Next"]) == (f"{task}Pause", task)
        asks = jsonata.Jsonata.jsonata(first["Condition"][2:-2].replace("$states.input", "$"))
        waits, done = {"waiting": {"seconds": 7}}, {"done": True, "dataset": "a"}
        assert (asks.evaluate(waits), asks.evaluate(done)) == (True, False)
        seconds = pauses[f"{task}Pause"]["Seconds"][2:-2].replace("$states.input", "$")
        assert jsonata.Jsonata.jsonata(seconds).evaluate(waits) == 7
    if not declaration.waits:
        choices = {"collect": 3, "organize": 5, "harness": 3}  # Planned and Outcome, and the stage's own
        assert sum(state["Type"] == "Choice" for state in states.values()) == choices[declaration.stage]


def test_tables_that_wait_do_so_beside_one_another(definition, request):
    """Those behind them would be given up by their leases."""
    waits = request.node.callspec.params["definition"].waits
    assert definition["States"]["Tables"]["MaxConcurrency"] == (workflows.MOST_AT_ONCE if waits else 4)
