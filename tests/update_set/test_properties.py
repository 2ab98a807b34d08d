"""What always holds of an update set, for random programs and changes; what it says of results is held against DuckDB's."""

from __future__ import annotations

import dataclasses
from collections import Counter

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from console.update_set import shape_of
from language.compiler import Compilation
from shared_metadata.program import Flow, Position, Program
from shared_metadata.update_set import UpdateSet, compare
from tests.update_set.programs import TABLE, VALUES, Source, changes, sources

NOWHERE = Position("", 0, 0)
Row = tuple[int | None, ...]
Results = dict[str, list[Row]]
rows = st.lists(st.tuples(st.integers(0, 3), *(st.one_of(st.none(), st.integers(0, 3)) for _ in VALUES)), min_size=4, max_size=8)


def compared(old: Compilation, new: Compilation) -> UpdateSet:
    return compare(old.program, old.lineage, new.program, new.lineage, shape_of=shape_of)


def pairs() -> st.SearchStrategy[tuple[Source, Source]]:
    return sources().flatmap(lambda before: st.tuples(st.just(before), changes(before)))


@settings(max_examples=40, deadline=None)
@given(sources())
def test_a_program_compared_with_itself_changes_nothing(source: Source) -> None:
    update = compared(source.compile(), source.compile())
    assert update.empty and update.version == update.former
    assert not (update.columns or update.readers or update.breaking or update.recompute)


@settings(max_examples=80, deadline=None)
@given(pairs())
def test_every_flow_that_differs_is_named(pair: tuple[Source, Source]) -> None:
    old, new = (source.compile() for source in pair)
    update = compared(old, new)
    named = {*update.added, *update.removed, *(c.statement for c in update.changed), *(r.dataset for r in update.readers)}
    before, after = (_flows(compilation.program) for compilation in (old, new))
    differing = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {name.removesuffix(":load") for name in differing} <= named


def _flows(program: Program) -> dict[str, Flow]:
    return {name: dataclasses.replace(flow, position=NOWHERE) for name, flow in program.flows.items()}


@settings(max_examples=80, deadline=None)
@given(pairs())
def test_readers_are_what_can_be_reached_in_either_program(pair: tuple[Source, Source]) -> None:
    update = compared(*(source.compile() for source in pair))
    touched = {*update.added, *update.removed, *(c.statement for c in update.changed)}
    inputs: dict[str, set[str]] = {}
    for view in (*pair[0].views, *pair[1].views):
        inputs.setdefault(view.name, set()).update(name for name in (view.left, view.right) if name in view.sql)

    def reads_a_touched_one(name: str) -> bool:
        return any(i in touched or reads_a_touched_one(i) for i in inputs.get(name, ()))

    remaining = {view.name for view in pair[1].views} - set(update.added)
    assert {r.dataset for r in update.readers} == {name for name in remaining if reads_a_touched_one(name)}


@settings(max_examples=150, deadline=None)
@given(pairs(), rows)
def test_what_is_said_to_stay_the_same_does(pair: tuple[Source, Source], table: list[Row]) -> None:
    """The oracle: both programs run over the same rows. What a change is said not to reach has the same result."""
    update = compared(*(source.compile() for source in pair))
    before, after = (_run(source, table) for source in pair)
    columns: dict[str, set[str]] = {}
    for change in update.columns:
        columns.setdefault(change.dataset, set()).add(change.column)
    for reader in update.readers:
        columns.setdefault(reader.dataset, set()).update(reader.columns)
    for name in before.keys() & after.keys() - set(update.other_rows):
        kept = [n for n, column in enumerate(("k", *VALUES)) if column not in columns.get(name, ())]
        assert _projected(before[name], kept) == _projected(after[name], kept), name


def _run(source: Source, table: list[Row]) -> Results:
    connection = duckdb.connect()
    connection.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.s; CREATE SCHEMA lake.a")
    connection.execute(f"CREATE TABLE {TABLE} (k BIGINT, {', '.join(f'{v} BIGINT' for v in VALUES)})")
    if table:
        values = (", ".join("NULL" if value is None else str(value) for value in row) for row in table)
        connection.execute(f"INSERT INTO {TABLE} VALUES ({'), ('.join(values)})")
    found: Results = {}
    for view in source.views:
        connection.execute(f"CREATE TABLE {view.name} AS {view.sql}")
        found[view.name] = connection.execute(f"FROM {view.name}").fetchall()
    connection.close()
    return found


def _projected(found: list[Row], places: list[int]) -> Counter[Row]:
    return Counter(tuple(row[place] for place in places) for row in found)
