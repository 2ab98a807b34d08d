"""The conductor's rounds over the real metadata layer and a Step Functions of which only the answers are imitated."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from conductor import handlers
from conductor.environment import Environment
from conductor.starter import MOST_REFUSALS, Starter
from shared_metadata.errors import DefinitionError, InputError, WaitForAws
from shared_metadata.program.intervals import Interval
from shared_metadata.state.records import EventKind, TableCommit
from shared_metadata.store.writer import MetadataWriter
from tests.conductor.doubles import ACCOUNT, REGION, CountsCalls, FakeStepFunctions, new_starter, records_of, tell
from tests.conformance.fixtures import FakeContext, SettableClock
from tests.memory.dynamodb import refused
from tests.metadata.behaviour import FIRST, apply, claim, commit, fail, program, staged, standing, view

COLLECT = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:atoll-collect-test"


def test_a_due_batch_is_started_once_however_often_it_is_asked_for(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program(2))
    assert starter.start_due(clock.now).started == 1
    clock.advance(minutes=1)
    again = starter.start_due(clock.now)
    assert (again.due, again.started) == (0, 0)
    assert (other := new_starter(writer, states).start_due(clock.now)).started == 0 and other.running == 1, "in another process"
    assert states.inputs == [{"flow": "lake.crm", "start": "2026-11-23T11:00:00Z", "end": "2026-11-23T12:00:00Z"}]


def test_nothing_due_costs_one_read_of_the_timeline_and_one_of_what_happened(
    writer: MetadataWriter, dynamodb: CountsCalls, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program(50))
    clock.now = FIRST.end - timedelta(minutes=1)
    starter.start_due(clock.now)
    dynamodb.calls.clear()
    assert starter.start_due(clock.now).due == 0
    assert dynamodb.calls == {"get_item": 1, "get_paginator": 1}


def test_without_a_program_nothing_happens(starter: Starter, clock: SettableClock) -> None:
    assert starter.start_due(clock.now).due == 0


def test_an_execution_that_ended_without_an_outcome_counts_as_an_attempt_and_is_started_again(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program())
    starter.start_due(clock.now)
    states.end(error="SecretError", cause=json.dumps({"errorMessage": "the secret atoll/crm does not exist"}))
    assert tell(writer, states, clock.now) == 1
    assert (standing(writer).attempts, standing(writer).error) == (1, "SecretError: the secret atoll/crm does not exist")
    assert starter.start_due(clock.now).started == 0
    clock.advance(seconds=16)
    assert starter.start_due(clock.now).started == 1
    assert len(states.executions) == 2


def test_a_batch_whose_execution_died_while_it_held_the_lease_is_freed(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program())
    starter.start_due(clock.now)
    held = claim(writer, owner=next(iter(states.executions)))
    states.end("ABORTED")
    assert tell(writer, states, clock.now) == 1
    clock.advance(seconds=16)
    assert starter.start_due(clock.now).started == 1
    assert claim(writer, owner="the next execution").token > held.token


def test_a_table_still_at_work_is_not_started_again_when_another_of_its_batch_is_done(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program(2))
    starter.start_due(clock.now)
    held_by = next(iter(states.executions))
    commit(writer, claim(writer, "t000", "t001", owner=held_by), "t000")
    assert starter.start_due(clock.now).started == 1, "the load of what was committed"
    assert [arn for arn in states.executions if ":atoll-collect-test:" in arn] == [held_by]


def test_a_failed_table_is_started_by_itself_while_the_others_run_on(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program(2))
    starter.start_due(clock.now)
    held = claim(writer, "t000", "t001", owner=next(iter(states.executions)))
    fail(writer, held, "t000")
    clock.advance(seconds=16)
    assert starter.start_due(clock.now).started == 1
    assert states.inputs[-1]["datasets"] == [staged("t000")]
    commit(writer, held, "t001")


def test_a_missing_state_machine_is_reported_once_and_others_go_on(
    writer: MetadataWriter,
    states: FakeStepFunctions,
    starter: Starter,
    clock: SettableClock,
    said: list[tuple[str, Mapping[str, Any]]],
) -> None:
    states.missing.add(COLLECT)
    views = tuple(view(f"lake.a.v{n}") for n in range(2))
    apply(writer, program(views=views))
    done = starter.start_due(clock.now)
    assert (done.started, done.missing) == (2, 1)
    assert [figures["slice"] for _, figures in said] == ["collect.test"]
    assert standing(writer).attempts == 0


def test_one_call_starts_a_bounded_number_oldest_first(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    views = tuple(view(f"lake.a.v{n}", seconds=60 * (n + 1)) for n in range(6))
    apply(writer, program(views=views))
    clock.advance(hours=3)
    assert starter.start_due(clock.now).started == 3
    first = [body["start"] for body in states.inputs]
    assert first == sorted(first)
    for expected in (3, 1, 0):
        clock.advance(seconds=5)
        assert starter.start_due(clock.now).started == expected


def test_a_hurried_call_stops_and_the_next_goes_on(writer: MetadataWriter, starter: Starter, clock: SettableClock) -> None:
    apply(writer, program())
    assert starter.start_due(clock.now, lambda: True).started == 0
    assert starter.start_due(clock.now).started == 1


def test_after_an_outage_batches_run_one_after_another(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program())
    clock.advance(hours=4)
    for number in range(5):
        assert starter.start_due(clock.now).started == 1
        start = FIRST.start + timedelta(hours=number)
        held = claim(writer, interval=Interval(start, start + timedelta(hours=1)), owner=list(states.executions)[-1])
        writer.commit(held, [TableCommit(staged("t000"))], completes={"lake.crm.t000": "lake.crm:load"})
        states.end("SUCCEEDED")
    assert starter.start_due(clock.now).due == 0


@pytest.mark.parametrize("code", ["ThrottlingException", "ExecutionLimitExceeded", "InternalServerError"])
def test_a_throttle_of_starts_loses_nothing_and_the_next_round_goes_on(
    code: str, writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program(views=tuple(view(f"lake.a.v{n}") for n in range(8))))
    states.refuses["StartExecution"] = code
    done = starter.start_due(clock.now)
    assert (done.started, done.later, done.lost) == (0, MOST_REFUSALS, 0)
    states.refuses.clear()
    assert starter.start_due(clock.now).started == 3
    assert standing(writer).attempts == 0


@pytest.mark.parametrize("code", ["ThrottlingException", "ServiceUnavailable"])
def test_a_throttle_of_what_asks_for_executions_takes_none_for_ended(
    code: str, writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program(views=(view("lake.a.v"),)))
    starter.start_due(clock.now)
    claim(writer, owner=next(iter(states.executions)))
    states.end("ABORTED")
    states.refuses["DescribeExecution"] = code
    clock.advance(minutes=17)
    done = starter.start_due(clock.now)
    assert (done.lost, done.running) == (0, 2)
    states.refuses.clear()
    clock.advance(minutes=17)
    assert starter.start_due(clock.now).lost == 2


UNREACHED = [
    refused("TransactionConflictException", "UpdateItem"),
    EndpointConnectionError(endpoint_url="https://states"),
    ConnectTimeoutError(endpoint_url="https://states"),
    ReadTimeoutError(endpoint_url="https://states"),
    ConnectionClosedError(endpoint_url="https://states"),
    WaitForAws("the metadata table stays contended"),
]


@pytest.mark.parametrize("error", UNREACHED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("call", ["start_execution", "describe_execution"])
def test_a_connection_that_breaks_holds_up_no_other_batch(
    error: Exception,
    call: str,
    writer: MetadataWriter,
    states: FakeStepFunctions,
    starter: Starter,
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apply(writer, program(views=(view("lake.a.v"), view("lake.a.w"))))
    if call == "describe_execution":
        starter.start_due(clock.now)
        states.end("ABORTED")
        clock.advance(minutes=17)
    answer, asked = getattr(states, call), list[str]()

    def breaks_once(**arguments: Any) -> Any:
        asked.append(call)
        if len(asked) == 1:
            raise error
        return answer(**arguments)

    monkeypatch.setattr(states, call, breaks_once)
    done = starter.start_due(clock.now)
    assert len(asked) == 3 and done.later + done.running == 1 and done.started + done.lost == 2
    clock.advance(minutes=17)
    starter.start_due(clock.now)
    assert len(asked) > 3, "it is asked again"


def test_a_mistake_of_ours_is_not_taken_for_a_connection_that_breaks(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(**_: Any) -> None:
        raise KeyError("stateMachineArn")

    apply(writer, program())
    monkeypatch.setattr(states, "start_execution", wrong)
    with pytest.raises(KeyError):
        starter.start_due(clock.now)


def test_one_item_that_others_write_holds_up_no_other_batch(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(writer, program(views=(view("lake.a.v"),)))
    starter.start_due(clock.now)
    states.end("ABORTED")

    def contended(flow: str, *_: Any, **__: Any) -> None:
        if flow == "lake.crm":
            raise refused("TransactionConflictException", "UpdateItem")
        lost.append(flow)

    lost: list[str] = []
    monkeypatch.setattr(writer, "record_lost", contended)
    clock.advance(minutes=17)
    done = starter.start_due(clock.now)
    assert done.later == 1 and lost == ["lake.a.v"]


def test_an_execution_that_lambda_had_no_room_for_is_not_counted(
    writer: MetadataWriter, states: FakeStepFunctions, starter: Starter, clock: SettableClock
) -> None:
    apply(writer, program())
    for _ in range(7):
        starter.start_due(clock.now)
        states.end(error="Lambda.TooManyRequestsException", cause="Rate Exceeded.")
        assert tell(writer, states, clock.now) == 1
        clock.advance(minutes=6)
    assert standing(writer).failures == 0 and not standing(writer).stopped


class TestHandler:
    """`handle`, as Lambda calls it."""

    @pytest.fixture(autouse=True)
    def of_this_test(self, monkeypatch: pytest.MonkeyPatch, starter: Starter) -> None:
        monkeypatch.setattr(handlers, "starter", lambda: starter)
        monkeypatch.setattr(handlers, "datetime", _FixedTime)

    def test_the_clock_starts_what_is_due(self, writer: MetadataWriter) -> None:
        apply(writer, program())
        assert handlers.handle({"trigger": "clock"}, FakeContext())["started"] == 1

    def test_a_completed_batch_starts_what_it_makes_due(self, writer: MetadataWriter, states: FakeStepFunctions) -> None:
        apply(writer, program())
        assert handlers.handle(records_of(EventKind.BATCH_COMPLETED), FakeContext()) == {"batchItemFailures": []}
        assert [body["flow"] for body in states.inputs] == ["lake.crm"]

    def test_other_records_cost_nothing(self, writer: MetadataWriter, dynamodb: CountsCalls) -> None:
        dynamodb.calls.clear()
        assert handlers.handle(records_of(EventKind.BATCH_FAILED), FakeContext()) == {"batchItemFailures": []}
        assert not dynamodb.calls

    def test_a_failed_round_gives_the_records_back_to_the_stream(self, writer: MetadataWriter, states: FakeStepFunctions) -> None:
        apply(writer, program())
        states.refuses["StartExecution"] = "ValidationException"
        answer = handlers.handle(records_of(EventKind.BATCH_COMPLETED), FakeContext())
        assert answer == {"batchItemFailures": [{"itemIdentifier": "7"}]}

    def test_a_wrong_input_says_what_is_accepted(self) -> None:
        with pytest.raises(InputError, match="trigger"):
            handlers.handle({"flow": "lake.crm"}, FakeContext())


class _FixedTime(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return FIRST.end + timedelta(minutes=1)


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(DefinitionError, match="ATOLL_ACCOUNT"):
        Environment.read({"ATOLL_METADATA_TABLE": "metadata"})


def test_the_conductor_loads_nothing_heavy() -> None:
    program = "import conductor.handlers, sys; print([m for m in ('pyarrow', 'duckdb', 'sqlglot', 'pydantic') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
