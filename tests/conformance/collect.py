"""What every collect slice must do, as tests that a slice's own tests inherit.

A slice gives a fixture `source` (a SourceUnderTest over an empty source of its own). Rows are told apart by their `label`.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared_metadata.contract import collect
from shared_metadata.contract.collect import CollectSteps, Extracted, ExtractRequest, OpenSource, Source
from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import AtollError, DefinitionError, RetryLater, RowError, StaleToken
from shared_metadata.program import BadRows, Connection, Flow, Kind, Mode, Position, Program, Table
from shared_metadata.program.intervals import Interval, floor
from shared_metadata.state.effect import Effect
from tests.conformance import hostile
from tests.conformance.discovery import NAME, DiscoveryConformance, Looking, signs_in
from tests.conformance.fixtures import BatchRun, Cloud, FakeContext, check_statistics, open_cloud, run_batch
from tests.conformance.masking import MaskConformance
from tests.conformance.waiting import slowed, waiting

HOUR = 3600
FLOW, HERE = "lake.raw.thing", Position("program.atoll", 7, 3)
NEAR_SECONDS = 5.0  # of remaining time: less than the margin that every step keeps
Row = Mapping[str, Any]
COLUMNS = {"label": "string", "number": "double", "flag": "boolean", "day": "date", "moment": "timestamptz"}


# Of a batch: rows that come before it, whether a transaction is begun then and left open, and whether the open ones end after it.
History = tuple[Sequence[int], bool, bool]
HISTORIES = st.lists(
    st.tuples(st.lists(st.integers(0, 9), max_size=2, unique=True), st.booleans(), st.booleans()), min_size=1, max_size=5
)


class SourceUnderTest(Protocol):
    """The door to a real source, or its double, through which the suite changes it as its users do.

    declaration: the slice's.  options: of the connection, without `secret`.  incremental: mode, key and cursor of a flow that
    takes changes only.  appending: the same of one that adds rows.
    large_rows: how many rows of COLUMNS one extract near its deadline cannot read in one call.
    most_columns: how many text columns a table may have.  hostile_names: of columns, such as the source takes.
    secret: what Secrets Manager holds, and the same with a wrong credential or with the address of a server that is not there; {}
    where connections have none, since the functions' role signs in: then what the suite asks of secrets is left out, and the slice's
    own tests say what a role that is denied, and a service that is down, lead to.
    secret_values: what must never be shown.
    unreadable_day: what a day that no warehouse can hold begins with (`put_unreadable`).
    moments: one of the first and one of the last that a column of moments can hold.
    days_are_moments: it may say so: a day is collected as the moment at which it begins.
    """

    @property
    def declaration(self) -> Slice: ...

    @property
    def options(self) -> Mapping[str, Any]: ...

    @property
    def incremental(self) -> Mapping[str, Any]: ...

    @property
    def appending(self) -> Mapping[str, Any]: ...

    @property
    def large_rows(self) -> int: ...

    @property
    def most_columns(self) -> int: ...

    @property
    def hostile_names(self) -> Sequence[str]: ...

    @property
    def secret(self) -> Mapping[str, Any]: ...

    @property
    def refused_secret(self) -> Mapping[str, Any]: ...

    @property
    def unreachable_secret(self) -> Mapping[str, Any]: ...

    @property
    def secret_values(self) -> Sequence[str]: ...

    @property
    def unreadable_day(self) -> str: ...

    @property
    def moments(self) -> tuple[datetime, datetime]: ...

    def open_source(self, aws: Any) -> OpenSource:
        """As the slice's handlers open it; `aws` is the boto3 session."""
        ...

    def create_table(self, columns: Mapping[str, str]) -> str:
        """A new table of columns with neutral types (those of COLUMNS); returns what a program calls it."""
        ...

    def put(self, table: str, rows: Sequence[Row], at: datetime) -> None:
        """Inserts rows, or updates those whose label is there, as of a moment; what a row does not name is null."""
        ...

    def put_slowly(self, table: str, label: str, at: datetime) -> contextlib.AbstractContextManager[None]:
        """Inserts a row as of a moment in a transaction that is open until the end; no row where the source has none."""
        ...

    def put_unreadable(self, table: str, label: str, at: datetime) -> None:
        """Inserts a row of COLUMNS, or updates it, whose `day` is none that the warehouse can hold."""
        ...

    def delete(self, table: str, labels: Sequence[str], at: datetime) -> None: ...

    def drop_column(self, table: str, column: str) -> None: ...

    def add_column(self, table: str, column: str, kind: str) -> None:
        """kind: one of COLUMNS' types, 'int' or 'long'."""
        ...

    def retype_column(self, table: str, column: str, kind: str) -> None: ...

    def rename_column(self, table: str, column: str, name: str) -> None: ...

    def drop_table(self, table: str) -> None: ...

    def collected_name(self, column: str) -> str:
        """What the column is called in the warehouse."""
        ...


