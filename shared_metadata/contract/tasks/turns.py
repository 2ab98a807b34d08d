"""Hands a step over to a task, and takes up what became of it.

A function, asked for a step, answers with a state that has `task`: its machine runs a task and asks the function again, with what
ECS says of the task in the state. The task itself has left its answer, a state or an error, below the batch's staging prefix.

    {…, 'task': {'step', 'key', 'tries', 'why', 'cpu', 'memory', 'disk_gb', 'used'}}            to be run
    {…, 'task': {…, 'ended': ECS's description} or {…, 'failed': {'Error', 'Cause'}}}           has ended
    {…, 'task': {…, 'at_work': true}}                                                            in the task
    {…, 'lost': {'Error', 'Cause'}}                                                              the function was, in the step
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from shared_metadata import errors
from shared_metadata.contract.runtime.deadline import LEASE_SECONDS
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import Staging, read_json
from shared_metadata.contract.tasks.run import AUTO, TASK, TaskSize, size_of
from shared_metadata.contract.tasks.stopped import Stopped, stopped
from shared_metadata.contract.work import Work
from shared_metadata.costs import together
from shared_metadata.errors import AtollError, DefinitionError
from shared_metadata.state.records import Wait

State = Mapping[str, Any]
BY, TASK_OF, LOST = "by", "task", "lost"
KIND = "Fargate task"
MOST_TRIES = 12  # tasks of one step that ECS did not start, or lost
TRANSITIONS = 3  # the task's state, and of the call that takes it up and the choice after it
BATCHES_AFTER = 24  # of a flow run as tasks after one has outgrown its function, before a function is tried again


def told(*states: State) -> dict[str, Any]:
    """Where a table's steps ran, and why, as its record tells it (TableCommit); nothing where it was no choice.

    Of several states, those of parts, one that has run a task goes before.
    """
    known = [state[BY] for state in states if state.get(BY)]
    by = next((one for one in known if one.get("ran")), known[0] if known else None)
    return {"engine": KIND if by.get("ran") else "function", "why": by["why"], "beyond": int(by.get("beyond", 0))} if by else {}


def at_work(state: State) -> bool:
    return bool(state.get(TASK_OF, {}).get("at_work"))


def used(state: State) -> Mapping[str, float]:
    """What the calls have used that handed the step over."""
    return state.get(TASK_OF, {}).get("used", {})  # type: ignore[no-any-return]


def settled(state: State) -> dict[str, Any]:
    """The state of a step that has ended, wherever it ran."""
    return {name: value for name, value in state.items() if name not in (TASK_OF, LOST)}


class TaskTurns:
    """The turns of the steps of one slice that may run as tasks."""

    def __init__(self, services: Services, slice_id: str) -> None:
        self._services, self._slice_id = services, slice_id

    def turn(self, work: Work, step: str, state: State, options: Mapping[str, Any], *, moves: bool = True) -> dict[str, Any] | None:
        """What the function answers without doing the step's work; None where it is to do it.  moves: whether that moves rows.

        Raises what the task has raised, and what became of a task that has left no answer.
        """
        task, by = state.get(TASK_OF), state.get(BY)
        if task and task["step"] == step and not task.get("at_work"):
            return self._taken_up(work, step, state, options)
        if task:
            return None
        if lost := state.get(LOST):
            if not self.may(state):
                raise _raised({"name": lost["Error"], "message": str(lost.get("Cause", ""))})
            why = f"its function was lost in {step} ({lost['Error']}), as it is when it needs more than it has"
            return self.handed_over(work, step, state, options, why, outgrown=True)
        if by is None or by["run"] != TASK or not moves:
            return None
        if not self.may(state):
            raise DefinitionError(f"no task was deployed for {step}", place=work.place, remedy=self._deploy())
        return self.handed_over(work, step, state, options, str(by["why"]))

    def may(self, state: State) -> bool:
        """Whether the step that has this state can be handed over."""
        by = state.get(BY)
        return bool(by and by["run"] in (TASK, AUTO) and self._services.environment.atoll_has_task and not at_work(state))

    def handed_over(
        self,
        work: Work,
        step: str,
        state: State,
        options: Mapping[str, Any],
        why: str,
        *,
        outgrown: bool = False,
        tries: int = 1,
    ) -> dict[str, Any]:
        """The state with which the machine runs a task; what that is to do is put below the batch's staging prefix."""
        size, now = size_of(options), self._services.clock()
        by = {**state[BY], "run": TASK, "why": why, "ran": True} | ({"beyond": BATCHES_AFTER} if outgrown else {})
        taken = together(used(state), self._services.meter.used(), {"state_transition": TRANSITIONS})
        state = {**settled(state), BY: by}
        key = self._staging(work).key(work.table.dataset, f"task-{step}-{uuid.uuid4().hex[:12]}.json")
        request = {
            "state": {**state, TASK_OF: {"step": step, "key": key, "used": taken, "at_work": True}},
            "step": step,
            "size": asdict(size),
        }
        write_document(self._services, key, request)
        since = now.replace(microsecond=0)
        wait = Wait(f"a {KIND}", step, since, since + timedelta(seconds=LEASE_SECONDS))
        self._services.writer.renew(work.claim, LEASE_SECONDS, wait)
        return {**state, TASK_OF: {"step": step, "key": key, "tries": tries, "used": taken, **_as_ecs(size)}}

    def _taken_up(self, work: Work, step: str, state: State, options: Mapping[str, Any]) -> dict[str, Any]:
        """What the task has answered, wherever ECS or its state machine say that it ended."""
        task = state[TASK_OF]
        answer = read_json(self._services.s3, self._services.environment.atoll_data_bucket, answer_key(task["key"]))
        if answer is None:
            end = stopped(task, work.place, size_of(options))
            if isinstance(end, Stopped) and task["tries"] < MOST_TRIES:
                return self.handed_over(work, step, state, options, str(state[BY]["why"]), tries=task["tries"] + 1)
            raise end.error if isinstance(end, Stopped) else end
        if "error" in answer:
            raise _raised(answer["error"])
        found = dict(answer["answer"])
        if "used" in found:
            found["used"] = together(found["used"], self._services.meter.used())
        return found

    def _deploy(self) -> str:
        return f"deploy {self._slice_id} again: `atoll deploy`; its functions and its state machine are made for this program then"

    def _staging(self, work: Work) -> Staging:
        return Staging(self._services.s3, self._services.environment.atoll_data_bucket, self._slice_id, work.claim)


def answer_key(key: str) -> str:
    """Where a task leaves its answer to what stands at `key`."""
    return key.removesuffix(".json") + "-answer.json"


def write_document(services: Services, key: str, value: Mapping[str, Any]) -> None:
    import json

    body = json.dumps(value).encode()
    services.s3.put_object(Bucket=services.environment.atoll_data_bucket, Key=key, Body=body, ContentType="application/json")


def _as_ecs(size: TaskSize) -> dict[str, Any]:
    """Says it as the machine's Overrides take it."""
    return {"cpu": str(size.vcpus * 1024), "memory": str(size.gb * 1024), "disk_gb": size.disk_gb}


def _raised(told: Mapping[str, str]) -> Exception:
    """The error that the task's step has raised, by its name, which the state machine knows."""
    kind = getattr(errors, told["name"], None)
    if not (isinstance(kind, type) and issubclass(kind, AtollError)):
        kind = type(told["name"], (AtollError,), {})
    return kind(told["message"])  # type: ignore[no-any-return]
