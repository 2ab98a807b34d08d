"""What the commands ask of the metadata layer does not grow with the number of flows but by the hundred."""

from __future__ import annotations

import copy
import threading
import tracemalloc
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import commands
from benchmarks.projects.stored import edited, stored
from console.dataset_status import dataset_statuses
from console.restatement import effective_moment
from console.sizes import judge_sizes
from console.update_set import update_set
from shared_metadata.program import Mode, Program
from shared_metadata.program.intervals import Interval, floor
from shared_metadata.program.lineage import Lineage
from shared_metadata.state.records import TableCommit
from shared_metadata.state.timeline import Programs
from shared_metadata.store.writer import MetadataWriter
from shared_metadata.update_set import UpdateSet
from shared_metadata.update_set.applying import switch_to
from shared_metadata.update_set.statements import statements
from tests.memory.dynamodb import ANSWERED, MemoryDynamoDB

pytestmark = pytest.mark.xdist_group("many flows")  # they are compiled and applied once
VIEWS = 250
NOW = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)
APPLIED = NOW - timedelta(hours=2)


class Counting:
    """A client that counts its calls; a read of a hundred keys that leaves some over counts once."""

    def __init__(self, client: Any) -> None:
        self._client, self.calls = client, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def counted(**asked: Any) -> Any:
            keys = next(iter(asked["RequestItems"].values()))["Keys"] if name == "batch_get_item" else ()
            self.calls[name] += name != "batch_get_item" or len(keys) > 100 - ANSWERED or len(keys) == 100
            return call(**asked)

        return counted


@pytest.fixture(scope="module")
def compiled() -> tuple[Program, Lineage]:
    return stored(VIEWS)


@pytest.fixture(scope="module")
def applied(compiled: tuple[Program, Lineage]) -> MemoryDynamoDB:
    """The program is applied, and every flow but one has run."""
    found = MemoryDynamoDB()
    found.create_table(TableName="metadata")
    writer, (program, lineage) = writer_over(found, APPLIED), compiled
    writer.put_program(program, lineage)
    writer.activate(program, former_version="")
    interval = Interval(floor(APPLIED, 3600) - timedelta(hours=1), floor(APPLIED, 3600))
    for flow in list(program.flows.values())[:-1]:
        names = [table.dataset for table in flow.tables]
        claim = writer.claim(flow.id, interval, names, program_version=program.version, owner="x", lease_seconds=60, entry=1)
        writer.commit(claim, [TableCommit(name, 10, 1000, 4.2, pointer={"snapshot_id": 1, "total_rows": 77}) for name in names])
    return found


@pytest.fixture
def dynamodb(applied: MemoryDynamoDB) -> MemoryDynamoDB:
    """What is applied, for one test to change."""
    found = MemoryDynamoDB()
    found.tables = copy.deepcopy(applied.tables)
    return found


def writer_over(client: Any, now: datetime = NOW) -> MetadataWriter:
    return MetadataWriter(client, "metadata", lambda: now)


def requests(counting: Counting) -> int:
    return sum(counting.calls.values())


