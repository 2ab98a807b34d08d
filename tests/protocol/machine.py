"""Hypothesis' search through the model: workers, the conductor, operators and faults in any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from conductor.losses import LOST
from shared_metadata.program.intervals import to_text
from shared_metadata.store.keys import EVENT_PREFIX
from tests.protocol.lake import BEGIN, COLLECT, LOAD, TABLE, VIEW, WaitingDriver, program
from tests.protocol.promises import check, settle, verify
from tests.protocol.replay import Call
from tests.protocol.world import Fault, Made, World

MOST_ROUNDS, MOST_FAULTS, MOST_AGERS = 2, 6, 2
PASSES = (timedelta(seconds=20), timedelta(minutes=6), timedelta(minutes=17), timedelta(hours=1))
TWICE = ("put_item", "update_item", "delete_item", "put_object")  # a transaction is sent twice under one request token, and done once


class CommitProtocol(RuleBasedStateMachine):
    """Everything that may happen between a moment and the next."""

    made = Made()

    @initialize(hours=st.integers(0, 3), covers=st.booleans(), waits=st.booleans())
    def apply(self, hours: int, covers: bool, waits: bool) -> None:
        made = replace(self.made, driver=WaitingDriver, waits=("load", "commit")) if waits else self.made
        self.world = World(program(covers=covers), made)
        self.world.now += timedelta(hours=hours)
        self.faults, self.started, self.covers = 0, 0, covers

    # -- what happens in the world

    @rule(length=st.sampled_from(PASSES))
    def time_passes(self, length: timedelta) -> None:
        self.world.now += length

    @precondition(lambda self: len(self.world.rounds) < MOST_ROUNDS)
    @rule()
    def the_clock_calls_the_conductor(self) -> None:
        self.world.start_round()

    @precondition(lambda self: len(self.world.rounds) < MOST_ROUNDS and self._events())
    @rule(data=st.data())
    def an_event_calls_the_conductor(self, data: Any) -> None:
        """It may come late, twice or not at all: the conductor asks the table, not the event."""
        self.world.bring(data.draw(st.sampled_from(self._events())))

    @precondition(lambda self: len(self.world.rounds) < MOST_ROUNDS and self._lost())
    @rule(data=st.data())
    def step_functions_tells_of_an_execution(self, data: Any) -> None:
        """Late, twice or not at all."""
        self.world.tell(data.draw(st.sampled_from(self._lost())))

    def _events(self) -> list[tuple[str, str]]:
        return sorted(key for key in self.world.rows if key[0].startswith(EVENT_PREFIX))

    def _lost(self) -> list[str]:
        return [name for name, execution in self.world.executions.items() if execution.status in LOST]

    @rule(slice_id=st.sampled_from(["collect.model", "organize.model"]), flow=st.booleans())
    def an_operator_starts_what_is_due(self, slice_id: str, flow: bool) -> None:
        event = {"flow": "lake.ops"} if flow else {}
        self._by_hand(slice_id, event)

    @rule(flow=st.sampled_from([("collect.model", "lake.ops"), ("organize.model", LOAD)]))
    def an_operator_runs_the_last_batch_again(self, flow: tuple[str, str]) -> None:
        slice_id, name = flow
        watermark = self._watermark(name)
        last = self.world.reader.batch_before(name, watermark)
        if last:
            event = {"flow": name, "from": to_text(last.start), "to": to_text(watermark)}
            self._by_hand(slice_id, event)

    @precondition(lambda self: not self.covers)
    @rule(flow=st.sampled_from([("collect.model", COLLECT), ("organize.model", LOAD)]))
    def an_operator_runs_the_first_batch_again(self, flow: tuple[str, str]) -> None:
        """It may have aged."""
        if self._watermark(flow[1]) > BEGIN:
            event = {"flow": flow[1], "from": to_text(BEGIN), "to": to_text(BEGIN + timedelta(hours=1))}
            self._by_hand(flow[0], event)

    def _watermark(self, flow: str) -> datetime:
        (watermark,) = {table.watermark for table in self.world.reader.flow_states([flow])[flow].tables.values()}
        return watermark

    @precondition(lambda self: len(self.world.agers) < MOST_AGERS)
    @rule(flow=st.sampled_from([COLLECT, LOAD, VIEW]))
    def maintenance_lets_a_flow_age(self, flow: str) -> None:
        self.world.start_ageing(flow)

    def _by_hand(self, slice_id: str, event: dict[str, Any]) -> None:
        self.started += 1
        self.world.start(f"by-hand-{self.started}", slice_id, event)

    # -- what a process does next

    @precondition(lambda self: next(self.world.processes(), None))
    @rule(data=st.data(), calls=st.integers(1, 12))
    def a_process_goes_on(self, data: Any, calls: int) -> None:
        where = self._one(data)
        for _ in range(calls):
            if where in dict(self.world.processes()):
                self.world.step(where)
                check(self.world)

    @precondition(lambda self: next(self.world.processes(), None))
    @rule(data=st.data(), calls=st.integers(1, 30))
    def a_process_sleeps_past_its_lease(self, data: Any, calls: int) -> None:
        """All others go on, and the conductor looks for what is left lying."""
        asleep = self._one(data)
        self.world.now += timedelta(minutes=17)
        self.world.start_round()
        for _ in range(calls):
            awake = [where for where, _ in self.world.processes() if where != asleep]
            if not awake:
                break
            self.world.step(awake[-1])
            check(self.world)

    @precondition(lambda self: self.faults < MOST_FAULTS and next(self.world.processes(), None))
    @rule(data=st.data(), fault=st.sampled_from([fault for fault in Fault if fault != Fault.NONE]))
    def a_call_goes_wrong(self, data: Any, fault: Fault) -> None:
        where = self._one(data)
        call = self.world.next_call(dict(self.world.processes())[where])
        assert isinstance(call, Call)
        if fault == Fault.TWICE and call.name not in TWICE:
            fault = Fault.LOST
        self.faults += 1
        self.world.step(where, fault)

    @precondition(lambda self: self.faults < MOST_FAULTS and any(e.status == "RUNNING" for e in self.world.executions.values()))
    @rule(data=st.data(), how=st.sampled_from(["abort", "time out"]))
    def a_machine_gives_up(self, data: Any, how: str) -> None:
        running = [name for name, execution in self.world.executions.items() if execution.status == "RUNNING"]
        name = data.draw(st.sampled_from(running))
        self.faults += 1
        steps = [where for where, _ in self.world.processes() if where.rpartition("/")[0] == name]
        if how == "abort" or not steps:
            self.world.abort(name)
        else:
            self.world.time_out(steps[0])

    def _one(self, data: Any) -> str:
        return str(data.draw(st.sampled_from([where for where, _ in self.world.processes()])))

    @invariant()
    def promises_hold(self) -> None:
        if hasattr(self, "world"):
            check(self.world)
            verify(self.world)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            settle(self.world)
            assert TABLE in self.world.snapshots or self.world.now < BEGIN + timedelta(hours=1)
