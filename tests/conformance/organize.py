"""What every organize slice must do, as tests that a slice's own tests inherit.

A slice gives `open_driver` (as its handlers do), `declaration`, and `read`, which reads a table as another engine would; where
it has a service of its own, `serve` puts that into memory, and `options` are its warehouse's.
"""

from __future__ import annotations

import io
import json
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.organize import Driver, OpenDriver, OrganizeSteps
from shared_metadata.contract.parquet.duckdb_session import identifier as quoted
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.tasks.run import FUNCTION, run_of
from shared_metadata.errors import DefinitionError, StaleToken
from shared_metadata.program import BadRows, Expectation, Flow, Kind, Mode, Position, Program, Table, Warehouse
from shared_metadata.program.intervals import Interval, to_text
from shared_metadata.program.places import BATCH_END, BATCH_START, Place
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.type_names import parsed, words
from shared_metadata.state.records import TableCommit
from tests.conformance import hostile
from tests.conformance.fixtures import (
    BatchRun,
    Cloud,
    FakeContext,
    answered,
    check_statistics,
    newest_there,
    open_cloud,
    run_batch,
    session_with,
)
from tests.conformance.waiting import slowed, waiting

HOUR = 3600
FLIGHTS, STAGED, VIEW = "lake.ops.flights", "lake.ops.flights:staged", "lake.ops.carrier_day"
HERE = Position("program.atoll", 7, 3)
REJECTED = f"{FLIGHTS}__rejected"
UNREAD = [
    ("_batch", "timestamptz", pa.timestamp("us", "UTC")),
    *((name, "string", pa.string()) for name in ("stage", "reason", "data")),
]
KNOWN = Expectation("known", "carrier <> 'XX'", "QUARANTINE", HERE)
Row = dict[str, Any]
Typed = tuple[str, str, Any]  # a column's name, its type in a Schema, and pyarrow's
ID = [("id", "long", pa.int64()), ("carrier", "string", pa.string()), ("delay", "double", pa.float64())]


class Lake:
    """A warehouse `lake` with one collected table, which the test feeds, and whatever views the test adds."""

    def __init__(self, cloud: Cloud, declaration: Slice, open_driver: OpenDriver) -> None:
        self.cloud, self.declaration, self._open = cloud, declaration, open_driver
        self.flows: dict[str, Flow] = {}
        self.options: Mapping[str, Any] = {}

    def steps(self) -> OrganizeSteps:
        """As a fresh process makes them."""
        return OrganizeSteps(self.declaration, self.cloud.services(self.declaration.id), self._open)

    def driver(self) -> Driver:
        """As maintenance opens it."""
        return self._open(self.cloud.reader.active_program().warehouses["lake"], self.cloud.services(self.declaration.id))

    def slow(self, looks: int) -> None:
        """From here on each step is called in vain so often before it does its work."""
        self.declaration, self._open = waiting(self.declaration), slowed(self._open, "organize", looks)

    def collected(self, mode: Mode, dataset: str = FLIGHTS, **clauses: Any) -> None:
        """Declares a collected table and the load of it."""
        staged = f"{dataset}:staged"
        self._add(Flow(dataset, Kind.COLLECT, "collect.fake", "lake", HOUR, (Table(staged, "t"),), HERE, connection="ops"))
        load = Table(dataset, inputs=(staged,))
        flow = Flow(f"{dataset}:load", Kind.LOAD, self.declaration.id, "lake", HOUR, (load,), HERE, mode=mode, **clauses)
        self._add(flow)

    def view(
        self, query: str, mode: Mode = Mode.REPLACE, dataset: str = VIEW, inputs: Sequence[str] = (FLIGHTS,), **more: Any
    ) -> None:
        kind = Kind.RESULT if dataset.endswith(":result") else Kind.VIEW
        table, query = Table(dataset, inputs=tuple(inputs)), with_aliases(query, inputs)
        given = {"query": query, "places": places(query, inputs), **more}
        self._add(Flow(dataset, kind, self.declaration.id, "lake", HOUR, (table,), HERE, mode=mode, **given))

    def change(self, flow: str, **values: Any) -> None:
        """Applies the program with another definition of a flow."""
        self._add(replace(self.flows[flow], **values))

    def _add(self, flow: Flow) -> None:
        self.flows[flow.id] = flow
        warehouse = Warehouse("lake", self.declaration.system, self.options, HERE)
        self.cloud.apply(Program({}, {"lake": warehouse}, dict(self.flows)))

    def stage(self, rows: Sequence[Row] | None, columns: Sequence[Typed] = ID, dataset: str = FLIGHTS, **how: Any) -> Interval:
        """Does what a collect slice does for its next batch (or `again` for that interval); None stages nothing at all.

        missed: how many intervals more the batch covers.
        """
        staged, writer, files = f"{dataset}:staged", self.cloud.writer, how.get("files", 1)
        again: Interval | None = how.get("again")
        event = self.cloud.event(dataset, interval=again)
        missed = timedelta(seconds=HOUR * how.get("missed", 0))
        interval = Interval(datetime.fromisoformat(event["start"]), datetime.fromisoformat(event["end"]) + missed)
        claim = writer.claim(
            dataset, interval, [staged], program_version="v", owner="test", lease_seconds=60, rerun=again is not None
        )
        staging = Staging(self.cloud.s3, self.cloud.bucket, "collect.fake", claim)
        pointer = None
        if rows is not None:
            every = [*columns, ("_batch", "timestamptz", pa.timestamp("us", "UTC"))]
            whole = [{"_batch": interval.start, **row} for row in rows]
            parts = [whole[n::files] for n in range(files)] if whole else []
            listed = [self._put(staging.key(staged, f"{n}.parquet"), part, every) for n, part in enumerate(parts)]
            schema = Schema(tuple(SchemaColumn(name, kind, source=name.upper(), source_type=kind) for name, kind, _ in every))
            manifest = {"files": listed, "schema": asdict(schema)}
            if unread := how.get("rejected"):
                manifest["rejected"] = [self._put(staging.key(staged, "rejected.parquet"), unread, UNREAD)]
            for name in ("left", "there"):
                if keys := [{"_batch": interval.start, **row} for row in how.get(name) or ()]:
                    known = [column for column in every if column[0] in keys[0]]
                    manifest[name] = [self._put(staging.key(staged, f"{name}.parquet"), keys, known)]
            if how.get("whole"):
                manifest["whole"] = True
            pointer = {"manifest": staging.write(manifest, staged, "manifest.json")}
        commit = TableCommit(staged, rows=len(rows or ()), pointer=pointer, cursor="c")
        passes = {dataset: f"{dataset}:load"} if rows is None else {}
        writer.commit(claim, [commit], completes=passes)
        return interval

    def _put(self, key: str, rows: Sequence[Row], columns: Sequence[Typed]) -> Row:
        body, schema = io.BytesIO(), pa.schema([(name, kind) for name, _, kind in columns])
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), body)
        self.cloud.s3.put_object(Bucket=self.cloud.bucket, Key=key, Body=body.getvalue())
        return {"key": key, "rows": len(rows), "bytes": len(body.getvalue())}

    def run(self, flow: str, interval: Interval | None = None, **how: Any) -> BatchRun:
        rerun = how.pop("rerun", False)
        return run_batch(self.steps(), self.cloud.event(flow, rerun=rerun, interval=interval), **how)

    def load(self, rows: Sequence[Row] | None, columns: Sequence[Typed] = ID, **how: Any) -> Interval:
        """Stages a batch and loads it."""
        interval = self.stage(rows, columns, **how)
        self.run(f"{FLIGHTS}:load", interval, rerun="again" in how)
        return interval

    def until_commit(self, flow: str, **how: Any) -> dict[str, Any]:
        """Walks a batch up to where only its commit is missing; the state."""
        steps = self.steps()
        (state,) = steps.plan(self.cloud.event(flow, **how), FakeContext())["work"]
        return answered(steps, state["kind"], state)

    def pointer(self, dataset: str) -> Mapping[str, Any]:
        version = self.cloud.reader.latest_version(dataset)
        assert version is not None
        return version.pointer