@pytest.mark.deep
def test_a_program_is_made_from_its_text_without_plain_values_of_all_of_it(compiled: tuple[Program, Lineage]) -> None:
    """What stands beside the text is the program, half as large again as that."""
    text = compiled[0].to_json()
    tracemalloc.start()
    try:
        found = Program.from_json(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == compiled[0] and found.to_json() == text and peak < 1.8 * len(text)


def test_status_reads_by_the_hundred(dynamodb: MemoryDynamoDB, compiled: tuple[Program, Lineage]) -> None:
    counting = Counting(dynamodb)
    found = dataset_statuses(writer_over(counting).reader, compiled[0], NOW)
    assert len(found) == len(compiled[0].producers) and [status.rows for status in found].count(77) == len(found) - 1
    # The timeline and its program; states; batches with their tables of those whose next one is over.
    assert requests(counting) <= 3 * VIEWS / 100 + 4


def test_plan_reads_by_the_hundred(dynamodb: MemoryDynamoDB, compiled: tuple[Program, Lineage]) -> None:
    counting, changed = Counting(dynamodb), edited(compiled[0], 10)
    reader = writer_over(counting).reader
    boundary = effective_moment(reader, changed, NOW).effect.boundary
    update = update_set(reader, changed, compiled[1], now=NOW, boundary=boundary)
    assert len(update.recompute) > VIEWS / 10 and [item.seconds for item in update.recompute].count(None) <= 1
    assert requests(counting) <= 3 * VIEWS / 100 + 12


def test_sizes_are_judged_without_a_read_for_each_flow(dynamodb: MemoryDynamoDB, compiled: tuple[Program, Lineage]) -> None:
    counting, target = Counting(dynamodb), SimpleNamespace(reader=None)
    target.reader = writer_over(counting).reader
    merging = replace(compiled[0], flows={name: replace(flow, mode=Mode.MERGE) for name, flow in compiled[0].flows.items()})
    every = UpdateSet(former="", version="", added=tuple(sorted(statements(merging))))
    judge_sizes(target, merging, compiled[1], every, {})  # type: ignore[arg-type]
    assert 1 < requests(counting) <= VIEWS / 100 + 2


def test_the_first_apply_opens_states_together(compiled: tuple[Program, Lineage]) -> None:
    dynamodb = MemoryDynamoDB()
    dynamodb.create_table(TableName="metadata")
    counting = Counting(dynamodb)
    writer, program = writer_over(counting), compiled[0]
    moment = effective_moment(writer.reader, program, NOW)
    switch_to(writer, program, moment)
    assert set(writer.reader.states_of(program.datasets())) == set(program.flows)
    assert requests(counting) <= VIEWS / 25 + 3 * VIEWS / 100 + 6


def test_an_apply_of_a_changed_view_asks_by_the_hundred() -> None:
    """With the pages that DynamoDB has."""
    found = commands.measure(VIEWS, latency_seconds=0)["apply"]
    assert found.writes > VIEWS and sum(found.calls.values()) <= VIEWS / 25 + 6 * VIEWS / 100 + 30


def test_states_that_somebody_opens_meanwhile_stay_as_they_are(compiled: tuple[Program, Lineage]) -> None:
    dynamodb, (program, _) = MemoryDynamoDB(), compiled
    dynamodb.create_table(TableName="metadata")
    name = sorted(program.flows)[VIEWS // 2]
    some, earlier = replace(program, flows={name: program.flows[name]}), APPLIED - timedelta(days=1)
    writer = writer_over(dynamodb)
    others = writer_over(dynamodb, earlier)

    class Meanwhile(Counting):
        lock = threading.Lock()  # states are opened beside one another: no request goes out before the others'

        def __getattr__(self, called: str) -> Any:
            with self.lock:
                if called == "transact_write_items" and not self.calls["others"]:
                    self.calls["others"] += 1
                    others._activation._open_states(some, Programs([]), Programs.always(some), None, earlier)
            return super().__getattr__(called)

    writer = writer_over(Meanwhile(dynamodb))
    writer._activation._open_states(program, Programs([]), Programs.always(program), None, NOW)
    states = writer.reader.states_of(program.datasets())
    begun = {flow: state.tables[next(iter(state.tables))].begins for flow, state in states.items()}
    assert begun.pop(name) == floor(earlier, 3600) - timedelta(hours=1)
    assert set(begun.values()) == {floor(NOW, 3600) - timedelta(hours=1)} and len(begun) == len(program.flows) - 1


def test_a_flow_that_holds_a_batch_where_it_begins_has_run(dynamodb: MemoryDynamoDB, compiled: tuple[Program, Lineage]) -> None:
    """The one flow of which nothing is committed: it is waited for once it is at work."""
    writer, (program, _) = writer_over(dynamodb), compiled
    flow = list(program.flows.values())[-1]
    other = {flow.id: replace(flow, query=flow.query + " ")}
    changed = replace(program, flows={**program.flows, **other})
    assert effective_moment(writer.reader, changed, NOW).effect.boundary <= NOW
    start = writer.reader.flow_states([flow.id])[flow.id].tables[flow.id].watermark
    interval = Interval(start, start + timedelta(hours=1))
    writer.claim(flow.id, interval, [flow.id], program_version=program.version, owner="x", lease_seconds=60, entry=1)
    assert effective_moment(writer.reader, changed, NOW).effect.boundary > NOW