class Collecting:
    """One flow over one table of the source, and its batches."""

    def __init__(self, cloud: Cloud, source: SourceUnderTest) -> None:
        self.cloud, self.source = cloud, source
        self.dataset, self.table = f"{FLOW}:staged", ""
        self.cloud.put_secret("thing", source.secret)

    def collect(self, table: str, *, incremental: bool = True, restated_from: datetime | None = None, **more: Any) -> None:
        """Applies a program with the flow. restated_from: what an earlier one has made since then is made again."""
        self.table = table
        how = more.pop("how", None) or (self.source.incremental if incremental else {"mode": Mode.REPLACE})
        if not incremental and Mode.REPLACE not in self.source.declaration.capabilities.modes:
            pytest.skip("the slice declares no REPLACE")
        options = {"secret": "thing", **self.source.options, **more.pop("options", {})}
        tables = (Table(self.dataset, table, masks=more.pop("masks", {})),)
        slice_id, system = self.source.declaration.id, self.source.declaration.system
        flow = Flow(FLOW, Kind.COLLECT, slice_id, "lake", HOUR, tables, HERE, connection="out", **how, **more)
        program = Program({"out": Connection("out", system, options, HERE)}, {}, {FLOW: flow})
        if restated_from is None:
            self.cloud.apply(program)
            return
        self.cloud.writer.put_program(program)
        self.cloud.writer.schedule(program, Effect(restated_from, restates=True), expected=self.cloud.reader.timeline())

    def steps(self, wrapped: Callable[[OpenSource], OpenSource] = lambda open_source: open_source) -> CollectSteps:
        """As a fresh process makes them."""
        services = self.cloud.services(self.source.declaration.id)
        return CollectSteps(self.source.declaration, services, wrapped(self.source.open_source(self.cloud.session)))

    def slow_steps(self, looks: int) -> CollectSteps:
        """Whose extract is called in vain so often before it does its work, again after each piece."""
        steps = self.steps(lambda open_source: slowed(open_source, "collect", looks))
        steps.declaration = waiting(steps.declaration)
        return steps

    def run(self, **how: Any) -> BatchRun:
        """The next batch."""
        return run_batch(self.steps(), self.cloud.event(FLOW), **how)

    def refusal(self) -> str:
        """The error, with its name, that the next batch ends with in plan, for the execution or for the table."""
        try:
            (failed,) = self.run(record_errors=True).planned["failed"]
        except AtollError as error:
            return f"{type(error).__name__}: {error}"
        return str(failed["error"])

    @property
    def at(self) -> datetime:
        """A moment within the next batch."""
        state, now = self.cloud.reader.states_of({FLOW: [self.dataset]}).get(FLOW), self.cloud.clock.now
        start = state.tables[self.dataset].watermark if state else floor(now, HOUR) - timedelta(seconds=HOUR)
        return start + timedelta(minutes=20)

    def day(self, day: Any) -> date:
        """As it is collected."""
        return datetime.combine(day, time()) if getattr(self.source, "days_are_moments", False) else day

    def rows(self) -> list[dict[str, Any]]:
        """What the latest batch staged, under the neutral names where there is one, ordered by label."""
        found = self.cloud.rows(self.dataset)
        names = {self.source.collected_name(name): name for name in (*COLUMNS, "label")}
        rows = [{names.get(name, name): value for name, value in row.items()} for row in (found.to_pylist() if found else [])]
        return sorted(rows, key=lambda row: row["label"] or "")

    def rejected(self) -> list[dict[str, Any]]:
        """What the latest batch has set aside, ordered by its values."""
        files = self.cloud.manifest(self.dataset)["rejected"]
        tables = [pq.read_table(io.BytesIO(self.cloud.body(file["key"]))) for file in files]
        assert [table.num_rows for table in tables] == [file["rows"] for file in files]
        rows = [{**row, "data": json.loads(row["data"])} for table in tables for row in table.to_pylist()]
        assert all(row["stage"] == "collect" for row in rows)
        return sorted(rows, key=lambda row: str(row["data"]))

    def labels(self) -> list[str]:
        return [row["label"] for row in self.rows()]

    def run_again(self, interval: Interval) -> BatchRun:
        return run_batch(self.steps(), self.cloud.event(FLOW, rerun=True, interval=interval))

    def staged_by(self, interval: Interval) -> list[str]:
        """The labels that a batch has staged, in order."""
        version = self.cloud.reader.version_of(self.dataset, interval.end)
        files = json.loads(self.cloud.body(version.pointer["manifest"]))["files"] if version else []
        tables = [pq.read_table(io.BytesIO(self.cloud.body(file["key"]))) for file in files]
        name = self.source.collected_name("label")
        assert all(batch == interval.start for table in tables for batch in table["_batch"].to_pylist())
        return sorted(label for table in tables for label in table[name].to_pylist())

    def versions(self) -> tuple[Any, Any]:
        """What a repeated step must not change."""
        return self.cloud.reader.latest_version(self.dataset), self.cloud.reader.flow_states([FLOW])[FLOW]


def label_rows(labels: Sequence[str]) -> list[dict[str, Any]]:
    return [{"label": label, "number": float(number)} for number, label in enumerate(labels)]


def crashing(open_source: OpenSource) -> OpenSource:
    """A source whose process ends when extract has written its files, before what it did is recorded."""

    class Crashing:
        def __init__(self, source: Source) -> None:
            self._source = source

        def __getattr__(self, name: str) -> Any:
            return getattr(self._source, name)

        def extract(self, request: ExtractRequest, resume: Any, deadline: Deadline) -> Extracted:
            self._source.extract(request, resume, deadline)
            raise KeyboardInterrupt  # what no handler can catch and record

    return lambda connection, secret: Crashing(open_source(connection, secret))  # type: ignore[return-value]


def delayed(open_source: OpenSource, meanwhile: Callable[[], None]) -> OpenSource:
    """A source whose extract stands still at first while something else happens."""

    class Delayed:
        def __init__(self, source: Source) -> None:
            self._source = source

        def __getattr__(self, name: str) -> Any:
            return getattr(self._source, name)

        def extract(self, request: ExtractRequest, resume: Any, deadline: Deadline) -> Extracted:
            meanwhile()
            return self._source.extract(request, resume, deadline)

    return lambda connection, secret: Delayed(open_source(connection, secret))  # type: ignore[return-value]


