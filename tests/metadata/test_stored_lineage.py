"""A program's lineage is read by name: what a function reads does not grow with the program, and is what all of it would tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.projects.stored import SOURCE, stored
from shared_metadata.drift.changes import Change, DriftChange, classify, impact
from shared_metadata.program import Position, Program
from shared_metadata.program.intervals import Interval
from shared_metadata.program.lineage import ColumnLineage, ColumnRef, ColumnUse, DatasetLineage, Lineage, Use
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.state.records import TableCommit
from shared_metadata.store.reader import MetadataReader
from shared_metadata.store.stored_lineage import read_ahead
from shared_metadata.store.writer import MetadataWriter
from tests.memory.dynamodb import MemoryDynamoDB

NOW = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)
names = st.text(min_size=1, max_size=12)
positions = st.builds(Position, names, st.integers(1, 9), st.integers(1, 9))
refs = st.builds(ColumnRef, names, names, st.lists(names, max_size=2).map(tuple))
masks = st.recursive(st.just("hash"), lambda inner: st.dictionaries(names, inner, min_size=1, max_size=2), max_leaves=3)
columns = st.builds(ColumnLineage, names, names, st.booleans(), st.lists(refs, max_size=3).map(tuple), positions, st.just("") | masks)
uses = st.builds(ColumnUse, refs, st.sampled_from(Use), positions)
datasets = st.builds(
    DatasetLineage, names, names, st.lists(columns, max_size=3).map(tuple), st.lists(uses, max_size=3).map(tuple), positions
)
schemas = st.lists(st.builds(SchemaColumn, names, names, st.booleans(), names, names), max_size=3).map(tuple).map(Schema)


SMALL = stored(40)


class Counting:
    """A client that counts what is read: calls, and items."""

    def __init__(self, client: Any) -> None:
        self._client, self.calls, self.read = client, 0, 0

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def counted(**asked: Any) -> Any:
            found = call(**asked)
            self.calls += 1
            self.read += len(found.get("Items", ())) + sum(map(len, found.get("Responses", {}).values()))
            return found

        return counted


def table() -> MemoryDynamoDB:
    found = MemoryDynamoDB()
    found.create_table(TableName="metadata")
    return found


def put(dynamodb: Any, program: Program, lineage: Lineage) -> None:
    MetadataWriter(dynamodb, "metadata", lambda: NOW).put_program(program, lineage)


def read(dynamodb: Any, program: Program) -> Lineage:
    found = MetadataReader(dynamodb, "metadata", lambda: NOW).lineage(program.version)
    assert found is not None
    return found


@given(st.lists(datasets, min_size=1, max_size=5), st.dictionaries(names, schemas, max_size=3))
def test_what_is_stored_is_read_again(known: list[DatasetLineage], sources: dict[str, Schema]) -> None:
    lineage, program = Lineage({one.dataset: one for one in known}, sources), Program({}, {}, {})
    dynamodb = table()
    put(dynamodb, program, lineage)
    one, by_one = read(dynamodb, program), read(dynamodb, program)
    assert (dict(one.datasets), dict(one.sources)) == (lineage.datasets, sources)
    assert {name: by_one.datasets[name] for name in lineage.datasets} == lineage.datasets
    assert {found.dataset: found for found in by_one.some([*lineage.datasets, "\0 nobody's"])} == lineage.datasets
    assert "\0 nobody's" not in by_one.datasets and by_one.sources.get("\0 nobody's") is None


@pytest.mark.parametrize("views", [30, 300])
def test_a_first_commit_reads_the_lineage_of_its_table_alone(views: int) -> None:
    program, lineage = stored(views)
    dynamodb, counting = table(), Counting(table())
    counting._client = dynamodb
    put(dynamodb, program, lineage)
    MetadataWriter(dynamodb, "metadata", lambda: NOW).activate(program, former_version="")
    name = "lake.views.view_00020"
    writer = MetadataWriter(counting, "metadata", lambda: NOW)  # type: ignore[arg-type]
    interval = Interval(NOW.replace(minute=0) - timedelta(hours=1), NOW.replace(minute=0))
    claim = writer.claim(name, interval, [name], program_version=program.version, owner="x", lease_seconds=60, entry=1)
    writer.commit(claim, [TableCommit(name, 1, pointer={"snapshot_id": 1}, schema=SOURCE, signature="any")])
    assert counting.read <= 3
    latest = writer.reader.latest_schema(name)
    assert latest and latest.origins == {c.name: tuple(map(str, c.inputs)) for c in lineage.datasets[name].columns}


@pytest.mark.parametrize("views", [100, 300])
def test_a_change_of_a_source_reads_its_readers_alone(views: int) -> None:
    program, lineage = stored(views)
    dynamodb = table()
    put(dynamodb, program, lineage)
    counting, source = Counting(dynamodb), "source_003"
    gone = Schema(tuple(c for c in SOURCE.columns if c.name != "price"))
    known = read(counting, program)
    found = classify(SOURCE, gone, f"ops.public.{source}", known, program)
    assert found == classify(SOURCE, gone, f"ops.public.{source}", lineage, program)
    readers = [flow for flow in program.flows.values() if any(f"lake.raw.{source}" in t.inputs for t in flow.tables)]
    assert len(readers) > 2 and counting.read <= len(readers) + 2 < views / 2


@given(data=st.data())
def test_whoever_uses_a_source_is_found_by_name(data: st.DataObject) -> None:
    """As whoever looks at all datasets of the program would find it."""
    program, lineage = SMALL
    table_ = data.draw(st.sampled_from(sorted(lineage.sources)))
    column = data.draw(st.sampled_from(SOURCE.columns)).name
    found = impact(DriftChange(Change.COLUMN_DROPPED, table_, column), lineage, program)
    every = lineage.datasets.values()
    collected = {ColumnRef(d.dataset, c.name) for d in every for c in d.columns if ColumnRef(table_, column) in c.inputs}
    using = {d.dataset for d in every if any(use.column in collected for use in d.uses)}
    assert set(found.nulls) == collected and {use.dataset for use in found.used_by} == using


def test_a_query_over_several_tables_of_a_source_is_found_for_each() -> None:
    """Its plan does not name them: the lineage does."""
    program, lineage = stored(4)
    collect, loaded = program.flows["lake.raw"], lineage.datasets["lake.raw.source_000"]
    query = replace(collect, query="SELECT …", tables=(replace(collect.tables[0], source=""),))
    other = replace(program, flows={**program.flows, "lake.raw": query})
    moved = replace(loaded, uses=tuple(replace(use, column=ColumnRef("ops.public.other", use.column.column)) for use in loaded.uses))
    changed = replace(lineage, datasets={**lineage.datasets, loaded.dataset: moved})
    found = impact(DriftChange(Change.TABLE_DROPPED, "ops.public.other"), changed, other)
    assert "lake.raw.source_000:staged" in found.quiesces


def test_ahead_is_read_once() -> None:
    program, lineage = stored(250)
    dynamodb = table()
    put(dynamodb, program, lineage)
    counting = Counting(dynamodb)
    known = read(counting, program)
    read_ahead(known)
    before = counting.calls
    assert all(known.datasets[name] == lineage.datasets[name] for name in lineage.datasets) and len(known.datasets) == 260
    assert counting.calls == before and before < 10
