"""Everybody at once: operators who start by hand what the conductor starts too, conductors that run side by side, events that come
twice, late and in any order. Each has processes of their own."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING, Any

from shared_metadata import naming
from shared_metadata.store import items, keys
from tests.faults.faults import CONDUCTOR
from tests.faults.machine import Execution
from tests.faults.processes import Function, FunctionError

if TYPE_CHECKING:
    from tests.faults.world import World

CONDUCTORS = 2
Invoke = Callable[[str, str, Mapping[str, Any]], dict[str, Any]]


class Crowd:
    """Who is at work on one run; `operators` of them start each flow once more."""

    def __init__(self, world: World, operators: int) -> None:
        self._world, self._operators, self._chance = world, operators, Random(operators)
        self._idle: list[dict[str, Function]] = []

    def conduct(self) -> None:
        """The clock and the stream call at the same moment."""
        calls = [{"trigger": "clock"}, {"Records": self._records()}]
        with ThreadPoolExecutor(CONDUCTORS) as pool:
            list(pool.map(self._conductor, calls))

    def _conductor(self, event: Mapping[str, Any]) -> None:
        with self._processes() as invoke, contextlib.suppress(FunctionError):
            invoke(CONDUCTOR, "handle", event)

    def _records(self) -> list[dict[str, Any]]:
        """All events of the last two days, some of them twice."""
        found: list[dict[str, Any]] = []
        for age in (0, 1):
            day = keys.event(self._world.now.fromtimestamp(self._world.now.timestamp() - age * 86400, self._world.now.tzinfo), "")
            for values in self._world.reader._query(day["pk"], ""):
                found.append({"dynamodb": {"NewImage": items.to_item(values), "SequenceNumber": values["sk"]}})
        found += self._chance.sample(found, len(found) // 3)
        self._chance.shuffle(found)
        return found

    def execute(self, started: Sequence[tuple[Execution, str]]) -> None:
        """These executions and those of the operators, side by side."""
        for execution, _ in started:
            arn = naming.state_machine_arn(execution.slice_id, self._world.account, self._world.stage.stack.region)
            for _ in range(self._operators):
                body = json.dumps({"flow": execution.input["flow"]})
                self._world.states.start_execution(stateMachineArn=arn, input=body)
        everybody = [*started, *(self._world.started(len(started) * self._operators) if started else ())]
        self._chance.shuffle(everybody)
        with ThreadPoolExecutor(len(everybody) or 1) as pool:
            list(pool.map(self._one, everybody))

    def _one(self, work: tuple[Execution, str]) -> None:
        execution, token = work
        with self._processes() as invoke:
            cause = execution.run(lambda step, event, flow, dataset: invoke(execution.slice_id, step, event))
        self._world.end_execution(execution.arn, token, cause)

    @contextlib.contextmanager
    def _processes(self) -> Iterator[Invoke]:
        """Calls functions in processes that nobody else uses meanwhile, past the doors."""
        functions = self._idle.pop() if self._idle else {}

        def invoke(slice_id: str, step: str, event: Mapping[str, Any]) -> dict[str, Any]:
            if slice_id not in functions:
                functions[slice_id] = Function(slice_id, self._world.variables(slice_id, self._world.stage.stack.endpoint))
            functions[slice_id].send(step, event, self._world.now)
            return functions[slice_id].answer()  # type: ignore[no-any-return]

        yield invoke
        self._idle.append(functions)

    def close(self) -> None:
        for functions in self._idle:
            for function in functions.values():
                function.end()
