"""A flow of many tables: who claims, renews or commits writes the items of its own tables, and an execution takes a part of them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from benchmarks import many_tables
from benchmarks.metered import TABLE, MeteredDynamoDB, size_of
from shared_metadata.contract.batch_input import resolve
from shared_metadata.contract.runtime.lambda_handler import PAYLOAD_LIMIT
from shared_metadata.contract.steps import completed_when_empty
from shared_metadata.contract.work import Work
from shared_metadata.errors import InputError
from shared_metadata.program import Program
from shared_metadata.program import Table as FlowTable
from shared_metadata.state import parts
from shared_metadata.state.records import Claim, EventKind, TableCommit
from shared_metadata.state.schedule import DueBatch, due_batches
from shared_metadata.store import keys
from shared_metadata.store.reader import MANY
from shared_metadata.store.writer import MetadataWriter
from shared_metadata.verification.verify import verify
from tests.conformance.fixtures import SettableClock
from tests.metadata.behaviour import FIRST, apply, program

TABLES = 700
CHANGED = 10  # every so manieth table; the others' batches are empty, and complete their loads as well


class Account:
    """An installation of one statement, whose executions do what their steps would record."""

    def __init__(self, tables: int) -> None:
        self.dynamodb, self.clock = MeteredDynamoDB(), SettableClock(FIRST.end + timedelta(minutes=1))
        self.writer = MetadataWriter(self.dynamodb, TABLE, self.clock)  # type: ignore[arg-type]
        self.program = apply(self.writer, program(tables))
        self.started: list[DueBatch] = []

    def run_all(self) -> None:
        while due := self.due():
            for batch in due:
                self._run(batch)

    def due(self) -> list[DueBatch]:
        return due_batches(self.program, self.writer.reader.states_of(self.program.datasets()), self.clock.now)

    def _run(self, batch: DueBatch) -> None:
        reader = self.writer.reader
        (wanted,) = resolve(batch.execution_input(), reader.programs(), reader, batch.slice_id, self.clock.now)
        assert sorted(wanted.datasets) == sorted(batch.datasets)
        version = reader.active_version()
        held = self.writer.claim(
            batch.flow,
            wanted.interval,
            wanted.datasets,
            program_version=version,
            owner=batch.execution_name,
            lease_seconds=60,
            entry=1,
        )
        changed = [name for name in held.datasets if _number(name) % CHANGED == 0]
        empty = [TableCommit(name) for name in held.datasets if name not in changed]
        self.writer.commit(held, empty, completes=completed_when_empty(self.program))
        for name in changed:
            one = replace(held, datasets=(name,))
            self.writer.renew(one, 60)
            self.writer.commit(one, [TableCommit(name, 1, pointer={"manifest": "m"})])
        self.started.append(batch)


def _number(dataset: str) -> int:
    return int(dataset.removesuffix(":staged").removeprefix("lake.crm.t"))


@pytest.fixture(scope="module")
def ran() -> Account:
    account = Account(TABLES)
    account.run_all()
    return account


@pytest.mark.budget(60)
def test_all_of_them_are_claimed_committed_and_complete_each_once(ran: Account) -> None:
    states = ran.writer.reader.states_of(ran.program.datasets())
    assert {len(state.tables) for state in states.values()} == {TABLES} and len(states) == 2
    assert {table.watermark for state in states.values() for table in state.tables.values()} == {FIRST.end}
    found = ran.writer.reader.batch("lake.crm", FIRST.start)
    assert found and found.status == "COMMITTED" and len(found.datasets) == TABLES
    events = [event for event in ran.writer.reader.events(FIRST.end, ran.clock.now) if event.kind == EventKind.BATCH_COMPLETED]
    told = Counter((event.flow, dataset) for event in events for dataset in event.detail["datasets"])
    changed = len(range(0, TABLES, CHANGED))
    assert Counter(flow for flow, _ in told) == {"lake.crm": TABLES, "lake.crm:load": changed} and set(told.values()) == {1}
    assert verify(ran.dynamodb, TABLE, lambda _: {}, clock=ran.clock).differences == ()  # type: ignore[arg-type]


def test_each_execution_takes_a_part_and_none_is_told_a_name_a_table(ran: Account) -> None:
    collected = [batch for batch in ran.started if batch.flow == "lake.crm"]
    assert [batch.execution_input()["part"] for batch in collected] == list(range(len(collected)))
    assert Counter(name for batch in collected for name in batch.datasets) == Counter(ran.program.datasets()["lake.crm"])
    assert max(len(batch.datasets) for batch in ran.started) == parts.TABLES_A_PART
    assert len({batch.execution_name for batch in ran.started}) == len(ran.started)


def test_no_item_of_a_flow_grows_with_the_number_of_its_tables(ran: Account) -> None:
    rows = ran.dynamodb.tables[TABLE]
    assert max(size_of(item) for (pk, _), item in rows.items() if pk.startswith(keys.FLOW_PREFIX)) < 1024


@pytest.mark.budget(60)
def test_what_a_batch_writes_and_what_a_round_reads_grows_as_the_tables_do() -> None:
    few, many = (many_tables.measure(tables)["later"] for tables in (45, 450))
    assert many.write_units <= 10 * few.write_units and many.bytes_written <= 11 * few.bytes_written
    assert many.largest_item < 1024 and many.look_read_units <= 10 * few.look_read_units
    assert many.look_requests <= 20 and many.executions == 3


def test_a_flow_of_one_part_is_told_no_part() -> None:
    known = Account(parts.TABLES_A_PART)
    (batch,) = known.due()
    assert set(batch.execution_input()) == {"flow", "start", "end"} and len(batch.datasets) == parts.TABLES_A_PART


def test_what_failed_of_a_part_is_told_by_name() -> None:
    account = Account(parts.TABLES_A_PART + 1)
    name = "lake.crm.t003:staged"
    held = account.writer.claim("lake.crm", FIRST, [name], program_version="v", owner="one", lease_seconds=60, entry=1)
    account.writer.fail(held, name, "it broke")
    account.clock.advance(minutes=2)
    inputs = [batch.execution_input() for batch in account.due()]
    assert [len(one["datasets"]) for one in inputs if "datasets" in one] == [parts.TABLES_A_PART - 1, 1]  # type: ignore[arg-type]
    assert [one["part"] for one in inputs if "part" in one] == [1]


def asked(flow_input: dict[str, Any]) -> list[Any]:
    account = Account(2 * parts.TABLES_A_PART + 1)
    reader = account.writer.reader
    return resolve(flow_input, reader.programs(), reader, "collect.test", account.clock.now)


BATCH = {"flow": "lake.crm", "start": "2026-11-23T11:00:00Z", "end": "2026-11-23T12:00:00Z"}
BACKFILL = {"flow": "lake.crm", "from": "2026-11-23T11:00:00Z", "to": "2026-11-23T12:00:00Z"}


@pytest.mark.parametrize("given", [BATCH, BACKFILL, {"flow": "lake.crm"}, {}], ids=["batch", "backfill", "flow", "due"])
def test_whoever_asks_for_a_batch_of_all_gets_its_parts_and_each_means_the_same_again(given: dict[str, Any]) -> None:
    wanted = asked(given)
    assert [one.to_input()["part"] for one in wanted] == [0, 1, 2]
    for one in wanted:
        (again,) = asked(one.to_input())
        assert (again.datasets, again.rerun, again.interval) == (one.datasets, one.rerun, one.interval)


@pytest.mark.parametrize("part", [3, -1, "0", 1.5])
def test_a_part_that_the_flow_does_not_have_is_refused(part: Any) -> None:
    with pytest.raises(InputError, match=r"has no part .*; it has 3, the first of which is 0"):
        asked({**BATCH, "part": part})


def test_the_plan_of_a_part_is_carried_by_its_state_machine() -> None:
    """As a load plans it, of names as long as PostgreSQL has them."""
    names = [f"lake.{'s' * 63}.{number:04d}{'t' * 59}" for number in range(parts.TABLES_A_PART)]
    flow = replace(program().flows["lake.crm:load"], id=f"lake.{'s' * 63}:load", tables=tuple(map(FlowTable, names)))
    claim = Claim(flow.id, FIRST, 12, tuple(names), "0123456789abcdef", entry=12, again_until=FIRST.end)
    used = {"lambda_arm64_gb_second": 0.0123456789, "state_transition": 12.123456789, "dynamodb_write": 12.123456789}
    states = [
        Work(flow, table, claim, Program({}, {}, {})).to_state(
            kind="load",
            staged=f"staging/collect.postgres/{flow.id}/20261123T110000Z/000012/{table.dataset}/staged/manifest-0123456789abcdef.json",
            reads={f"{table.dataset}:staged": "2026-11-23T12:00:00Z"},
            pointers={},
            planned_at=1764000000.123456,
            used=used,
        )
        for table in flow.tables
    ]
    assert len(json.dumps({"batches": [], "work": states, "failed": [], "committed": []})) < PAYLOAD_LIMIT


def test_where_a_dataset_stands_is_told_however_many_are_asked_for() -> None:
    """A few are read by name, many as a range, of which those that nobody asked for are left out."""
    account = Account(260)
    names = account.program.datasets()["lake.crm"]
    for count in (1, MANY, MANY + 1, 260):
        found = account.writer.reader.states_of({"lake.crm": names[:count]})
        assert set(found["lake.crm"].tables) == set(names[:count])
