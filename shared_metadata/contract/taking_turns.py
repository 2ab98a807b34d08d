"""One call of a step: what its state means, the batch's lease, and an answer with which it pauses, or goes on in a task."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.runtime.deadline import LEASE_SECONDS, Context, Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.tasks import turns
from shared_metadata.contract.tasks.outgrown import Outgrown
from shared_metadata.contract.waiting import waits
from shared_metadata.contract.waiting.pauses import TRANSITIONS_OF_LOOK
from shared_metadata.contract.waiting.turn import NO_TURN, NotYet
from shared_metadata.contract.work import Work
from shared_metadata.costs import together
from shared_metadata.errors import DefinitionError
from shared_metadata.program.intervals import Interval, covered, from_text
from shared_metadata.state.records import Claim

Body = Callable[[Work, Mapping[str, Any], Deadline], dict[str, Any]]


class TakingTurns:
    """What every step after plan does, whatever its stage."""

    def __init__(self, declaration: Slice, services: Services) -> None:
        self.declaration, self.services = declaration, services
        self.tasks = turns.TaskTurns(services, declaration.id)

    def take_turn(self, step: str, state: Mapping[str, Any], context: Context, body: Body) -> dict[str, Any]:
        """Does a step's work; where it says NotYet, the answer is the state with which the machine pauses and calls it again.

        Where the step is a task's, the answer is the state with which the machine runs one, or, called again, the task's own.
        """
        work = self.work(state, context, step)
        options = self.options(work)
        if (answer := self.tasks.turn(work, step, state, options, moves=self.moves_rows(step, work))) is not None:
            return answer
        work = replace(work, outgrows=self.tasks.may(state))
        try:
            answer = body(work, state, Deadline.of(context))
        except NotYet as not_yet:
            return turns.settled(self._postponed(work, state, not_yet))
        except Outgrown as outgrown:
            if not work.outgrows:
                may_run = step in self.declaration.tasks
                raise outgrown.as_definition(at_work=turns.at_work(state), may_run=may_run) from None
            return self.tasks.handed_over(work, step, state, options, outgrown.what, outgrown=True)
        return turns.settled(waits.settled(answer))

    def moves_rows(self, step: str, work: Work) -> bool:
        """Whether the step works with the rows of the batch; only then it is worth a task that the program asks for."""
        return step in self.declaration.tasks

    def options(self, work: Work) -> Mapping[str, Any]:
        """Those of the connection or the warehouse that the step works with."""
        if self.declaration.stage == "organize":
            return work.program.warehouses[work.flow.warehouse].options
        return work.program.connections[work.flow.connection].options

    def _postponed(self, work: Work, state: Mapping[str, Any], not_yet: NotYet) -> dict[str, Any]:
        """The lease is extended once more: it holds for the pause, however long this call has taken."""
        step, place = work.turn.step, work.place
        if step not in self.declaration.waits:
            remedy = f"declare it in the slice's slice.py: waits=({step!r},)"
            raise DefinitionError(f"{self.declaration.id} does not say that its step {step} waits", place=place, remedy=remedy)
        used = together(waits.used(state), self.services.meter.used(), {"state_transition": TRANSITIONS_OF_LOOK})
        now = self.services.clock()
        postponed = waits.postponed(state, step, not_yet, now, used, place)
        self.services.writer.renew(work.claim, LEASE_SECONDS, waits.seen(postponed, not_yet.what, now))
        return postponed

    def work(self, state: Mapping[str, Any], context: Context | None = None, step: str = "") -> Work:
        """The work that a state means. Raises StaleToken when another worker has taken the batch; extends its lease.

        step: whose turn it is; '' for one that does not wait.
        context: from here on `services.deadline_monotonic` holds for whatever the step opens.
        """
        self.services.meter.restart()
        self.services.deadline_monotonic = Deadline.of(context).at_monotonic if context else math.inf
        program = self.services.reader.program(state["program"])
        flow = program.flows[state["flow"]]
        table = next(table for table in flow.tables if table.dataset == state["dataset"])
        interval = Interval(from_text(state["start"]), from_text(state["end"]))
        again = from_text(state["again_until"]) if state.get("again_until") else None
        claim = Claim(
            flow.id,
            interval,
            state["token"],
            (table.dataset,),
            state["program"],
            bool(state.get("rerun")),
            state.get("entry", 0),
            again,
            covered(interval, flow.interval_seconds),
        )
        waited = waits.WAITING in state or (turns.TASK_OF in state and not turns.at_work(state))
        self.services.writer.renew(claim, LEASE_SECONDS, waited=waited)
        return Work(
            flow.of(table.dataset), table, claim, program, waits.turn_of(state, claim, table.dataset, step) if step else NO_TURN
        )