def with_aliases(query: str, inputs: Sequence[str]) -> str:
    """The query with a name for each table that has none, as dialects write it whose tables are put in by the slice."""
    for name in inputs:
        query = re.sub(
            rf"{re.escape(name)}(?!\w|\.|\s+(?:AS\s+)?(?!USING|WHERE|GROUP|ORDER|JOIN)\w)", f"{name} AS {name.split('.')[-1]}", query
        )
    return query


def places(query: str, inputs: Sequence[str]) -> tuple[Place, ...]:
    """Where a query names its inputs and the bounds of its batch, as the compiler finds it."""
    words = {**{name: name for name in inputs}, "batch_start()": BATCH_START, "batch_end()": BATCH_END}
    found = ((one, means) for word, means in words.items() for one in re.finditer(rf'(?<!")\b{re.escape(word)}(?!\w)', query))
    return tuple(Place(one.start(), one.end(), means) for one, means in found)


def flights(*rows: tuple[Any, ...]) -> list[Row]:
    return [dict(zip(("id", "carrier", "delay"), row, strict=False)) for row in rows]


def query_of_ours(column: str) -> str:
    """A query with a table of its own of each name that our SQL uses, of whom each reads the one before it."""
    names = [quoted(name) for name in hostile.ours()]
    read = [FLIGHTS, *names[:-1]]
    tables = ", ".join(f"{name} AS (SELECT id, {column} FROM {of})" for name, of in zip(names, read, strict=True))
    return f"WITH {tables} SELECT id, max({column}) AS {column} FROM {names[-1]} GROUP BY id"


