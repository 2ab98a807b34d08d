"""Runs an execution through its slice's state machine: the same steps, retries and catches, without waiting for them.

The retries are those that infra.workflows gives the state machines, read from there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from infra.workflows import RETRY, TAKEN_ERRORS
from tests.faults.processes import FunctionError

State = Mapping[str, Any]


class Invoke(Protocol):
    """Calls a step of the machine's slice once."""

    def __call__(self, step: str, event: State, flow: str, dataset: str) -> dict[str, Any]: ...


@dataclass
class Execution:
    """One execution. waited: how its retries let time pass, in seconds."""

    slice_id: str
    input: State
    arn: str
    waited: Callable[[float], None] = lambda _: None
    failed: list[str] = field(default_factory=list)

    def run(self, invoke: Invoke) -> str:
        """'' when it succeeds, else the cause of its failure; what plan raises ends it."""
        flow = str(self.input.get("flow", ""))
        try:
            planned = self._task(invoke, "plan", {"input": dict(self.input), "owner": self.arn}, flow, "")
        except FunctionError as error:
            return str(error)
        for batch in planned["batches"]:
            cause = Execution(self.slice_id, batch, self.arn + ":" + batch["flow"] + batch["start"], self.waited).run(invoke)
            self.failed += [cause] if cause else []
        self.failed += [f"{f['dataset']}: {f['error']}" for f in planned["failed"]]
        for state in planned["work"]:
            self._table(invoke, state)
        return "; ".join(self.failed)

    def _table(self, invoke: Invoke, state: State) -> None:
        dataset = state["dataset"]
        try:
            done = self._steps(invoke, state)
            self._task(invoke, "commit", done, state["flow"], dataset)
        except FunctionError as error:
            if error.name in TAKEN_ERRORS:
                return
            self._record(invoke, state, error)

    def _record(self, invoke: Invoke, state: State, error: FunctionError) -> None:
        self.failed.append(f"{state['dataset']}: {error}")
        cause = json.dumps({"errorMessage": error.message, "errorType": error.name})
        try:
            self._task(invoke, "commit", {**state, "error": {"Error": error.name, "Cause": cause}}, state["flow"], state["dataset"])
        except FunctionError:
            return

    def _steps(self, invoke: Invoke, state: State) -> State:
        flow, dataset, stage = state["flow"], state["dataset"], self.slice_id.partition(".")[0]
        if stage == "collect":
            for part in state["parts"]:
                self._until_done(invoke, "extract", {**state, "part": part}, flow, dataset)
            return state
        if stage == "organize":
            state = self._task(invoke, state["kind"], state, flow, dataset)
            return self._task(invoke, "check", state, flow, dataset) if state["expectations"] else state
        return self._until_done(invoke, "publish", self._task(invoke, "diff", state, flow, dataset), flow, dataset)

    def _until_done(self, invoke: Invoke, step: str, state: State, flow: str, dataset: str) -> State:
        while True:
            state = self._task(invoke, step, state, flow, dataset)
            if state["done"]:
                return state

    def _task(self, invoke: Invoke, step: str, state: State, flow: str, dataset: str) -> dict[str, Any]:
        tried = [0] * len(RETRY)
        while True:
            try:
                answer = invoke(step, state, flow, dataset)
            except FunctionError as error:
                rule = next((n for n, rule in enumerate(RETRY) if error.name in rule["ErrorEquals"]), None)
                if rule is None or tried[rule] >= int(RETRY[rule]["MaxAttempts"]):
                    raise
                wanted = float(RETRY[rule]["IntervalSeconds"]) * float(RETRY[rule]["BackoffRate"]) ** tried[rule]
                self.waited(min(wanted, float(RETRY[rule].get("MaxDelaySeconds", wanted))))
                tried[rule] += 1
                continue
            if "waiting" not in answer:
                return answer
            self.waited(float(answer["waiting"]["seconds"]))
            state, tried = answer, [0] * len(RETRY)