class CollectConformance(MaskConformance, DiscoveryConformance):
    """The suite. A test skips only where the slice declares that it cannot."""

    @pytest.fixture
    def cloud(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
        yield from open_cloud(monkeypatch)

    @pytest.fixture
    def aws(self, cloud: Cloud) -> None:
        """What further clouds need."""

    @pytest.fixture
    def collecting(self, cloud: Cloud, source: SourceUnderTest) -> Collecting:
        return Collecting(cloud, source)

    @pytest.fixture
    def looking(self, cloud: Cloud, source: SourceUnderTest) -> Looking:
        return Looking(
            cloud, source.declaration, source.open_source(cloud.session), source.options, source.secret,
            source.refused_secret, source.unreachable_secret, source.secret_values, [source.create_table(COLUMNS)],
        )  # fmt: skip

    # -- schemas

    def test_describe_gives_the_schema_that_is_collected(self, collecting: Collecting, looking: Looking) -> None:
        (table,) = looking.tables
        collecting.source.put(table, label_rows(["a"]), collecting.at)
        collecting.collect(table)
        collecting.run()
        latest = collecting.cloud.reader.latest_schema(collecting.dataset)
        own = ("_batch", "_deleted")
        assert latest and looking.schema(table).columns == tuple(c for c in latest.schema.columns if c.name not in own)
        collecting.source.drop_column(table, "number")
        assert collecting.source.collected_name("number") not in [column.name for column in looking.schema(table).columns]

    # -- batches

    def test_first_batch_takes_the_whole_table(self, collecting: Collecting) -> None:
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a", "b"]), collecting.at - timedelta(days=400))
        collecting.source.put(table, label_rows(["c"]), collecting.at)
        collecting.collect(table)
        collecting.run()
        assert collecting.labels() == ["a", "b", "c"]

    def test_statistics_tell_size_skew_and_cost(self, collecting: Collecting, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "2048")
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a", "b"]), collecting.at)
        collecting.collect(table)
        collecting.run()
        check_statistics(collecting.cloud, FLOW, rows=2)

    def test_later_batch_takes_only_what_changed_in_it(self, collecting: Collecting) -> None:
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a", "b", "c"]), collecting.at)
        collecting.collect(table)
        collecting.run()
        collecting.source.put(table, [{"label": "b", "number": 7.0}, {"label": "d"}], collecting.at)
        collecting.run()
        assert [(row["label"], row["number"]) for row in collecting.rows()] == [("b", 7.0), ("d", None)]

    def test_rows_changed_after_the_batch_ended_wait_for_theirs(self, collecting: Collecting) -> None:
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a"]), collecting.at)
        collecting.source.put(table, label_rows(["late"]), collecting.at + timedelta(hours=1))
        collecting.collect(table)
        collecting.run()
        assert collecting.labels() == ["a"]
        collecting.run()
        assert collecting.labels() == ["late"]

    def test_batch_without_changes_is_committed_by_plan_alone(self, collecting: Collecting) -> None:
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a"]), collecting.at)
        collecting.collect(table)
        collecting.run()
        version, _ = collecting.versions()
        run = collecting.run()
        assert (run.planned["committed"], run.calls) == ([collecting.dataset], {})
        assert collecting.versions()[0] == version

    def test_change_is_found_after_batches_without_changes(self, collecting: Collecting) -> None:
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a"]), collecting.at)
        collecting.collect(table)
        for _ in range(3):
            collecting.run()
        collecting.source.put(table, label_rows(["b"]), collecting.at)
        collecting.run()
        assert collecting.labels() == ["b"]

    def test_empty_table_is_committed_without_rows(self, collecting: Collecting) -> None:
        table = collecting.source.create_table(COLUMNS)
        collecting.collect(table)
        run = collecting.run()
        assert run.results[collecting.dataset]["rows"] == 0
        collecting.source.put(table, label_rows(["a"]), collecting.at)
        collecting.run()
        assert collecting.labels() == ["a"]

    def test_replace_takes_the_whole_table_in_every_batch(self, collecting: Collecting) -> None:
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a", "b"]), collecting.at - timedelta(days=2))
        collecting.collect(table, incremental=False)
        collecting.run()
        collecting.source.delete(table, ["a"], collecting.at)
        collecting.run()
        assert collecting.labels() == ["b"]

    def test_deleted_rows_are_reported(self, collecting: Collecting) -> None:
        if not collecting.source.declaration.capabilities.reports_deletes:
            pytest.skip("the slice declares that it reports no deletes")
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a", "b"]), collecting.at)
        collecting.collect(table)
        collecting.run()
        collecting.source.delete(table, ["a"], collecting.at)
        collecting.run()
        assert [(row["label"], row["_deleted"]) for row in collecting.rows()] == [("a", True)]

    def test_rerun_takes_the_rows_of_its_interval_and_leaves_the_cursor(self, collecting: Collecting) -> None:
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["old"]), collecting.at - timedelta(days=9))
        collecting.collect(table)
        collecting.run()
        start = collecting.at - timedelta(minutes=20)
        collecting.source.put(table, label_rows(["new"]), collecting.at)
        collecting.run()
        _, state = collecting.versions()
        event = collecting.cloud.event(FLOW, rerun=True, interval=Interval(start, start + timedelta(hours=1)))
        run_batch(collecting.steps(), event)
        assert collecting.labels() == ["new"]
        assert collecting.versions()[1] == state

    def test_rerun_of_a_batch_whose_rows_are_gone_stages_none(self, collecting: Collecting) -> None:
        table = collecting.source.create_table(COLUMNS)
        start = collecting.at - timedelta(minutes=20)
        collecting.source.put(table, label_rows(["moved"]), collecting.at)
        collecting.collect(table)
        collecting.run()
        collecting.source.put(table, label_rows(["moved"]), collecting.at)
        collecting.run()
        event = collecting.cloud.event(FLOW, rerun=True, interval=Interval(start, start + timedelta(hours=1)))
        run_batch(collecting.steps(), event)
        again = collecting.cloud.reader.version_of(collecting.dataset, start + timedelta(hours=1))
        assert again is not None and (again.rows, again.token) == (0, 2)

    # -- waiting

    def test_an_extract_that_waits_brings_what_one_that_does_not_brings(self, collecting: Collecting) -> None:
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a", "b"]), collecting.at)
        collecting.collect(table)
        run = run_batch(collecting.slow_steps(2), collecting.cloud.event(FLOW))
        assert collecting.labels() == ["a", "b"] and len(run.pauses) >= 2
        assert collecting.cloud.reader.flow_states([FLOW])[FLOW].tables[collecting.dataset].attempts == 0

    def test_an_extract_that_waits_between_its_pieces_goes_on_from_its_token(self, collecting: Collecting) -> None:
        wanted = self._large(collecting)
        event, near = collecting.cloud.event(FLOW), lambda step: FakeContext(NEAR_SECONDS if step == "extract" else 900)
        run = run_batch(collecting.slow_steps(1), event, context=near)
        assert run.calls["extract"] > 1 and len(run.pauses) == run.calls["extract"]
        assert collecting.labels() == wanted

    @pytest.mark.budget(60)
    @example(history=[((), False, True)], again=[0, 0])
    @example(
        history=[((), False, True), ((1,), True, False), ((2,), False, True), ((), False, True), ((3,), False, True)], again=[2, 1, 3]
    )
    @settings(max_examples=40, suppress_health_check=[*HealthCheck], deadline=None)
    @given(history=HISTORIES, again=st.lists(st.integers(0, 9), min_size=1, max_size=4))
    def test_a_batch_that_adds_rows_takes_the_same_ones_when_it_is_run_again(
        self, source: SourceUnderTest, aws: None, history: Sequence[History], again: Sequence[int]
    ) -> None:
        """Whatever of first and later batches, empty ones and such as stopped behind a transaction went before."""
        if Mode.APPEND not in source.declaration.capabilities.modes:
            pytest.skip("the slice declares no APPEND")
        collecting = Collecting(Cloud(), source)
        intervals = self._lived(collecting, history)
        first = {interval: collecting.staged_by(interval) for interval in intervals}
        loaded = [(interval, label) for interval in intervals for label in first[interval]]
        for number in again:
            interval = intervals[number % len(intervals)]
            collecting.run_again(interval)
            assert collecting.staged_by(interval) == first[interval]
            loaded = [row for row in loaded if row[0] != interval]  # as the warehouse takes it
            loaded += [(interval, label) for label in collecting.staged_by(interval)]
        collecting.run()
        came = [*(label for _, label in loaded), *collecting.staged_by(self._last(collecting))]
        assert len(came) == len(set(came)) and set(came) >= {label for rows in first.values() for label in rows}

    def _lived(self, collecting: Collecting, history: Sequence[History], how: Mapping[str, Any] | None = None) -> list[Interval]:
        """The batches of a new table, each with the rows that came before it, or while it was made."""
        source, table = collecting.source, collecting.source.create_table(COLUMNS)
        collecting.collect(table, how=how or source.appending)
        start = collecting.at - timedelta(minutes=20)
        for days in (400, 300, 200, 9, 1):
            source.put(table, [{"label": f"{days} days"}], start - timedelta(days=days))
        intervals: list[Interval] = []
        with contextlib.ExitStack() as opened:
            for number, (minutes, slow, ends) in enumerate(history):
                start = collecting.at - timedelta(minutes=20)
                source.put(table, [{"label": f"{number}: {minute}"} for minute in minutes], start + timedelta(minutes=7))
                if slow and number:
                    opened.enter_context(source.put_slowly(table, f"{number}: slow", start + timedelta(minutes=3)))
                collecting.run()
                intervals.append(Interval(start, start + timedelta(hours=1)))
                if ends:
                    opened.close()
        return intervals

    @pytest.mark.budget(60)
    @pytest.mark.sampled(3)
    @pytest.mark.parametrize("back", [0, 1, 3])
    @pytest.mark.parametrize("how", ["appending", "incremental"])
    def test_batches_that_are_made_again_leave_nothing_out_and_add_nothing_twice(
        self, collecting: Collecting, how: str, back: int
    ) -> None:
        """From the first batch on, or a later one; with rows of transactions that are open, at first and when it is made again."""
        source, flow = collecting.source, getattr(collecting.source, how)
        if flow["mode"] not in source.declaration.capabilities.modes:
            pytest.skip(f"the slice declares no {flow['mode']}")
        intervals = self._lived(collecting, [((), False, True), ((1,), True, False), ((2,), False, True), ((), False, True)], flow)
        loaded = {interval: collecting.staged_by(interval) for interval in intervals}
        before = {label for labels in loaded.values() for label in labels}
        label = source.collected_name("label")
        collecting.collect(collecting.table, restated_from=intervals[back].start, how=flow, filter=f"{label} <> 'nobody'")
        opened = source.put_slowly(collecting.table, "open when made again", intervals[-1].start + timedelta(minutes=3))
        for interval in intervals[back:]:
            with opened if interval == intervals[-1] else contextlib.nullcontext():
                run_batch(collecting.steps(), {"flow": FLOW})
            loaded[interval] = collecting.staged_by(interval)
        for _ in range(2):
            source.put(collecting.table, [{"label": f"after {collecting.at}"}], collecting.at - timedelta(minutes=5))
            before.add(f"after {collecting.at}")
            collecting.run()
            loaded[self._last(collecting)] = collecting.staged_by(self._last(collecting))
        came = [label for labels in loaded.values() for label in labels]
        assert set(came) - {"open when made again"} == before
        if flow["mode"] == Mode.APPEND:
            assert len(came) == len(set(came))
        if "1: slow" in before:
            assert "open when made again" in came

    def _last(self, collecting: Collecting) -> Interval:
        end = collecting.at - timedelta(minutes=20)
        return Interval(end - timedelta(hours=1), end)

    def test_a_batch_of_a_time_before_the_first_one_takes_its_interval(self, collecting: Collecting) -> None:
        table, start = collecting.source.create_table(COLUMNS), collecting.at - timedelta(minutes=20)
        collecting.collect(table, how=collecting.source.appending)
        collecting.source.put(table, label_rows(["before"]), start - timedelta(minutes=90))
        collecting.run()
        interval = Interval(start - timedelta(hours=2), start - timedelta(hours=1))
        for _ in range(2):
            collecting.run_again(interval)
            assert collecting.staged_by(interval) == ["before"]

    def test_a_batch_that_added_rows_and_does_not_tell_which_is_not_run_again(
        self, collecting: Collecting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It was made before batches told, or has aged; its rows stay."""
        monkeypatch.setattr(collect, "with_taken", lambda cursor, *_: cursor)
        table, start = collecting.source.create_table(COLUMNS), collecting.at - timedelta(minutes=20)
        collecting.collect(table, how=collecting.source.appending)
        collecting.source.put(table, label_rows(["a"]), collecting.at)
        collecting.run()
        event = collecting.cloud.event(FLOW, rerun=True, interval=Interval(start, start + timedelta(hours=1)))
        (failed,) = run_batch(collecting.steps(), event, record_errors=True).planned["failed"]
        assert (
            failed["error"].startswith("DefinitionError: program.atoll:7:3") and "Remedy: leave the batch as it is" in failed["error"]
        )
        assert collecting.labels() == ["a"]

    # -- interrupted, repeated and overtaken work

    def test_interrupted_extract_resumes_from_its_token(self, collecting: Collecting) -> None:
        wanted = self._large(collecting)
        run = collecting.run(context=lambda step: FakeContext(NEAR_SECONDS if step == "extract" else 900))
        assert run.calls["extract"] > 1
        assert collecting.labels() == wanted

    def test_crashed_extract_goes_on_from_the_saved_token(self, collecting: Collecting) -> None:
        wanted = self._large(collecting)
        (state,) = collecting.steps().plan(collecting.cloud.event(FLOW), FakeContext())["work"]
        first = {**state, "part": 0}
        assert not collecting.steps().extract(first, FakeContext(NEAR_SECONDS))["done"]
        with pytest.raises(KeyboardInterrupt):
            collecting.steps(crashing).extract(first, FakeContext(NEAR_SECONDS))
        assert run_states(collecting.steps(), state)["rows"] == len(wanted)
        assert collecting.labels() == wanted

    def test_extract_that_is_done_is_not_repeated(self, collecting: Collecting) -> None:
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a"]), collecting.at)
        collecting.collect(table)
        steps = collecting.steps()
        (state,) = steps.plan(collecting.cloud.event(FLOW), FakeContext())["work"]
        steps.extract({**state, "part": 0}, FakeContext())
        collecting.cloud.put_secret("thing", collecting.source.unreachable_secret)
        assert collecting.steps().extract({**state, "part": 0}, FakeContext())["done"]

    def test_repeated_commit_changes_nothing(self, collecting: Collecting) -> None:
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a"]), collecting.at)
        collecting.collect(table)
        steps = collecting.steps()
        (state,) = steps.plan(collecting.cloud.event(FLOW), FakeContext())["work"]
        run_states(steps, state)
        before = collecting.versions()
        assert collecting.steps().commit(state, FakeContext())["status"] == "COMMITTED"
        assert collecting.versions() == before

    def test_a_call_that_was_given_up_and_goes_on_does_not_touch_what_another_has_committed(self, collecting: Collecting) -> None:
        """As when the answer to an invocation is lost: the state machine calls again while the first call still works."""
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a", "b"]), collecting.at)
        collecting.collect(table)
        state, context = collecting.steps().plan(collecting.cloud.event(FLOW), FakeContext())["work"][0], FakeContext()
        committed: list[tuple[dict[str, Any], list[bytes]]] = []

        def whole_batch_of_another() -> None:
            extracted = {**state, "part": 0, "done": False}
            while not extracted["done"]:
                extracted = collecting.steps().extract(extracted, context)
            collecting.steps().commit(state, context)
            committed.append(staged())
            collecting.source.put(table, label_rows(["c", "d", "e"]), collecting.at - timedelta(hours=1))

        def staged() -> tuple[dict[str, Any], list[bytes]]:
            manifest = collecting.cloud.manifest(collecting.dataset)
            return manifest, [collecting.cloud.body(file["key"]) for file in manifest["files"]]

        late = collecting.steps(lambda open_source: delayed(open_source, whole_batch_of_another))
        with contextlib.suppress(RetryLater):
            late.extract({**state, "part": 0}, context)
        with contextlib.suppress(DefinitionError):  # of a part that the late call left undone
            collecting.steps().commit(state, context)
        assert [staged()] == committed and collecting.labels() == ["a", "b"]

    def test_stale_token_is_refused(self, collecting: Collecting) -> None:
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a"]), collecting.at)
        collecting.collect(table)
        event = collecting.cloud.event(FLOW)
        (stale,) = collecting.steps().plan({**event}, FakeContext(request_id="first"))["work"]
        collecting.cloud.clock.advance(hours=1)
        (state,) = collecting.steps().plan({**event}, FakeContext(request_id="second"))["work"]
        for step in ("extract", "commit"):
            with pytest.raises(StaleToken):
                getattr(collecting.steps(), step)({**stale, "part": 0}, FakeContext())
        assert run_states(collecting.steps(), state)["status"] == "COMMITTED"
        assert collecting.labels() == ["a"]

    # -- values

    def test_nulls_survive(self, collecting: Collecting) -> None:
        self._round_trip(collecting, [{"label": "a"}])
        row = collecting.rows()[0]
        assert [row[name] for name in COLUMNS] == ["a", None, None, None, None]

    def test_extreme_values_survive(self, collecting: Collecting) -> None:
        first, last = collecting.source.moments
        rows: list[dict[str, Any]] = [
            {"label": "high", "number": 1.5e14, "flag": True, "day": date(9999, 12, 31), "moment": last},
            {"label": "low", "number": -1.5e14, "flag": False, "day": date(1700, 1, 1), "moment": first},
            {"label": "zero", "number": 0.0},
        ]
        self._round_trip(collecting, rows)
        wanted = [{**row, **({"day": collecting.day(row["day"])} if "day" in row else {})} for row in rows]
        assert [{name: row[name] for name in COLUMNS} for row in collecting.rows()] == [
            {**dict.fromkeys(COLUMNS), **row} for row in wanted
        ]

    def test_moments_are_utc_wherever_the_process_runs(self, collecting: Collecting, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TZ", "Pacific/Kiritimati")
        monkeypatch.setenv("PGTZ", "America/St_Johns")
        moment = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
        self._round_trip(collecting, [{"label": "a", "moment": moment, "day": date(2026, 3, 29)}])
        row = collecting.rows()[0]
        assert (row["moment"], row["day"]) == (moment, collecting.day(date(2026, 3, 29)))
        assert row["moment"].utcoffset() == timedelta(0)

    def test_text_survives(self, collecting: Collecting) -> None:
        texts = ["'; DROP TABLE thing; --", "NULL", 'a"b,c;d\te', "line\nbreak\r\nand more", "\\N", "東京 🛫 Zürich ñ é", "{}"]
        self._round_trip(collecting, label_rows(texts))
        assert collecting.labels() == sorted(texts)

    @pytest.mark.security
    def test_hostile_names_of_columns_are_names_and_nothing_else(self, collecting: Collecting, looking: Looking) -> None:
        names, collected = collecting.source.hostile_names, collecting.source.collected_name
        table = collecting.source.create_table({"label": "string", **dict.fromkeys(names, "string")})
        collecting.collect(table)
        for label in ("a", "b"):  # a whole table, then what changed
            collecting.source.put(table, [{"label": label, **{name: f"{label} of {name}" for name in names}}], collecting.at)
            collecting.run()
            (row,) = [row for row in collecting.rows() if row["label"] == label]
            assert {name: row[collected(name)] for name in names} == {name: f"{label} of {name}" for name in names}
        looking.discover(table)
        seen = looking.sources.table(NAME, table)
        assert seen and seen.schema and {column.name for column in seen.schema.columns} >= {collected(name) for name in names}

    @pytest.mark.security
    @pytest.mark.sampled(2)
    @pytest.mark.parametrize("incremental", [True, False])
    def test_columns_called_as_those_of_our_sql_keep_their_values(self, collecting: Collecting, incremental: bool) -> None:
        """Beside a row that cannot be read too, whose reason tells of none of them."""
        collected = collecting.source.collected_name
        names = [name for name in hostile.ours() if collected(name) == name and name not in COLUMNS]
        if not names:
            pytest.skip("every column's name ends as none of ours does")
        table = collecting.source.create_table({**COLUMNS, **dict.fromkeys(names, "string")})
        rows = [{"label": label, **{name: f"{label} of {name}" for name in names}} for label in ("a", "b")]
        collecting.source.put(table, rows, collecting.at)
        tolerant: dict[str, Any] = {}
        if collecting.source.declaration.capabilities.rejects_rows:
            collecting.source.put_unreadable(table, "broken", collecting.at)
            tolerant["bad_rows"] = BadRows(1)
        collecting.collect(table, incremental=incremental, **tolerant)
        collecting.run()
        assert [{name: row[name] for name in ("label", *names)} for row in collecting.rows()] == rows
        assert [collected("day") in row["reason"] for row in collecting.rejected()] == [True] * len(tolerant)

    @pytest.mark.security
    def test_hostile_values_are_values_and_nothing_else(self, collecting: Collecting) -> None:
        """In rows, and in a filter that the program's author wrote."""
        table = self._round_trip(collecting, label_rows([*hostile.VALUES, "another"]))
        assert collecting.labels() == sorted([*hostile.VALUES, "another"])
        wanted = ", ".join(map(hostile.literal, hostile.VALUES))
        collecting.collect(table, filter=f"{collecting.source.collected_name('label')} IN ({wanted})")
        collecting.source.put(table, [{"label": label, "number": 7.0} for label in [*hostile.VALUES, "another"]], collecting.at)
        collecting.run()
        assert collecting.labels() == sorted(hostile.VALUES)

    def test_very_wide_tables_survive(self, collecting: Collecting) -> None:
        wide = [f"w{number:03d}" for number in range(collecting.source.most_columns)]
        table = collecting.source.create_table({"label": "string", **dict.fromkeys(wide, "string")})
        collecting.source.put(table, [{"label": "a", wide[0]: "first", wide[-1]: "last"}], collecting.at)
        collecting.collect(table)
        collecting.run()
        row = collecting.rows()[0]
        names = [collecting.source.collected_name(name) for name in wide]
        assert (row[names[0]], row[names[1]], row[names[-1]]) == ("first", None, "last")

    def test_every_row_carries_its_batch(self, collecting: Collecting) -> None:
        self._round_trip(collecting, label_rows(["a"]))
        version, _ = collecting.versions()
        assert collecting.rows()[0]["_batch"] == version.interval.start

    def test_files_hold_the_columns_of_the_schema_in_its_order(self, collecting: Collecting) -> None:
        self._round_trip(collecting, label_rows(["a"]))
        manifest = collecting.cloud.manifest(collecting.dataset)
        names = [column["name"] for column in manifest["schema"]["columns"]]
        assert collecting.cloud.rows(collecting.dataset).column_names == names
        registered = collecting.cloud.reader.latest_schema(collecting.dataset)
        assert registered is not None and [c.name for c in registered.schema.columns] == names

    def test_staged_files_are_iceberg_table_data_as_they_are(self, collecting: Collecting) -> None:
        from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids

        self._round_trip(collecting, label_rows(["a"]))
        columns = collecting.cloud.manifest(collecting.dataset)["schema"]["columns"]
        found = _pyarrow_to_schema_without_ids(collecting.cloud.rows(collecting.dataset).schema)
        types = {field.name: str(field.field_type).replace(" ", "") for field in found.fields}
        assert types == {column["name"]: column["type"] for column in columns}

    # -- what is gone, wrong or down

    # -- rows that cannot be read

    def test_a_row_that_cannot_be_read_fails_the_batch_that_does_not_tolerate_it(self, collecting: Collecting) -> None:
        self._with_unreadable(collecting, BadRows(1))
        collecting.collect(collecting.table)
        error = collecting.run(record_errors=True).errors[collecting.dataset]
        assert isinstance(error, RowError) and str(HERE) in str(error) and "BAD ROWS" in error.remedy
        assert (
            f"{collecting.source.unreadable_day}-" not in str(error)
            and collecting.cloud.reader.latest_version(collecting.dataset) is None
        )

    @pytest.mark.parametrize("incremental", [True, False])
    def test_a_tolerated_row_that_cannot_be_read_is_set_aside_and_the_others_are_collected(
        self, collecting: Collecting, incremental: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        self._with_unreadable(collecting, BadRows(1), incremental=incremental)
        collecting.run()
        assert collecting.labels() == ["a", "b"]
        (row,) = collecting.rejected()
        day, label = (collecting.source.collected_name(name) for name in ("day", "label"))
        assert row["data"][label] == "broken" and str(row["data"][day]).startswith(collecting.source.unreadable_day)
        assert day in row["reason"].lower()
        batch = collecting.cloud.reader.batches(FLOW, collecting.dataset)[0]
        outcome = batch.outcomes[collecting.dataset]
        assert (outcome.rows, outcome.rejected, row["_batch"]) == (2, 1, batch.interval.start)
        assert f"{collecting.source.unreadable_day}-" not in caplog.text

    def test_more_rows_that_cannot_be_read_than_tolerated_fail_the_batch_with_their_number(self, collecting: Collecting) -> None:
        self._with_unreadable(collecting, BadRows(percent=30))
        with pytest.raises(RowError, match="1 of 3 rows cannot be read, and TOLERATE 30 PERCENT BAD ROWS allows fewer"):
            collecting.run()
        assert collecting.cloud.reader.latest_version(collecting.dataset) is None
        collecting.cloud.clock.advance(hours=1)
        collecting.collect(collecting.table, bad_rows=BadRows(percent=34))
        collecting.run()
        assert (collecting.labels(), len(collecting.rejected())) == (["a", "b"], 1)

    def test_a_row_that_is_mended_arrives_with_its_change(self, collecting: Collecting) -> None:
        self._with_unreadable(collecting, BadRows(1))
        collecting.run()
        collecting.source.put(collecting.table, [{"label": "broken", "day": date(2026, 2, 28)}], collecting.at)
        collecting.run()
        assert collecting.labels() == ["broken"] and collecting.rejected() == []

    def test_a_batch_of_nothing_but_rows_that_cannot_be_read_sets_them_aside(self, collecting: Collecting) -> None:
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put_unreadable(table, "broken", collecting.at)
        collecting.collect(table, bad_rows=BadRows(percent=100))
        collecting.run()
        assert collecting.rows() == [] and len(collecting.rejected()) == 1

    def _with_unreadable(self, collecting: Collecting, bad_rows: BadRows, *, incremental: bool = True) -> None:
        if not collecting.source.declaration.capabilities.rejects_rows:
            pytest.skip("the slice does not declare that it sets rows aside")
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a", "b"]), collecting.at)
        collecting.source.put_unreadable(table, "broken", collecting.at)
        collecting.collect(table, incremental=incremental, bad_rows=bad_rows)

    def test_dropped_column_is_no_longer_in_the_schema(self, collecting: Collecting) -> None:
        table = self._round_trip(collecting, label_rows(["a"]))
        collecting.source.drop_column(table, "number")
        collecting.source.put(table, [{"label": "b"}], collecting.at)
        collecting.run()
        latest = collecting.cloud.reader.latest_schema(collecting.dataset)
        assert latest is not None and latest.number == 2
        assert collecting.source.collected_name("number") not in [c.name for c in latest.schema.columns]

    def test_table_that_is_gone_fails_by_itself_with_its_place(self, collecting: Collecting) -> None:
        table = self._round_trip(collecting, label_rows(["a"]))
        collecting.source.drop_table(table)
        (failed,) = collecting.run(record_errors=True).planned["failed"]
        assert failed["error"].startswith("DefinitionError: program.atoll:7:3")
        assert table.rpartition(".")[2] in failed["error"] and "Remedy:" in failed["error"]
        assert collecting.cloud.reader.flow_states([FLOW])[FLOW].tables[collecting.dataset].attempts == 1

    def test_connection_without_a_secret_is_refused_by_the_options_name(self, collecting: Collecting) -> None:
        signs_in(collecting.source.secret)
        collecting.collect(collecting.source.create_table(COLUMNS), options={"secret": ""})
        refusal = collecting.refusal()
        assert refusal.startswith(("DefinitionError: ", "SecretError: ")) and "secret" in refusal and "Remedy:" in refusal

    def test_missing_secret_is_named_with_the_command_that_makes_it(self, collecting: Collecting) -> None:
        signs_in(collecting.source.secret)
        collecting.collect(collecting.source.create_table(COLUMNS), options={"secret": "nothing-there"})
        refusal = collecting.refusal()
        assert refusal.startswith("SecretError: ") and "nothing-there" in refusal and "atoll secret nothing-there FILE" in refusal

    def test_secret_that_lacks_a_field_is_named(self, collecting: Collecting) -> None:
        self._with_secret(collecting, {"unrelated": "value"})
        refusal = collecting.refusal()
        assert refusal.startswith("SecretError: ") and "thing" in refusal and "Remedy:" in refusal

    def test_refused_credentials_are_a_secret_error(self, collecting: Collecting) -> None:
        self._with_secret(collecting, collecting.source.refused_secret)
        refusal = collecting.refusal()
        assert refusal.startswith("SecretError: ") and "thing" in refusal and "Remedy:" in refusal

    def test_source_that_is_down_is_tried_later_and_nothing_is_lost(self, collecting: Collecting) -> None:
        self._with_secret(collecting, collecting.source.unreachable_secret)
        event = collecting.cloud.event(FLOW)
        with pytest.raises(RetryLater):
            collecting.steps().plan(event, FakeContext(request_id="me"))
        collecting.cloud.put_secret("thing", collecting.source.secret)
        (state,) = collecting.steps().plan(event, FakeContext(request_id="me"))["work"]
        collecting.cloud.put_secret("thing", collecting.source.unreachable_secret)
        with pytest.raises(RetryLater):
            collecting.steps().extract({**state, "part": 0}, FakeContext())
        collecting.cloud.put_secret("thing", collecting.source.secret)
        assert run_states(collecting.steps(), state)["status"] == "COMMITTED"
        assert collecting.labels() == ["a"]

    def test_secrets_reach_no_log_no_staged_document_and_no_error(
        self, collecting: Collecting, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        signs_in(collecting.source.secret)
        caplog.set_level("DEBUG", logger="shared_metadata")
        shown = []
        table = self._round_trip(collecting, label_rows(["a"]))
        for secret in (collecting.source.refused_secret, collecting.source.unreachable_secret):
            collecting.cloud.put_secret("thing", secret)
            shown.append(collecting.refusal())
            collecting.cloud.clock.advance(hours=1)
        collecting.cloud.put_secret("thing", collecting.source.secret)
        collecting.source.drop_table(table)
        shown.append(json.dumps(collecting.run(record_errors=True).planned))
        staged = [collecting.cloud.body(key).decode("latin-1") for key in collecting.cloud.keys("staging/")]
        everything = "\n".join([*shown, *staged, caplog.text, *capfd.readouterr()])
        for value in collecting.source.secret_values:
            assert value not in everything and json.dumps(value)[1:-1] not in everything

    # -- the pieces

    def _round_trip(self, collecting: Collecting, rows: Sequence[Row]) -> str:
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, rows, collecting.at)
        collecting.collect(table)
        collecting.run()
        return table

    def _with_secret(self, collecting: Collecting, secret: Mapping[str, Any]) -> None:
        signs_in(collecting.source.secret)
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(["a"]), collecting.at)
        collecting.collect(table)
        collecting.cloud.put_secret("thing", secret)

    def _large(self, collecting: Collecting) -> list[str]:
        if not collecting.source.declaration.capabilities.resumable:
            pytest.skip("the slice declares that an interrupted extract starts again")
        labels = [f"row {number:06d}" for number in range(collecting.source.large_rows)]
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, label_rows(labels), collecting.at)
        collecting.collect(table)
        return labels


def run_states(steps: CollectSteps, state: Mapping[str, Any]) -> dict[str, Any]:
    """The rest of a planned table's way: its parts, then its commit."""
    for part in state["parts"]:
        done: Mapping[str, Any] = {"done": False}
        while not done["done"]:
            done = steps.extract({**state, "part": part}, FakeContext())
    return steps.commit(state, FakeContext())