class OrganizeConformance:
    """Inherit, and give `declaration`, `open_driver` and `read`."""

    declaration: Slice
    options: Mapping[str, Any] = {}
    length_of_list = "len"  # as the warehouse's SQL calls it

    def serve(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        """Puts what the slice works with into memory, beside AWS's own."""

    def open_driver(self) -> OpenDriver:
        raise NotImplementedError

    def read(self, cloud: Cloud, dataset: str, pointer: Mapping[str, Any] | None = None) -> list[Row]:
        """The table's rows as another engine sees them now, or at the version that `pointer` names."""
        raise NotImplementedError

    def forget(self, cloud: Cloud) -> None:
        """Removes what a test left outside of its own bucket and metadata table."""

    @pytest.fixture
    def lake(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
        for cloud in open_cloud(monkeypatch):
            self.serve(cloud, monkeypatch)
            lake = Lake(cloud, self.declaration, self.open_driver())
            lake.options = self.options
            cloud.has_task = int(run_of(self.options) != FUNCTION)
            yield lake
            self.forget(cloud)

    def keeps(self, *types: str) -> None:
        """Leaves a test to slices that keep these types."""
        if never := sorted(set(types) & set(self.declaration.capabilities.never_written)):
            pytest.skip(f"{self.declaration.id} declares that it keeps no {never[0]}")

    def ids(self, lake: Lake, dataset: str = FLIGHTS, pointer: Mapping[str, Any] | None = None) -> list[Any]:
        return sorted(row["id"] for row in self.read(lake.cloud, dataset, pointer))

    # -- modes

    def test_statistics_tell_size_skew_and_cost(self, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "2048")
        lake.collected(Mode.APPEND)
        lake.load(flights((1, "AA", 5.0), (2, "UA", None)))
        check_statistics(lake.cloud, f"{FLIGHTS}:load", rows=2)

    def test_append_adds_each_batch(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        lake.load(flights((1, "AA", 1.5)))
        lake.load(flights((2, "UA", 2.5), (3, "UA", None)))
        assert self.ids(lake) == [1, 2, 3]

    def test_replace_leaves_only_the_last_batch(self, lake: Lake) -> None:
        lake.collected(Mode.REPLACE)
        lake.load(flights((1, "AA"), (2, "AA")))
        lake.load(flights((3, "UA")))
        assert self.ids(lake) == [3]

    def test_replace_by_nothing_empties_the_table(self, lake: Lake) -> None:
        lake.collected(Mode.REPLACE)
        lake.load(flights((1, "AA")))
        lake.load([])
        assert self.ids(lake) == []

    def test_merge_updates_inserts_and_keeps_deleted_rows(self, lake: Lake) -> None:
        lake.collected(Mode.MERGE, key=("id",))
        columns = [*ID, ("_deleted", "boolean", pa.bool_())]
        lake.load([{**row, "_deleted": False} for row in flights((1, "AA", 1.0), (2, "UA", 2.0))], columns)
        changed = [{**row, "_deleted": row["id"] == 1} for row in flights((1, "AA", 1.0), (2, "UA", 9.0), (3, "DL", 3.0))]
        lake.load(changed, columns)
        found = sorted((r["id"], r["delay"], r["_deleted"]) for r in self.read(lake.cloud, FLIGHTS))
        assert found == [(1, 1.0, True), (2, 9.0, False), (3, 3.0, False)]

    def test_merge_of_all_that_a_source_has_marks_every_other_row(self, lake: Lake) -> None:
        lake.collected(Mode.MERGE, key=("id",))
        self._bring(lake, (1, 1.0), (2, 2.0), (3, 3.0))
        self._bring(lake, (2, 5.0), (4, 4.0), left=[{"id": 3}, {"id": 7}], whole=True)
        assert self._marked(lake) == [(1, 1.0, True), (2, 5.0, False), (3, 3.0, True), (4, 4.0, False)]
        self._bring(lake, (3, 6.0))
        self._bring(lake, whole=True)
        assert self._marked(lake) == [(1, 1.0, True), (2, 5.0, True), (3, 6.0, True), (4, 4.0, True)]

    def test_merge_of_all_that_a_source_had_leaves_what_came_later(self, lake: Lake) -> None:
        lake.collected(Mode.MERGE, key=("id",))
        first = self._bring(lake, (1, 1.0), (2, 2.0))
        self._bring(lake, (3, 3.0))
        self._bring(lake, (2, 5.0), whole=True, again=first)
        assert self._marked(lake) == [(1, 1.0, True), (2, 5.0, False), (3, 3.0, False)]

    def test_merge_of_all_that_a_source_has_marks_no_row_that_is_set_aside(self, lake: Lake) -> None:
        """Neither one that collect could not read, nor one that a rule puts aside: the source has both."""
        small = Expectation("small", "delay < 10", "QUARANTINE", HERE)
        lake.collected(Mode.MERGE, key=("id",), expectations=(small,))
        self._bring(lake, (1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0))
        self._bring(lake, (1, 99.0), (2, 5.0), whole=True, there=[{"id": 3}, {"id": 8}])
        assert self._marked(lake) == [(1, 1.0, False), (2, 5.0, False), (3, 3.0, False), (4, 4.0, True)]
        self._bring(lake, (2, 6.0), whole=True, there=[{"id": 3}])
        assert self._marked(lake) == [(1, 1.0, True), (2, 6.0, False), (3, 3.0, False), (4, 4.0, True)]

    def _bring(self, lake: Lake, *rows: tuple[int, float], **how: Any) -> Interval:
        """Loads rows of a source that tells which are gone."""
        staged = [{**row, "_deleted": False} for row in flights(*((id_, "AA", delay) for id_, delay in rows))]
        return lake.load(staged, [*ID, ("_deleted", "boolean", pa.bool_())], **how)

    def _marked(self, lake: Lake) -> list[tuple[Any, ...]]:
        rows = self.read(lake.cloud, FLIGHTS)
        return sorted((row["id"], row["delay"], bool(row.get("_deleted"))) for row in rows)

    def test_merge_keeps_the_latest_of_rows_with_the_same_key(self, lake: Lake) -> None:
        lake.collected(Mode.MERGE, key=("id",), cursor="delay")
        lake.load(flights((1, "new", 3.0), (1, "old", 1.0), (2, "x", 1.0), (1, "middle", 2.0)), files=2)
        assert sorted((r["id"], r["carrier"]) for r in self.read(lake.cloud, FLIGHTS)) == [(1, "new"), (2, "x")]

    def test_merge_never_puts_an_older_row_over_a_newer_one(self, lake: Lake) -> None:
        lake.collected(Mode.MERGE, key=("id",), cursor="delay")
        lake.load(flights((1, "newer", 5.0), (2, "older", 1.0)))
        lake.load(flights((1, "older", 4.0), (2, "newer", 2.0), (3, "only", 0.0)))
        assert sorted((r["id"], r["carrier"]) for r in self.read(lake.cloud, FLIGHTS)) == [
            (1, "newer"),
            (2, "newer"),
            (3, "only"),
        ]

    def test_merge_finds_rows_whose_key_is_null_or_of_several_columns(self, lake: Lake) -> None:
        lake.collected(Mode.MERGE, key=("carrier", "id"))
        lake.load(flights((1, None, 1.0), (1, "AA", 1.0), (2, "AA", 1.0)))
        lake.load(flights((1, None, 2.0), (1, "AA", 3.0)))
        assert sorted(r["delay"] for r in self.read(lake.cloud, FLIGHTS)) == [1.0, 2.0, 3.0]

    def test_keys_that_a_database_may_take_for_one_are_several(self, lake: Lake) -> None:
        """Loaded, updated, and left by a source; and those of a view."""
        lake.collected(Mode.MERGE, key=("carrier",), cursor="delay")
        lake.load(flights(*((n, text, 1.0) for n, text in enumerate(hostile.ALIKE))))
        lake.load(flights(*((-n, text, 2.0) for n, text in enumerate(hostile.ALIKE) if n % 2)))
        expected = {text: -n if n % 2 else n for n, text in enumerate(hostile.ALIKE)}
        query = f"SELECT carrier, id, delay FROM {FLIGHTS}"
        lake.view(query, Mode.MERGE, key=("carrier",))
        lake.run(VIEW)
        for dataset in (FLIGHTS, VIEW):
            found = self.read(lake.cloud, dataset)
            assert {row["carrier"]: row["id"] for row in found} == expected and len(found) == len(expected)

    def test_a_key_that_left_takes_none_with_it_that_is_like_it(self, lake: Lake) -> None:
        lake.collected(Mode.MERGE, key=("carrier",), cursor="delay")
        columns, gone = [*ID, ("_deleted", "boolean", pa.bool_())], [*hostile.ALIKE[::2]]
        rows = flights(*((n, text, 1.0) for n, text in enumerate(hostile.ALIKE)))
        lake.load([{**row, "_deleted": False} for row in rows], columns)
        lake.load([], columns, left=[{"carrier": text, "delay": 2.0} for text in gone])
        assert {row["carrier"] for row in self.read(lake.cloud, FLIGHTS) if row["_deleted"]} == set(gone)

    def test_partitioned_tables_take_every_mode(self, lake: Lake) -> None:
        for mode, expected in ((Mode.APPEND, [1, 2, 2, 3]), (Mode.REPLACE, [2, 3]), (Mode.MERGE, [1, 2, 3])):
            dataset = f"lake.ops.by_{mode.lower()}"
            lake.collected(mode, dataset, key=("id",) if mode == Mode.MERGE else (), partition_by=("carrier",))
            for rows in (flights((1, "a/b ü=%"), (2, None)), flights((2, None, 1.0), (3, ""))):
                interval = lake.stage(rows, dataset=dataset)
                lake.run(f"{dataset}:load", interval)
            assert self.ids(lake, dataset) == expected

    # -- waiting

    def test_a_batch_whose_every_step_waits_is_made_as_one_whose_steps_do_not(self, lake: Lake) -> None:
        lake.slow(2)
        lake.collected(Mode.APPEND, expectations=(KNOWN,))
        lake.stage(flights((1, "AA"), (2, "XX"), (3, "UA")))
        loaded = lake.run(f"{FLIGHTS}:load")
        lake.view(f"SELECT id + 10 AS id FROM {FLIGHTS}", dataset="lake.ops.ids")
        refreshed = lake.run("lake.ops.ids")
        assert (self.ids(lake), self.ids(lake, "lake.ops.ids")) == ([1, 3], [11, 13])
        assert (len(loaded.pauses), len(refreshed.pauses)) == (3 * 2, 2 * 2)
        states = lake.cloud.reader.flow_states([f"{FLIGHTS}:load", "lake.ops.ids"]).values()
        assert {table.attempts for state in states for table in state.tables.values()} == {0}

    def test_one_who_waits_and_is_overtaken_makes_nothing(self, lake: Lake) -> None:
        lake.slow(1)
        lake.collected(Mode.APPEND)
        lake.stage(flights((1, "AA")))
        (state,) = lake.steps().plan(lake.cloud.event(f"{FLIGHTS}:load"), FakeContext())["work"]
        loaded = lake.steps().load(lake.steps().load(state, FakeContext()), FakeContext())
        waits = lake.steps().commit(loaded, FakeContext())
        assert waits["waiting"]["step"] == "commit"
        lake.cloud.clock.advance(hours=1)
        lake.run(f"{FLIGHTS}:load")
        with pytest.raises(StaleToken):
            lake.steps().commit(waits, FakeContext())
        assert self.ids(lake) == [1]

    # -- once and only once

    def test_a_repeated_commit_changes_nothing(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        lake.stage(flights((1, "AA")))
        state = lake.until_commit(f"{FLIGHTS}:load")
        lake.steps().commit(state, FakeContext())
        before = lake.pointer(FLIGHTS)
        lake.steps().commit(state, FakeContext())
        assert (self.ids(lake), lake.pointer(FLIGHTS)) == ([1], before)

    def test_a_commit_whose_record_was_lost_is_looked_up(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        lake.stage(flights((1, "AA")))
        state = lake.until_commit(f"{FLIGHTS}:load")
        steps = lake.steps()
        lost = steps.commit_table(steps.work(state), state)
        lake.steps().commit(state, FakeContext())
        assert (self.ids(lake), lake.pointer(FLIGHTS)) == ([1], lost.pointer)

    def test_a_result_whose_record_was_lost_is_there_for_the_next_call(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        result = "ops.public.out:result"
        lake.view(f"SELECT id FROM {FLIGHTS}", dataset=result)
        lake.load(flights((1, "AA"), (2, "UA")))
        state, steps = lake.until_commit(result), lake.steps()
        steps.commit_table(steps.work(state), state)
        lake.steps().commit(state, FakeContext())
        assert sorted(row["id"] for row in lake.cloud.rows(result).to_pylist()) == [1, 2]

    def test_a_worker_that_takes_over_after_a_lost_record_makes_no_rows_twice(self, lake: Lake) -> None:
        for mode in (Mode.APPEND, Mode.MERGE):
            dataset = f"lake.ops.{mode.lower()}"
            lake.collected(mode, dataset, key=("id",) if mode == Mode.MERGE else ())
            lake.stage(flights((1, "AA"), (2, "UA")), dataset=dataset)
            state, steps = lake.until_commit(f"{dataset}:load"), lake.steps()
            steps.commit_table(steps.work(state), state)
            lake.cloud.clock.advance(hours=1)
            interval = Interval(datetime.fromisoformat(state["start"]), datetime.fromisoformat(state["end"]))
            lake.run(f"{dataset}:load", interval)
            assert self.ids(lake, dataset) == [1, 2]

    def test_a_stale_token_is_refused_and_changes_nothing(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        lake.stage(flights((1, "AA")))
        stale = lake.until_commit(f"{FLIGHTS}:load")
        lake.cloud.clock.advance(hours=1)
        lake.run(f"{FLIGHTS}:load")
        with pytest.raises(StaleToken):
            lake.steps().commit(stale, FakeContext())
        assert self.ids(lake) == [1]

    def test_a_stale_worker_that_slips_past_the_metadata_is_refused_by_the_table(self, lake: Lake) -> None:
        lake.collected(Mode.REPLACE)
        lake.stage(flights((1, "AA")))
        state, steps = lake.until_commit(f"{FLIGHTS}:load"), lake.steps()
        work = steps.work(state)
        lake.cloud.clock.advance(hours=1)
        lake.run(f"{FLIGHTS}:load")
        lake.load(flights((2, "UA")))
        with pytest.raises(StaleToken):
            steps.commit_table(work, state)
        assert self.ids(lake) == [2]

    def test_running_a_batch_again_replaces_its_rows_and_no_others(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        first = lake.load(flights((1, "AA"), (2, "AA")))
        lake.load(flights((3, "UA")))
        lake.load(flights((1, "AA"), (9, "AA")), again=first)
        assert self.ids(lake) == [1, 3, 9]

    def test_running_a_views_batch_again_replaces_its_rows_and_no_others(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        query = f"SELECT id, batch_start() AS since FROM {FLIGHTS} WHERE _batch >= batch_start() AND _batch < batch_end()"
        lake.view(query, Mode.APPEND, whole=False)
        first = lake.load(flights((1, "AA"), (2, "AA")))
        lake.run(VIEW)
        lake.load(flights((3, "UA")))
        lake.run(VIEW)
        lake.load(flights((1, "AA"), (9, "AA")), again=first)
        lake.run(VIEW, first, rerun=True)
        assert self.ids(lake, VIEW) == [1, 3, 9]

    def test_replacing_by_an_older_batch_run_again_leaves_the_current_table_alone(self, lake: Lake) -> None:
        lake.collected(Mode.REPLACE)
        first = lake.load(flights((1, "AA")))
        lake.load(flights((2, "UA")))
        lake.load(flights((7, "AA")), again=first)
        version = lake.cloud.reader.version_of(FLIGHTS, first.end)
        assert version is not None and self.ids(lake) == [2]
        if self.declaration.capabilities.time_travel:
            assert self.ids(lake, pointer=version.pointer) == [7]

    # -- views

    def test_a_view_on_a_view_and_a_result(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        lake.view(f"SELECT carrier, avg(delay) AS delay, count(*) AS id FROM {FLIGHTS} GROUP BY carrier")
        lake.view(
            f"SELECT max(v.id) AS id FROM {VIEW} v JOIN {FLIGHTS} f USING (carrier)", dataset="lake.ml.top", inputs=(VIEW, FLIGHTS)
        )
        result = "ops.public.out:result"
        lake.view("SELECT id + 1 AS id FROM lake.ml.top", Mode.MERGE, result, ("lake.ml.top",), key=("id",))
        lake.load(flights((1, "AA", 1.0), (2, "AA", 2.0), (3, "UA", 3.0)))
        for flow in (VIEW, "lake.ml.top", result):
            lake.run(flow)
        assert (self.ids(lake, VIEW), self.ids(lake, "lake.ml.top")) == ([1, 2], [2])
        assert lake.cloud.rows(result).to_pylist() == [{"id": 3}]

    def test_an_empty_result_is_a_result(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        lake.view(f"SELECT * FROM {FLIGHTS} WHERE false", Mode.APPEND)
        lake.view(f"SELECT id FROM {VIEW}", dataset="ops.public.out:result", inputs=(VIEW,))
        lake.load([])
        lake.run(VIEW)
        lake.run("ops.public.out:result")
        manifest = lake.cloud.manifest("ops.public.out:result")
        assert (self.ids(lake, VIEW), manifest["files"], manifest["schema"]["columns"][0]["type"]) == ([], [], "long")

    def test_a_late_batch_reads_its_inputs_as_of_its_end(self, lake: Lake) -> None:
        lake.collected(Mode.REPLACE)
        lake.view(f"SELECT * FROM {FLIGHTS}")
        lake.load(flights((1, "AA")))
        later = lake.load(flights((2, "UA")))
        lake.run(VIEW)
        if not self.declaration.capabilities.time_travel:
            return self._saw_the_newest_state(lake, later)
        assert self.ids(lake, VIEW) == [1]
        lake.run(VIEW)
        assert self.ids(lake, VIEW) == [2]

    def _saw_the_newest_state(self, lake: Lake, later: Interval) -> None:
        """Its batch has recorded which, so that the next one knows that it would see no other."""
        version = lake.cloud.reader.latest_version(VIEW)
        assert version is not None and (self.ids(lake, VIEW), version.reads) == ([2], {FLIGHTS: to_text(later.end)})
        assert lake.run(VIEW).planned["work"] == []

    def test_batch_bounds_are_moments_in_utc(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        lake.view(f"SELECT id, batch_start() AS low, date_trunc('day', batch_end()) AS high FROM {FLIGHTS}", whole=False)
        interval = lake.load(flights((1, "AA")))
        lake.run(VIEW)
        (row,) = self.read(lake.cloud, VIEW)
        assert (row["low"], row["high"]) == (interval.start, interval.end.replace(hour=0, minute=0))

    def test_merging_a_view_updates_its_rows(self, lake: Lake) -> None:
        lake.collected(Mode.REPLACE)
        lake.view(f"SELECT id, delay FROM {FLIGHTS}", Mode.MERGE, key=("id",))
        for rows in (flights((1, "AA", 1.0), (2, "AA", 2.0)), flights((2, "AA", 5.0))):
            lake.load(rows)
            lake.run(VIEW)
        assert sorted((r["id"], r["delay"]) for r in self.read(lake.cloud, VIEW)) == [(1, 1.0), (2, 5.0)]

    def test_a_wrong_query_names_its_place_and_shows_no_data(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        lake.load(flights((1, "hidden-value")))
        for number, (query, told) in enumerate(
            (
                (f"SELECT nothing FROM {FLIGHTS}", "nothing"),
                (f"SELECT CAST(carrier AS INTEGER) AS n FROM {FLIGHTS}", "failed"),
                (f"SELECT INTERVAL '1 day' AS i FROM {FLIGHTS}", "CAST"),
            )
        ):
            lake.view(query, dataset=f"lake.ops.wrong{number}")
            run = lake.run(f"lake.ops.wrong{number}", record_errors=True)
            (error,) = run.errors.values()
            assert isinstance(error, DefinitionError)
            assert str(HERE) in str(error) and told in str(error) and "hidden-value" not in str(error)

    def test_a_query_reaches_nothing_but_its_inputs(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        lake.load(flights((1, "AA")))
        (staged,) = [key for key in lake.cloud.keys("staging/collect.fake") if key.endswith("manifest.json")]
        for number, source in enumerate(
            ("read_text('/etc/hostname')", f"read_text('s3://{lake.cloud.bucket}/{staged}')", "glob('/etc/*')", "lake.ops.other")
        ):
            lake.view(f"SELECT * FROM {source}", dataset=f"lake.ops.curious{number}")
            run = lake.run(f"lake.ops.curious{number}", record_errors=True)
            assert [type(error) for error in run.errors.values()] == [DefinitionError]

    # -- what landed

    def test_a_table_tells_which_batch_is_its_newest_whatever_was_run_again(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        asked = {FLIGHTS: f"{FLIGHTS}:load"}
        warehouse = Warehouse("lake", self.declaration.system, self.options, HERE)
        assert newest_there(lake.steps(), warehouse, asked) == {FLIGHTS: None}
        first, second = lake.load(flights((1, "AA"))), lake.load(flights((2, "UA")))
        assert newest_there(lake.steps(), warehouse, asked) == {FLIGHTS: (second, 1)}
        lake.load(flights((3, "DL")), again=first)
        assert newest_there(lake.steps(), warehouse, asked) == {FLIGHTS: (second, 1)}
        lake.load(flights((4, "DL")), again=second)
        assert newest_there(lake.steps(), warehouse, asked) == {FLIGHTS: (second, 2)}
        assert newest_there(lake.steps(), warehouse, {FLIGHTS: "lake.another"}) == {FLIGHTS: None}

    # -- expectations

    def test_a_failed_fail_expectation_leaves_the_table_as_it_was(self, lake: Lake) -> None:
        lake.collected(Mode.REPLACE, expectations=(Expectation("complete", "carrier IS NOT NULL", "FAIL", HERE),))
        lake.load(flights((1, "AA")))
        lake.stage(flights((2, "AA"), (3, None)))
        run = lake.run(f"{FLIGHTS}:load", record_errors=True)
        assert "1 of 2 rows fail the expectation complete" in str(run.errors[FLIGHTS])
        assert self.ids(lake) == [1]

    def test_quarantined_rows_stay_out_and_are_kept_with_the_reason(self, lake: Lake) -> None:
        checks = (
            Expectation("known", "carrier <> 'XX'", "QUARANTINE", HERE),
            Expectation("late", "delay < 10", "QUARANTINE", HERE),
            Expectation("warned", "id < 3", "WARN", HERE),
        )
        lake.collected(Mode.APPEND, expectations=checks)
        lake.stage(flights((1, "AA", 1.0), (2, "XX", None), (3, "UA", 3.0)))
        lake.run(f"{FLIGHTS}:load")
        assert self.ids(lake) == [1, 3]
        (kept,) = self.read(lake.cloud, REJECTED)
        assert (kept["reason"], kept["stage"], json.loads(kept["data"])) == (
            "known, late",
            "organize",
            {"id": 2, "carrier": "XX", "delay": None},
        )
        told = lake.cloud.reader.failed_expectations(f"{FLIGHTS}:load", lake.cloud.clock.now - timedelta(days=1))
        notes = {e.detail["name"]: e.detail["failing"] for e in told}
        assert notes == {"known": 1, "late": 1, "warned": 1}

    def test_a_refresh_that_was_given_up_and_goes_on_brings_no_quarantined_row_back(self, lake: Lake) -> None:
        """As when the answer to an invocation is lost: the state machine calls again while the first call still works."""
        lake.collected(Mode.APPEND)
        lake.load(flights((1,), (2,)))
        keep = Expectation("even", "id % 2 = 0", "QUARANTINE", HERE)
        lake.view(f"SELECT id FROM {FLIGHTS}", expectations=(keep,))
        steps, context = lake.steps(), FakeContext()
        (state,) = steps.plan(lake.cloud.event(VIEW), context)["work"]
        checked = answered(steps, "check", answered(steps, "refresh", state))
        answered(lake.steps(), "refresh", state)
        steps.commit(checked, context)
        assert self.ids(lake, VIEW) == [2]

    def test_a_batch_says_how_many_rows_it_rejected_and_its_driver_shows_them(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND, expectations=(KNOWN,))
        first = lake.load(flights((1, "AA"), (2, "XX"), (3, "XX")))
        batch = lake.cloud.reader.batch(f"{FLIGHTS}:load", first.start)
        assert batch and (batch.outcomes[FLIGHTS].rows, batch.outcomes[FLIGHTS].rejected) == (1, 2)
        assert lake.cloud.reader.statistics(f"{FLIGHTS}:load")[0]["rejected"] == 2
        warehouse = Warehouse("lake", self.declaration.system, self.options, HERE)
        driver = self.open_driver()(warehouse, lake.cloud.services(self.declaration.id))
        found = driver.rejected(REJECTED, 10)
        assert [(r.batch, r.stage, r.reason, json.loads(r.data)["id"]) for r in found] == [
            (first.start, "organize", "known", 2),
            (first.start, "organize", "known", 3),
        ]
        assert len(driver.rejected(REJECTED, 1)) == 1 and driver.rejected("lake.ops.nothing__rejected", 1) == []

    def test_a_batch_that_is_run_again_replaces_what_it_rejected_and_nothing_else(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND, expectations=(KNOWN,))
        lake.load(flights((1, "XX")))
        second = lake.load(flights((2, "XX"), (3, "AA")))
        assert self.rejected(lake) == [1, 2]
        lake.load(flights((2, "AA"), (3, "XX")), again=second)
        assert (self.ids(lake), self.rejected(lake)) == ([2], [1, 3])
        lake.load(flights((2, "AA")), again=second)
        assert (self.ids(lake), self.rejected(lake)) == ([2], [1])

    def test_a_table_that_is_replaced_keeps_the_rejected_rows_of_its_last_batch(self, lake: Lake) -> None:
        lake.collected(Mode.REPLACE, expectations=(KNOWN,))
        lake.load(flights((1, "XX")))
        lake.load(flights((2, "XX"), (3, "XX")))
        assert self.rejected(lake) == [2, 3]
        lake.load(flights((4, "AA")))
        assert self.rejected(lake) == []

    def test_rows_of_a_published_result_are_rejected_into_the_warehouse_that_computes_it(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        lake.view(
            f"SELECT id, carrier FROM {FLIGHTS}",
            Mode.MERGE,
            "ops.public.scores:result",
            key=("id",),
            expectations=(KNOWN,),
        )
        lake.load(flights((1, "AA"), (2, "XX")))
        lake.run("ops.public.scores:result")
        (kept,) = self.read(lake.cloud, "lake.ops.public_scores__rejected")
        assert json.loads(kept["data"]) == {"id": 2, "carrier": "XX"}

    @pytest.mark.parametrize("tolerance", [BadRows(rows=2), BadRows(percent=50)])
    def test_as_many_bad_rows_as_are_tolerated_are_set_aside_and_one_more_fails_the_batch(
        self, lake: Lake, tolerance: BadRows
    ) -> None:
        lake.collected(Mode.APPEND, expectations=(KNOWN,), bad_rows=tolerance)
        lake.load(flights((1, "AA"), (2, "XX"), (3, "XX"), (4, "AA")))
        lake.stage(flights((5, "AA"), (6, "XX"), (7, "XX"), (8, "XX")))
        run = lake.run(f"{FLIGHTS}:load", record_errors=True)
        assert f"3 of 4 rows would be set aside (known 3), and TOLERATE {tolerance} allows fewer" in str(run.errors[FLIGHTS])
        assert (self.ids(lake), self.rejected(lake)) == ([1, 4], [2, 3])

    @pytest.mark.parametrize("mode", [Mode.APPEND, Mode.REPLACE])
    def test_rows_that_could_not_be_read_are_rejected_beside_those_that_fail_an_expectation(self, lake: Lake, mode: Mode) -> None:
        lake.collected(mode, expectations=(KNOWN,), bad_rows=BadRows(rows=2))
        unread = {"_batch": datetime(2026, 1, 1, tzinfo=UTC), "stage": "collect", "reason": "delay is no double", "data": '{"id": 7}'}
        loaded = lake.load(flights((1, "AA"), (2, "XX")), rejected=[unread])
        found = {json.loads(row["data"])["id"]: (row["stage"], row["reason"]) for row in self.read(lake.cloud, REJECTED)}
        assert found == {7: ("collect", "delay is no double"), 2: ("organize", "known")}
        batch = lake.cloud.reader.batch(f"{FLIGHTS}:load", loaded.start)
        assert batch and batch.outcomes[FLIGHTS].rejected == 2
        lake.stage(flights((3, "XX"), (4, "XX")), rejected=[unread])
        run = lake.run(f"{FLIGHTS}:load", record_errors=True)
        assert "3 of 3 rows would be set aside (known 2; 1 could not be read)" in str(run.errors[FLIGHTS])

    def test_rows_that_could_not_be_read_are_rejected_without_any_expectation(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND, bad_rows=BadRows(rows=2))
        unread = {"_batch": datetime(2026, 1, 1, tzinfo=UTC), "stage": "collect", "reason": "delay is no double", "data": '{"id": 7}'}
        lake.load(flights((1, "AA")), rejected=[unread])
        assert (self.ids(lake), self.rejected(lake)) == ([1], [7])

    def rejected(self, lake: Lake) -> list[int]:
        return sorted(json.loads(row["data"])["id"] for row in self.read(lake.cloud, REJECTED))

    def test_a_null_predicate_is_not_met(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        lake.view(f"SELECT * FROM {FLIGHTS}", expectations=(Expectation("e", "delay > 0", "FAIL", HERE),))
        lake.load(flights((1, "AA", None)))
        assert VIEW in lake.run(VIEW, record_errors=True).errors

    # -- schemas and values

    def test_columns_come_go_and_widen(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        narrow = [("id", "int", pa.int32()), ("gone", "string", pa.string()), ("price", "decimal(5,2)", pa.decimal128(5, 2))]
        wide = [("id", "long", pa.int64()), ("come", "date", pa.date32()), ("price", "decimal(9,2)", pa.decimal128(9, 2))]
        lake.load([{"id": 1, "gone": "x", "price": Decimal("1.50")}], narrow)
        lake.load([{"id": 2**40, "come": date(2026, 1, 1), "price": Decimal("1234567.50")}], wide)
        lake.load([{"id": 3, "gone": "y", "price": Decimal("2.50")}], narrow)
        found = sorted((r["id"], r["gone"], r["come"], r["price"]) for r in self.read(lake.cloud, FLIGHTS))
        assert found == [
            (1, "x", None, Decimal("1.50")),
            (3, "y", None, Decimal("2.50")),
            (2**40, None, date(2026, 1, 1), Decimal("1234567.50")),
        ]
        lake.view(
            f"SELECT max(id) AS id, min(gone) AS gone, max(come) AS come, CAST(sum(price) AS decimal(38,2)) AS price FROM {FLIGHTS}"
        )
        for _ in range(3):
            lake.run(VIEW)
        assert [r["id"] for r in self.read(lake.cloud, VIEW)] == [2**40]
        registered = lake.cloud.reader.latest_schema(FLIGHTS)
        assert registered is not None
        assert {c.name: c.type for c in registered.schema.columns}["price"] == "decimal(9,2)"

    def test_an_incompatible_type_is_refused_by_both_names(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        lake.load(flights((1, "AA")))
        lake.stage([{"id": "x"}], [("id", "string", pa.string())])
        run = lake.run(f"{FLIGHTS}:load", record_errors=True)
        assert isinstance(run.errors[FLIGHTS], DefinitionError)
        assert "long" in str(run.errors[FLIGHTS]) and "string" in str(run.errors[FLIGHTS])
        assert self.ids(lake) == [1]

    def test_extreme_values_survive_load_and_view(self, lake: Lake) -> None:
        lake.collected(Mode.MERGE, key=("id",))
        columns, rows = self._extremes()
        lake.view(f"SELECT {', '.join(name for name, _, _ in columns)} FROM {FLIGHTS}")
        lake.load(rows, columns)
        lake.load([{"id": 99}], columns)  # rewrites the first file
        lake.run(VIEW)
        lake.run(VIEW)
        nothing = dict.fromkeys(rows[0])
        expected = {row["id"]: row for row in [*rows, {**nothing, "id": 99}]}
        for dataset in (FLIGHTS, VIEW):
            found = {r["id"]: {k: v for k, v in r.items() if k != "_batch"} for r in self.read(lake.cloud, dataset)}
            assert found == expected

    def _extremes(self) -> tuple[list[Typed], list[Row]]:
        """Of the types that the slice keeps."""
        columns, rows = _extremes()
        never = set(self.declaration.capabilities.never_written)
        kept = [column for column in columns if not never & set(words(parsed(column[1])))]
        return kept, [{name: row[name] for name, _, _ in kept} for row in rows]

    @pytest.mark.parametrize("mode", [Mode.APPEND, Mode.REPLACE, Mode.MERGE])
    def test_structs_and_maps_of_any_nesting_survive_load_view_and_quarantine(self, lake: Lake, mode: Mode) -> None:
        self.keeps("struct", "map", "list")
        rule = Expectation("known", f"nested.name <> 'XX' AND {self.length_of_list}(nested.\"odd: name\") > 0", "QUARANTINE", HERE)
        lake.collected(mode, expectations=(rule,), **({"key": ("id",)} if mode == Mode.MERGE else {}))
        lake.view(f"SELECT *, nested.name AS name, tags['k'].v AS v FROM {FLIGHTS}", dataset="lake.ops.whole")
        rows = nested_rows()
        lake.load(rows, NESTED)
        lake.load([*rows, {**rows[0], "id": 9, "nested": {**rows[0]["nested"], "name": "XX"}}], NESTED)
        for _ in range(2):
            lake.run("lake.ops.whole")
        kept = rows * 2 if mode == Mode.APPEND else rows
        for dataset in (FLIGHTS, "lake.ops.whole"):
            found = [{name: row[name] for name, _, _ in NESTED} for row in self.read(lake.cloud, dataset)]
            assert _by_id(found) == _by_id(kept)
        (aside,) = self.read(lake.cloud, REJECTED)
        assert json.loads(aside["data"]) == {
            "id": 9,
            "nested": {"name": "XX", "odd: name": [{"x": 1, "y": None}, None]},
            "tags": {"k": {"v": 1.5}, "none": None},
            "lists": [{"k": {"deep": ["a", None]}}],
        }

    def test_fields_of_structs_come_go_and_widen_wherever_they_are_nested(self, lake: Lake) -> None:
        self.keeps("struct")
        lake.collected(Mode.MERGE, key=("id",))
        for kind in ("struct<{}>", "list<struct<{}>>", "map<string, struct<{}>>", "struct<deep: list<struct<{}>>>"):
            dataset, made = f"lake.ops.t{len(kind)}", _wrapped(kind)
            lake.collected(Mode.MERGE, dataset, key=("id",))
            narrow = [ID[0], ("c", kind.format("a: int, gone: string"), made[0](pa.struct({"a": pa.int32(), "gone": pa.string()})))]
            wide = [ID[0], ("c", kind.format("come: date, a: long"), made[0](pa.struct({"come": pa.date32(), "a": pa.int64()})))]
            for columns, rows in (
                (narrow, [{"id": 1, "c": made[1]({"a": 1, "gone": "x"})}, {"id": 2, "c": made[1]({"a": 2, "gone": "y"})}]),
                (wide, [{"id": 2, "c": made[1]({"a": 2**40, "come": date(2026, 1, 1)})}]),
                (narrow, [{"id": 3, "c": made[1](None)}]),
            ):
                lake.run(f"{dataset}:load", lake.stage(rows, columns, dataset=dataset))
            first, second, third = _by_id(self.read(lake.cloud, dataset))
            assert first["c"] == made[1]({"a": 1, "gone": "x", "come": None}) and third["c"] == made[1](None)
            assert second["c"] == made[1]({"a": 2**40, "gone": None, "come": date(2026, 1, 1)})

    @pytest.mark.security
    @pytest.mark.parametrize("mode", [Mode.APPEND, Mode.REPLACE, Mode.MERGE])
    def test_hostile_names_and_values_are_names_and_values_and_nothing_else(self, lake: Lake, mode: Mode) -> None:
        """As key, cursor and partition of a collected table, and in the columns, the query and the rules of a view."""
        self._named(lake, mode, hostile.NAMES)

    @pytest.mark.security
    @pytest.mark.sampled(3)
    @pytest.mark.parametrize("mode", [Mode.MERGE, Mode.REPLACE, Mode.APPEND])
    def test_columns_called_as_those_of_our_sql_keep_their_values(self, lake: Lake, mode: Mode) -> None:
        self._named(lake, mode, hostile.ours())

    @pytest.mark.security
    def test_a_query_s_own_tables_called_as_those_of_our_sql_are_its_own(self, lake: Lake) -> None:
        """One WITH behind the other; rows are merged, and set aside."""
        lake.collected(Mode.APPEND)
        known = Expectation("known", "carrier <> 'XX'", "QUARANTINE", HERE)
        lake.view(query_of_ours("carrier"), Mode.MERGE, key=("id",), expectations=(known,))
        for rows in ([(1, "AA"), (2, "UA")], [(2, "DL"), (3, "XX")]):
            lake.load(flights(*rows))
            lake.run(VIEW)
        found = {row["id"]: row["carrier"] for row in self.read(lake.cloud, VIEW)}
        assert found.keys() == {1, 2} and found[1] == "AA"

    def _named(self, lake: Lake, mode: Mode, names: Sequence[str]) -> None:
        key, cursor, part, *_ = names
        columns = [("id", "long", pa.int64()), *((name, "string", pa.string()) for name in names)]
        rows = [{"id": n, **dict.fromkeys(names, value), part: f"part {n % 2}"} for n, value in enumerate(hostile.VALUES)]
        clauses = {"key": (key,), "cursor": cursor} if mode == Mode.MERGE else {}
        lake.collected(mode, partition_by=(part,), **clauses)
        for _ in range(2):  # the second meets the rows of the first
            lake.load(rows, columns)
        stored = [{name: row[name] for name, _, _ in columns} for row in self.read(lake.cloud, FLIGHTS)]
        assert _by_id(stored) == _by_id(rows * 2 if mode == Mode.APPEND else rows)
        lines = [f"{quoted(name)} AS {quoted(name + ' too')}" for name in names[:-1]]
        rule = Expectation("known", f"{quoted(key + ' too')} IN ({', '.join(map(hostile.literal, hostile.VALUES))})", "FAIL", HERE)
        lake.view(f"SELECT id, {', '.join(lines)} FROM {FLIGHTS}", expectations=(rule,), partition_by=(part + " too",))
        lake.run(VIEW)
        seen = [{name: row[f"{name} too"] for name in names[:-1]} | {"id": row["id"]} for row in self.read(lake.cloud, VIEW)]
        assert _by_id(seen) == _by_id([{name: row[name] for name in ("id", *names[:-1])} for row in stored])

    def test_wide_tables_survive(self, lake: Lake) -> None:
        lake.collected(Mode.APPEND)
        lake.view(f"SELECT * FROM {FLIGHTS}")
        columns = [("id", "long", pa.int64()), *((f"column_{n}", "string", pa.string()) for n in range(500))]
        interval = lake.load([{"id": 1, **{f"column_{n}": f"value {n}" for n in range(500)}}], columns)
        lake.load([{"id": 2, "column_499": "ü"}], columns, again=interval)
        lake.run(VIEW)
        (row,) = self.read(lake.cloud, VIEW)
        assert (row["id"], row["column_0"], row["column_499"]) == (2, None, "ü")

    # -- what others see

    def test_readers_never_see_half_a_replace(self, lake: Lake) -> None:
        lake.collected(Mode.REPLACE)
        lake.load(flights(*((n, "0") for n in range(50))), files=5)
        seen: list[set[str]] = []
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                rows = self.read(lake.cloud, FLIGHTS)
                seen.append({str(len(rows)), *(row["carrier"] for row in rows)})

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for generation in range(1, 4):
                lake.load(flights(*((n, str(generation)) for n in range(50))), files=5)
        finally:
            done.set()
            watcher.join()
        assert seen and all(len(generation) == 2 and "50" in generation for generation in seen)

    def test_no_value_and_no_credential_reaches_a_log_or_a_document(
        self, lake: Lake, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG", logger="slices")
        lake.cloud.session = session_with("a-very-secret-key")
        lake.collected(Mode.APPEND)
        lake.view(f"SELECT id, CAST(carrier AS INTEGER) AS x FROM {FLIGHTS}")
        lake.load(flights((1, "a-very-private-value")))
        run = lake.run(VIEW, record_errors=True)
        documents = [lake.cloud.body(k).decode() for k in lake.cloud.keys("staging/") if k.endswith(".json")]
        state = json.dumps([run.planned, run.results, str(run.errors)], default=str)
        everything = " ".join([*documents, state, caplog.text, *capfd.readouterr()])
        assert "a-very-private-value" not in everything and "a-very-secret-key" not in everything


def _by_id(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row["id"])


NESTED: list[Typed] = [
    ID[0],
    (
        "nested",
        'struct<name: string, "odd: name": list<struct<x: int, y: decimal(5,2)>>>',
        pa.struct(
            {"name": pa.string(), "odd: name": pa.list_(pa.field("element", pa.struct({"x": pa.int32(), "y": pa.decimal128(5, 2)})))}
        ),
    ),
    ("tags", "map<string, struct<v: double>>", pa.map_(pa.string(), pa.struct({"v": pa.float64()}))),
    (
        "lists",
        "list<map<string, struct<deep: list<string>>>>",
        pa.list_(
            pa.field("element", pa.map_(pa.string(), pa.struct({"deep": pa.list_(pa.field("element", pa.string()))}))),
        ),
    ),
]


def nested_rows() -> list[Row]:
    """As pyarrow gives them back: a map is a list of pairs."""
    whole = {
        "id": 1,
        "nested": {"name": "a", "odd: name": [{"x": 1, "y": None}, None]},
        "tags": [("k", {"v": 1.5}), ("none", None)],
        "lists": [[("k", {"deep": ["a", None]})]],
    }
    bare = {"id": 2, "nested": {"name": None, "odd: name": [{"x": None, "y": Decimal("1.50")}]}, "tags": [], "lists": [[], None]}
    return [whole, {**bare, "nested": {**bare["nested"], "name": "b"}}]  # type: ignore[dict-item]


def _wrapped(kind: str) -> tuple[Callable[[pa.DataType], pa.DataType], Callable[[Any], Any]]:
    """How a struct's type and value become those of `kind`."""
    if kind.startswith("list"):
        return (lambda inner: pa.list_(pa.field("element", inner))), (lambda value: [value])
    if kind.startswith("map"):
        return (lambda inner: pa.map_(pa.string(), inner)), (lambda value: [("k", value)])
    if "deep" in kind:
        return (lambda inner: pa.struct({"deep": pa.list_(pa.field("element", inner))})), (lambda value: {"deep": [value]})
    return (lambda inner: inner), (lambda value: value)


def _extremes() -> tuple[list[Typed], list[Row]]:
    columns = [
        ("id", "long", pa.int64()),
        ("flag", "boolean", pa.bool_()),
        ("small", "int", pa.int32()),
        ("single", "float", pa.float32()),
        ("real", "double", pa.float64()),
        ("exact", "decimal(38,10)", pa.decimal128(38, 10)),
        ("day", "date", pa.date32()),
        ("clock", "time", pa.time64("us")),
        ("local", "timestamp", pa.timestamp("us")),
        ("moment", "timestamptz", pa.timestamp("us", "UTC")),
        ("text", "string", pa.string()),
        ("identity", "uuid", pa.binary(16)),
        ("bytes", "binary", pa.binary()),
        ("many", "list<string>", pa.list_(pa.field("element", pa.string()))),
    ]
    low: tuple[Any, ...] = (
        -(2**63), False, -(2**31), -math.inf, 5e-324, Decimal("-9999999999999999999999999999.9999999999"), date(1, 1, 1), time(0),
        datetime(1, 1, 1), datetime(1, 1, 1, tzinfo=UTC), "", UUID(int=0), b"", [],
    )  # fmt: skip
    high: tuple[Any, ...] = (
        2**63 - 1, True, 2**31 - 1, math.inf, 1.7976931348623157e308, Decimal("9999999999999999999999999999.9999999999"),
        date(9999, 12, 31), time(23, 59, 59, 999999), datetime(9999, 12, 31, 23, 59, 59, 999999),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), "żółć 🛫\n\t'\"\\ \u202e", UUID(int=2**128 - 1), bytes(range(256)),
        ["a", None, ""],
    )  # fmt: skip
    names = [name for name, _, _ in columns]
    rows = [dict(zip(names, values, strict=True)) for values in (low, high)]
    return columns, [*rows, {**dict.fromkeys(names), "id": 0}]
