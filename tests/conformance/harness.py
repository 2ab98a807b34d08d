"""What every harness slice must do, whatever it publishes to; a slice inherits `HarnessConformance` and gives a `target`."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_metadata.contract.declaration import declared
from shared_metadata.contract.discovery import OpenCatalog
from shared_metadata.contract.harness import HarnessSteps, OpenTarget
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.contract.preview import Asked, Preview, next_of
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.errors import DefinitionError, RetryLater, RowError, SecretError, StaleToken
from shared_metadata.program import BadRows, Connection, Flow, Kind, Mode, Position, Program, Table, Warehouse
from shared_metadata.program.intervals import Interval
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.state.effect import Effect
from shared_metadata.state.records import TableCommit
from slices.registry import installed
from tests.conformance import hostile
from tests.conformance.discovery import DiscoveryConformance, Looking, signs_in
from tests.conformance.fixtures import BatchRun, Cloud, FakeContext, check_statistics, newest_there, open_cloud, run_batch
from tests.conformance.waiting import slowed, waiting

HOUR = 3600
PLACE = Position("program.sql", 1, 1)
Rows = list[dict[str, Any]]


class TargetUnderTest(Protocol):
    """What a slice's tests tell the suite of their target.

    secret: what the secret holds; empty where the role signs in.  options: further options of the connection.
    refused: a secret with a wrong password.  down: a secret that names a place where nothing listens.
    """

    @property
    def slice_id(self) -> str: ...

    @property
    def open_target(self) -> OpenTarget: ...

    @property
    def open_catalog(self) -> OpenCatalog: ...

    @property
    def connection(self) -> str: ...

    @property
    def table(self) -> str: ...

    @property
    def secret(self) -> Mapping[str, Any]: ...

    @property
    def refused(self) -> Mapping[str, Any]: ...

    @property
    def down(self) -> Mapping[str, Any]: ...

    @property
    def options(self) -> Mapping[str, Any]: ...

    def create(self, columns: Sequence[SchemaColumn], key: Sequence[str]) -> None: ...

    def insert(self, rows: Rows) -> None: ...

    def rows(self) -> Rows: ...

    def widen(self, column: str, type: str) -> None:
        """Gives a column of the table a wider type."""
        ...

    def read_while(self, during: Any) -> list[int]:
        """Counts the table's rows from another connection again and again while `during()` runs."""
        ...


@dataclass(frozen=True)
class Limits:
    """What a kind of target has no place for.

    described: Iceberg type ▸ as which a column that is made for it is described.  infinity: a double may be infinite.
    names: of the hostile ones, those that no column can have.  doubles: the least and the largest there, but for zero.
    extremes: columns and rows that arrive as they are, the first column the key; by default the most that anything holds.
    own: columns that each table has beside those that it is made with.  cut: blanks around a key are none of it there.
    """

    described: Mapping[str, str] = field(default_factory=dict)
    infinity: bool = True
    names: frozenset[str] = frozenset()
    doubles: tuple[float, float] = (5e-324, 1.7976931348623157e308)
    extremes: tuple[tuple[SchemaColumn, ...], Rows] | None = None
    own: frozenset[str] = frozenset()
    cut: bool = False

    def held(self, double: float | None) -> float | None:
        """The one nearest to it that there is a place for."""
        if double == float("-inf") and not self.infinity:
            double = -1e308
        if not double or abs(double) == float("inf"):
            return double
        return math.copysign(min(max(abs(double), self.doubles[0]), self.doubles[1]), double)


@dataclass
class Way:
    """One publish flow and the means to feed it results, as the warehouse's slice would."""

    cloud: Cloud
    target: TargetUnderTest
    flow: Flow
    steps: HarnessSteps
    columns: tuple[SchemaColumn, ...]
    starts: list[datetime] = field(default_factory=list)

    def put_result(self, rows: Rows, *, files: int = 1, interval: Interval | None = None, aside: int = 0) -> Interval:
        """Commits a result of the next batch, or of `interval` again. aside: as many rows have failed an expectation."""
        result = f"{self.flow.id}:result"
        state = self.cloud.reader.flow_states([result])[result].tables[result]
        rerun = interval is not None
        interval = interval or Interval(state.watermark, state.watermark + timedelta(seconds=self.flow.interval_seconds))
        self.cloud.clock.now = max(self.cloud.clock.now, interval.end + timedelta(seconds=1))
        version = self.cloud.reader.active_version()
        claim = self.cloud.writer.claim(
            result, interval, [result], program_version=version, owner="test", lease_seconds=60, rerun=rerun
        )
        staging = Staging(self.cloud.s3, self.cloud.bucket, "organize.test", claim)
        written = [self._file(staging, f"{n}.parquet", rows[n::files]) for n in range(files)]
        schema = Schema(self.columns)
        document = {"files": written, "schema": dataclasses.asdict(schema), "rejected_rows": aside}
        manifest = staging.write(document, result, "manifest.json")
        commit = TableCommit(result, rows=len(rows), pointer={"manifest": manifest}, schema=schema)
        self.cloud.writer.commit(claim, [commit])
        return interval

    def skip_result(self) -> Interval:
        """Commits the result's next batch, whose query gives the same as before."""
        result = f"{self.flow.id}:result"
        start = self.cloud.reader.flow_states([result])[result].tables[result].watermark
        interval = Interval(start, start + timedelta(seconds=self.flow.interval_seconds))
        self.cloud.clock.now = max(self.cloud.clock.now, interval.end + timedelta(seconds=1))
        version = self.cloud.reader.active_version()
        claim = self.cloud.writer.claim(result, interval, [result], program_version=version, owner="test", lease_seconds=60)
        self.cloud.writer.commit(claim, [TableCommit(result)])
        return interval

    def publish(self, rows: Rows, **options: Any) -> Interval:
        """A result and the batch that publishes it."""
        interval = self.put_result(rows, **options)
        self.run(interval, rerun="interval" in options)
        return interval

    def run(self, interval: Interval, *, rerun: bool = False, **options: Any) -> BatchRun:
        return run_batch(self.steps, self.cloud.event(self.flow.id, rerun=rerun, interval=interval), **options)

    def tried(self, folder: Path) -> Preview:
        """What a dry run shows of the next batch, in a folder of its own."""
        upcoming, declaration = next_of(self.cloud.reader, self.flow), installed()[self.target.slice_id]
        if not declaration.previews:
            pytest.skip(f"{declaration.id} does not declare that it shows what it would send")
        assert upcoming is not None
        services, program = self.cloud.services(declaration.id), self.cloud.reader.active_program()
        asked = Asked.of(program, self.flow, upcoming, services, folder, 20, 900.0)
        return declared(declaration.previews)(asked)  # type: ignore[no-any-return]

    def rejected(self, interval: Interval) -> list[tuple[int, str, Any]]:
        """What a batch has set aside: the batch's hour, why, and the row, in the order of their reasons and values."""
        batch = self.cloud.reader.batch(self.flow.id, interval.start)
        assert batch is not None
        outcome = batch.outcomes[self.flow.id]
        files = (outcome.pointer or {}).get("rejected", [])
        tables = [pq.read_table(io.BytesIO(self.cloud.body(file["key"])), columns=REJECTED) for file in files]
        assert outcome.rejected == sum(file["rows"] for file in files) == sum(table.num_rows for table in tables)
        rows = [row for table in tables for row in table.to_pylist()]
        assert all(row["stage"] == "harness" and row["_batch"] == interval.start for row in rows)
        return sorted(((r["_batch"].hour, r["reason"], json.loads(r["data"], parse_constant=_no_json)) for r in rows), key=str)

    def _file(self, staging: Staging, name: str, rows: Rows) -> dict[str, Any]:
        fields = [pa.field(c.name, _arrow(c.type)) for c in self.columns]
        body = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, pa.schema(fields)), body)
        key = staging.key("result", name)
        self.cloud.s3.put_object(Bucket=self.cloud.bucket, Key=key, Body=body.getvalue())
        return {"key": key, "rows": len(rows), "bytes": len(body.getvalue())}


def _arrow(name: str) -> pa.DataType:
    if name.startswith("decimal("):
        precision, scale = name[len("decimal(") : -1].split(",")
        return pa.decimal128(int(precision), int(scale))
    if "<" in name:
        with duckdb.connect() as connection:
            (nested,) = connection.sql(f"SELECT CAST(NULL AS {duckdb_type(name)})").to_arrow_table().schema.types
            return nested
    plain = {
        "boolean": pa.bool_(),
        "int": pa.int32(),
        "long": pa.int64(),
        "float": pa.float32(),
        "double": pa.float64(),
        "date": pa.date32(),
        "time": pa.time64("us"),
        "timestamp": pa.timestamp("us"),
        "timestamptz": pa.timestamp("us", tz="UTC"),
        "string": pa.string(),
        "uuid": pa.string(),
        "binary": pa.binary(),
    }
    return plain[name]


def columns(**types: str) -> tuple[SchemaColumn, ...]:
    return tuple(SchemaColumn(name, kind) for name, kind in types.items())


TYPES = ("string", "boolean", "int", "long", "float", "double", "decimal(18,2)", "decimal(38,0)", "date", "time", "timestamp",
         "timestamptz", "uuid", "binary", "list<int>", "list<string>")  # fmt: skip
EVERY_TYPE = columns(**{f"t{number}": kind for number, kind in enumerate(TYPES)})
SECRET_FIELDS = ("password", "private_key", "client_secret", "key", "value")
CARRIERS = columns(carrier="string", flights="long")
NARROW = columns(carrier="string", flights="int")  # a target of this type refuses TOO_MANY
TOO_MANY = 2**40 + 7
REJECTED = ["_batch", "stage", "reason", "data"]
EXTREMES: Rows = [
    {"id": 1, "b": True, "i": 2**31 - 1, "l": 2**63 - 1, "d": 1.7976931348623157e308, "m": Decimal("9999999999999999.9999")},
    {"id": 2, "b": False, "i": -(2**31), "l": -(2**63), "d": float("-inf"), "m": Decimal("-9999999999999999.9999")},
    {"id": 3, "s": "", "x": b"", "day": date(1, 1, 1), "at": datetime(1, 1, 1), "tz": datetime(1, 1, 1, tzinfo=UTC)},
    {"id": 4, "s": "\\N", "x": b"\x00\xff'\"\\", "day": date(9999, 12, 31), "at": datetime(9999, 12, 31, 23, 59, 59, 999999)},
    {"id": 5, "s": "a\"b,c\r\n\\.\n\t'NULL' “Ünï😀”", "t": time_of_day(23, 59, 59, 999999), "d": 5e-324},
    {"id": 6, "s": "NULL", "tz": datetime(2026, 3, 29, 2, 30, tzinfo=UTC), "at": datetime(2026, 3, 29, 2, 30)},
    {"id": 7},
]
EXTREME_COLUMNS = columns(
    id="long", b="boolean", i="int", l="long", d="double", m="decimal(20,4)", s="string", x="binary", day="date", t="time",
    at="timestamp", tz="timestamptz",
)  # fmt: skip


class HarnessConformance(DiscoveryConformance):
    """Inherit it, and define a fixture `target` that gives a `TargetUnderTest` whose table is gone."""

    limits = Limits()

    @pytest.fixture
    def cloud(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
        yield from open_cloud(monkeypatch)

    @pytest.fixture
    def looking(self, cloud: Cloud, target: TargetUnderTest) -> Looking:
        if not installed()[target.slice_id].discovers:
            pytest.skip(f"{target.slice_id} has no tables to discover")
        target.create(EVERY_TYPE, ["t0"])
        secrets = [str(secret[n]) for secret in (target.secret, target.refused) for n in SECRET_FIELDS if secret.get(n)]
        return Looking(
            cloud, installed()[target.slice_id], target.open_catalog, target.options, target.secret, target.refused, target.down,
            secrets, [target.table],
        )  # fmt: skip

    def test_a_table_is_described_by_the_types_that_it_was_made_for(self, looking: Looking, target: TargetUnderTest) -> None:
        """Where it takes any column beside its key, only that is described."""
        found = [column for column in looking.schema(target.table).columns if column.name not in self.limits.own]
        shape = EVERY_TYPE[:1] if installed()[target.slice_id].capabilities.open_columns else EVERY_TYPE
        assert [(c.name, c.type) for c in found] == [(c.name, self.limits.described.get(c.type, c.type)) for c in shape]
        assert [c.nullable for c in found] == [False, *[True] * (len(shape) - 1)]
        assert all(column.source and column.source_type for column in found)

    def way(
        self, cloud: Cloud, target: TargetUnderTest, shape: Sequence[SchemaColumn] = CARRIERS, *, mode: Mode = Mode.MERGE,
        key: tuple[str, ...] = ("carrier",), whole: bool = True, secret: Mapping[str, Any] | None = None,
        bad_rows: BadRows | None = None,
    ) -> Way:  # fmt: skip
        declaration = installed()[target.slice_id]
        if bad_rows and not declaration.capabilities.rejects_rows:
            pytest.skip(f"{target.slice_id} does not declare that it sets rows aside")
        if mode not in declaration.capabilities.modes:
            pytest.skip(f"{target.slice_id} does not declare {mode}")
        dataset = f"{target.connection}.{target.table}"
        name = f"{dataset}:result"
        flow = Flow(
            dataset, Kind.PUBLISH, target.slice_id, "lake", HOUR, (Table(dataset, inputs=(name,)),), PLACE,
            connection=target.connection, mode=mode, key=key if mode == Mode.MERGE else (), query="SELECT 1", whole=whole,
            bad_rows=bad_rows,
        )  # fmt: skip
        result = Flow(name, Kind.RESULT, "organize.test", "lake", HOUR, (Table(name),), PLACE, query="SELECT 1", whole=whole)
        options = {**({"secret": "target"} if target.secret else {}), **target.options}
        system = target.slice_id.partition(".")[2]
        program = Program(
            {target.connection: Connection(target.connection, system, options, PLACE)},
            {"lake": Warehouse("lake", "test", {}, PLACE)},
            {flow.id: flow, result.id: result},
        )
        cloud.put_secret("target", target.secret if secret is None else secret)
        cloud.apply(program)
        steps = HarnessSteps(declaration, cloud.services(target.slice_id), target.open_target)
        return Way(cloud, target, flow, steps, tuple(shape))

    @staticmethod
    def transactional(target: TargetUnderTest) -> bool:
        """Whether a batch is there as a whole or not at all."""
        return installed()[target.slice_id].capabilities.transactional

    @staticmethod
    def takes_back(target: TargetUnderTest) -> None:
        """Skips what is asked of rows that were added and are gone."""
        if not installed()[target.slice_id].capabilities.takes_back:
            pytest.skip(f"{target.slice_id} does not declare that it takes back what it has added")

    # -- waiting

    def test_a_publication_whose_steps_wait_is_as_one_whose_steps_do_not(self, cloud: Cloud, target: TargetUnderTest) -> None:
        way = self.way(cloud, target)
        way.publish([_row("AA", 1), _row("UA", 2), _row("DL", 3)])
        declaration = waiting(way.steps.declaration)
        way.steps = HarnessSteps(declaration, cloud.services(target.slice_id), slowed(target.open_target, "harness", 2))
        run = way.run(way.put_result([_row("AA", 1), _row("UA", 20), _row("WN", 4)]))
        assert _sorted(target.rows()) == [_row("AA", 1), _row("UA", 20), _row("WN", 4)] and len(run.pauses) >= 4
        assert cloud.reader.flow_states([way.flow.id])[way.flow.id].tables[way.flow.id].attempts == 0

    # -- modes

    def test_merge_publishes_new_and_changed_rows_and_deletes_those_that_vanished(
        self, cloud: Cloud, target: TargetUnderTest
    ) -> None:
        way = self.way(cloud, target)
        way.publish([_row("AA", 1), _row("UA", 2), _row("DL", 3)])
        way.publish([_row("AA", 1), _row("UA", 20), _row("WN", 4)])
        assert _sorted(target.rows()) == [_row("AA", 1), _row("UA", 20), _row("WN", 4)]
        version = cloud.reader.latest_version(way.flow.id)
        assert version and {name: version.pointer[name] for name in ("upserts", "deletes", "total_rows")} == {
            "upserts": 2,
            "deletes": 1,
            "total_rows": 3,
        }

    def test_statistics_tell_size_skew_and_cost(self, cloud: Cloud, target: TargetUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "2048")
        target.create(CARRIERS, ["carrier"])
        way = self.way(cloud, target)
        way.publish([_row("AA", 1), _row("UA", 2)])
        check_statistics(cloud, way.flow.id, rows=2)

    def test_merge_leaves_rows_that_others_wrote(self, cloud: Cloud, target: TargetUnderTest) -> None:
        target.create(CARRIERS, ["carrier"])
        target.insert([_row("OTHER", 9)])
        way = self.way(cloud, target)
        way.publish([_row("AA", 1)])
        way.publish([])
        assert target.rows() == [_row("OTHER", 9)]

    def test_merge_of_a_batch_window_only_adds_and_changes(self, cloud: Cloud, target: TargetUnderTest) -> None:
        way = self.way(cloud, target, whole=False)
        way.publish([_row("AA", 1), _row("UA", 2)])
        way.publish([_row("UA", 3)])
        assert _sorted(target.rows()) == [_row("AA", 1), _row("UA", 3)]

    def test_merge_of_an_older_window_again_leaves_what_later_ones_published(self, cloud: Cloud, target: TargetUnderTest) -> None:
        way = self.way(cloud, target, whole=False)
        first = way.publish([_row("AA", 1), _row("UA", 1)])
        way.publish([_row("UA", 2)])
        way.publish([_row("AA", 10), _row("UA", 10)], interval=first)
        assert _sorted(target.rows()) == [_row("AA", 10), _row("UA", 2)]

    def test_merge_without_a_unique_key_in_the_target(self, cloud: Cloud, target: TargetUnderTest) -> None:
        target.create(CARRIERS, [])
        way = self.way(cloud, target)
        way.publish([_row("AA", 1), _row("UA", 2), _row("DL", None)])
        way.publish([_row("AA", 5), _row("DL", None), _row("WN", 1)])
        assert _sorted(target.rows()) == [_row("AA", 5), _row("DL", None), _row("WN", 1)]

    def test_replace_makes_the_table_hold_exactly_the_result(self, cloud: Cloud, target: TargetUnderTest) -> None:
        target.create(CARRIERS, [])
        target.insert([_row("OLD", 1), _row("AA", 1), _row("AA", 1)])
        way = self.way(cloud, target, mode=Mode.REPLACE)
        way.publish([_row("AA", 1), _row("UA", 2), _row("UA", 2), _row("DL", None)])
        assert _sorted(target.rows()) == [_row("AA", 1), _row("DL", None), _row("UA", 2), _row("UA", 2)]
        way.publish([])
        assert target.rows() == []

    def test_append_adds_and_running_a_batch_again_replaces_only_its_rows(self, cloud: Cloud, target: TargetUnderTest) -> None:
        self.takes_back(target)
        way = self.way(cloud, target, mode=Mode.APPEND, whole=False)
        first = way.publish([_row("AA", 1), _row("AA", 1), _row("UA", 2)])
        way.publish([_row("AA", 1), _row("DL", 3)])
        way.publish([_row("AA", 1), _row("WN", 7)], interval=first)
        assert _sorted(target.rows()) == [_row("AA", 1), _row("AA", 1), _row("DL", 3), _row("WN", 7)]

    def test_an_older_state_does_not_replace_a_later_one(self, cloud: Cloud, target: TargetUnderTest) -> None:
        way = self.way(cloud, target)
        first = way.publish([_row("AA", 1)])
        way.publish([_row("AA", 2), _row("UA", 2)])
        way.publish([_row("AA", 10)], interval=first)
        assert _sorted(target.rows()) == [_row("AA", 2), _row("UA", 2)]

    def test_running_the_latest_batch_again_publishes_its_new_result(self, cloud: Cloud, target: TargetUnderTest) -> None:
        way = self.way(cloud, target)
        first = way.publish([_row("AA", 1), _row("UA", 1)])
        way.publish([_row("AA", 3)], interval=first)
        assert target.rows() == [_row("AA", 3)]

    def test_a_dry_run_changes_nothing_and_shows_what_the_next_batch_then_sends(
        self, cloud: Cloud, target: TargetUnderTest, tmp_path: Path
    ) -> None:
        way = self.way(cloud, target)
        way.publish([_row("AA", 1), _row("UA", 2), _row("DL", 3)])
        interval = way.put_result([_row("AA", 1), _row("UA", 20), _row("WN", 4)])
        held, kept = _sorted(target.rows()), {key: cloud.body(key) for key in cloud.keys("")}
        shown = way.tried(tmp_path)
        assert _sorted(target.rows()) == held and {key: cloud.body(key) for key in cloud.keys("")} == kept
        assert cloud.reader.batch(way.flow.id, interval.start) is None
        way.run(interval)
        version = cloud.reader.latest_version(way.flow.id)
        assert version and (shown.upserts, shown.deletes) == (version.pointer["upserts"], version.pointer["deletes"]) == (2, 1)
        written, deleted = (str([p.sent for p in parcels]) for parcels in (shown.first_upserts, shown.first_deletes))
        assert (shown.unchanged, _carriers(written), _carriers(deleted)) == (1, ["UA", "WN"], ["DL"])
        assert way.tried(tmp_path) == Preview(0, 0, 3)

    # -- values

    def test_empty_results_are_published(self, cloud: Cloud, target: TargetUnderTest) -> None:
        for mode in (Mode.MERGE, Mode.REPLACE, Mode.APPEND):
            if mode in installed()[target.slice_id].capabilities.modes:
                way = self.way(cloud, target, mode=mode)
                way.publish([])
                assert target.rows() == []

    def test_a_batch_without_a_result_is_committed_without_touching_the_target(self, cloud: Cloud, target: TargetUnderTest) -> None:
        way = self.way(cloud, target, secret=target.down)
        result = f"{way.flow.id}:result"
        start = cloud.reader.flow_states([result])[result].tables[result].watermark
        run = way.run(Interval(start, start + timedelta(seconds=HOUR)))
        assert run.planned["committed"] == [way.flow.id]

    def test_extreme_values_nulls_and_unicode_arrive_as_they_are(self, cloud: Cloud, target: TargetUnderTest) -> None:
        shape, rows = self.limits.extremes or (EXTREME_COLUMNS, EXTREMES)
        way = self.way(cloud, target, shape, key=("id",))
        held = [{**row, "d": self.limits.held(row.get("d"))} for row in rows]
        expected = [{c.name: row.get(c.name) for c in shape} for row in held]
        way.publish(expected)
        assert sorted(target.rows(), key=lambda row: row["id"]) == expected
        way.publish(expected)
        pointer = cloud.reader.latest_version(way.flow.id)
        assert pointer and (pointer.pointer["upserts"], pointer.pointer["deletes"]) == (0, 0)

    def test_time_zones_are_kept_as_moments(self, cloud: Cloud, target: TargetUnderTest) -> None:
        way = self.way(cloud, target, columns(id="long", at="timestamptz"), key=("id",))
        moment = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # 02:30 in Berlin, for the second time that night
        way.publish([{"id": 1, "at": moment}])
        assert [row["at"].astimezone(UTC) for row in target.rows()] == [moment]

    def test_a_table_of_500_columns_is_published(self, cloud: Cloud, target: TargetUnderTest) -> None:
        wide = columns(id="long", **{f"c{n:03d}": ("string", "double", "timestamptz")[n % 3] for n in range(499)})
        way = self.way(cloud, target, wide, key=("id",))
        row = {c.name: {"long": 1, "string": "ü", "double": 0.5}.get(c.type) for c in wide}
        way.publish([row])
        way.publish([{**row, "c000": "changed"}])
        assert target.rows() == [{**row, "c000": "changed"}]

    def test_a_key_that_occurs_twice_or_is_null_is_refused_without_showing_it(self, cloud: Cloud, target: TargetUnderTest) -> None:
        way = self.way(cloud, target)
        interval = way.put_result([_row("SECRETKEY", 1), _row("SECRETKEY", 2), _row(None, 3)])
        with pytest.raises(DefinitionError, match=r"1 keys \(carrier\).* 1 rows") as caught:
            way.run(interval)
        assert "SECRETKEY" not in str(caught.value)
        assert "program.sql:1:1" in str(caught.value)

    # -- what landed

    def test_the_target_tells_which_batch_is_its_newest(self, cloud: Cloud, target: TargetUnderTest) -> None:
        way = self.way(cloud, target)
        connection, asked = cloud.reader.active_program().connections[target.connection], {way.flow.id: way.flow.id}
        assert newest_there(way.steps, connection, asked) == {way.flow.id: None}
        way.publish([_row("AA", 1)])
        second = way.publish([_row("AA", 2)])
        assert newest_there(way.steps, connection, asked) == {way.flow.id: (second, 1)}
        way.publish([_row("AA", 3)], interval=second)
        assert newest_there(way.steps, connection, asked) == {way.flow.id: (second, 2)}

    # -- interruption, repetition, competition

    @pytest.mark.security
    @pytest.mark.parametrize("mode", [Mode.MERGE, Mode.REPLACE, Mode.APPEND])
    @pytest.mark.parametrize("unique", [True, False])
    def test_hostile_names_and_values_are_names_and_values_and_nothing_else(
        self, cloud: Cloud, target: TargetUnderTest, mode: Mode, unique: bool
    ) -> None:
        """As keys and as other columns, of a table that Atoll makes or finds; rows come, change and go."""
        self._named(cloud, target, mode, unique, [name for name in hostile.NAMES if name not in self.limits.names])

    @pytest.mark.security
    @pytest.mark.sampled(3)
    @pytest.mark.parametrize("mode", [Mode.MERGE, Mode.REPLACE, Mode.APPEND])
    def test_columns_called_as_those_of_our_sql_keep_their_values(self, cloud: Cloud, target: TargetUnderTest, mode: Mode) -> None:
        self._named(cloud, target, mode, True, [name for name in hostile.ours() if name not in self.limits.names])

    def _named(self, cloud: Cloud, target: TargetUnderTest, mode: Mode, unique: bool, names: Sequence[str]) -> None:
        key, *others = names
        shape = columns(**dict.fromkeys(names, "string"))
        if not unique:
            target.create(shape, [])
        way = self.way(cloud, target, mode=mode, key=(key,), shape=shape)
        first = [{key: value, **dict.fromkeys(others, value)} for value in hostile.VALUES]
        way.publish(first)
        second = [row | {others[0]: row[key] + " changed"} for row in first[2:]]
        way.publish(second)
        expected = first + second if mode == Mode.APPEND else second
        if self.limits.cut:
            expected = [row | {key: row[key].strip()} for row in expected]
        assert sorted(target.rows(), key=str) == sorted(expected, key=str)

    @pytest.mark.security
    def test_a_name_that_no_column_can_have_is_refused_with_the_remedy(self, cloud: Cloud, target: TargetUnderTest) -> None:
        for name in sorted(self.limits.names):
            way = self.way(cloud, target, columns(carrier="string", **{name: "string"}))
            with pytest.raises(DefinitionError, match="cannot have a column") as caught:
                way.run(way.put_result([{"carrier": "AA", name: "x"}]))
            assert "AS another name" in caught.value.remedy

    @pytest.mark.security
    def test_values_that_the_target_refuses_are_not_shown(self, cloud: Cloud, target: TargetUnderTest) -> None:
        target.create(columns(carrier="int", flights="int"), ["carrier"])
        way = self.way(cloud, target, shape=columns(carrier="string", flights="long"))
        for rows in ([_row("a-private-value", 1)], [_row("1", 2**40 + 7)]):
            run = way.run(way.put_result(rows), record_errors=True)
            (error,) = run.errors.values()
            assert "a-private-value" not in str(error) and str(2**40 + 7) not in str(error), error

    # -- rows that the target refuses

    @pytest.mark.parametrize("mode", [Mode.MERGE, Mode.REPLACE, Mode.APPEND])
    def test_tolerated_rows_that_the_target_refuses_are_set_aside_and_the_others_published(
        self, cloud: Cloud, target: TargetUnderTest, mode: Mode, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, "shared_metadata")
        target.create(NARROW, ["carrier"])
        way = self.way(cloud, target, mode=mode, bad_rows=BadRows(2))
        rows = [_row("AA", 1), _row("DL", TOO_MANY), _row("UA", 2), _row("WN", -TOO_MANY), _row("XX", None)]
        interval = way.publish(rows, files=2)
        assert _sorted(target.rows()) == [_row("AA", 1), _row("UA", 2), _row("XX", None)]
        (hour, why, low), (_, _, high) = way.rejected(interval)
        assert (hour, low, high) == (interval.start.hour, _row("DL", TOO_MANY), _row("WN", -TOO_MANY))
        assert "flights" in why or not self.transactional(target)  # an application says what it will
        assert str(TOO_MANY) not in why + caplog.text
        batch = cloud.reader.batch(way.flow.id, interval.start)
        assert batch and (batch.outcomes[way.flow.id].rows, batch.outcomes[way.flow.id].rejected) == (3, 2)
        documents = [cloud.body(key).decode() for key in cloud.keys(f"staging/{target.slice_id}/") if key.endswith(".json")]
        assert not [text for text in documents if str(TOO_MANY) in text]

    def test_more_refused_rows_than_tolerated_fail_the_batch_before_anything_is_visible(
        self, cloud: Cloud, target: TargetUnderTest
    ) -> None:
        if not self.transactional(target):
            pytest.skip(f"{target.slice_id} does not declare that a batch is there as a whole or not at all")
        target.create(NARROW, ["carrier"])
        way = self.way(cloud, target, bad_rows=BadRows(percent=25))
        way.publish([_row("AA", 1)])
        bad = [_row(f"B{n}", TOO_MANY) for n in range(2)]
        run = way.run(interval := way.put_result([_row("AA", 5), *bad, *(_row(f"C{n}", n) for n in range(4))]), record_errors=True)
        with pytest.raises(RowError, match=r"2 of 7 rows cannot be written \(.*flights.*: 2\), and TOLERATE 25 PERCENT BAD ROWS"):
            raise run.errors[way.flow.id]
        assert target.rows() == [_row("AA", 1)]
        cloud.clock.advance(hours=1)
        way.put_result([_row("AA", 5), *bad, *(_row(f"C{n}", n) for n in range(5))], interval=interval)
        way.run(interval)
        assert len(target.rows()) == 6 and len(way.rejected(interval)) == 2

    def test_rows_that_fail_an_expectation_and_rows_that_are_refused_share_the_tolerance(
        self, cloud: Cloud, target: TargetUnderTest
    ) -> None:
        target.create(NARROW, ["carrier"])
        way = self.way(cloud, target, bad_rows=BadRows(2))
        rows = [_row("AA", 1), _row("DL", TOO_MANY)]
        run = way.run(interval := way.put_result(rows, aside=2), record_errors=True)
        assert "1 of 2 rows" in str(run.errors[way.flow.id]) and "2 more fail an expectation" in str(run.errors[way.flow.id])
        cloud.clock.advance(hours=1)
        way.put_result(rows, interval=interval, aside=1)
        way.run(interval)
        assert target.rows() == [_row("AA", 1)] and len(way.rejected(interval)) == 1

    def test_a_refused_row_is_tried_again_by_every_batch_and_its_former_version_stands_meanwhile(
        self, cloud: Cloud, target: TargetUnderTest
    ) -> None:
        target.create(NARROW, ["carrier"])
        way = self.way(cloud, target, bad_rows=BadRows(1))
        way.publish([_row("AA", 1), _row("DL", 1)])
        refused = way.publish([_row("AA", TOO_MANY), _row("DL", 2)])
        assert _sorted(target.rows()) == [_row("AA", 1), _row("DL", 2)]
        again = way.publish([_row("AA", TOO_MANY), _row("DL", 3)])
        assert len(way.rejected(refused)) == len(way.rejected(again)) == 1
        mended = way.publish([_row("AA", 4), _row("DL", 3)])
        assert _sorted(target.rows()) == [_row("AA", 4), _row("DL", 3)] and way.rejected(mended) == []

    def test_a_row_that_the_target_comes_to_take_is_written_though_it_did_not_change(
        self, cloud: Cloud, target: TargetUnderTest
    ) -> None:
        target.create(NARROW, ["carrier"])
        way = self.way(cloud, target, bad_rows=BadRows(1))
        way.publish([_row("AA", TOO_MANY), _row("DL", 2)])
        target.widen("flights", "long")
        way.publish([_row("AA", TOO_MANY), _row("DL", 2), _row("UA", 3)])
        assert _sorted(target.rows()) == [_row("AA", TOO_MANY), _row("DL", 2), _row("UA", 3)]

    def test_a_row_that_the_target_comes_to_take_is_written_though_the_result_did_not_change(
        self, cloud: Cloud, target: TargetUnderTest
    ) -> None:
        """And once it is written, batches without a new result do nothing again."""
        target.create(NARROW, ["carrier"])
        way = self.way(cloud, target, bad_rows=BadRows(1))
        way.publish([_row("AA", TOO_MANY), _row("DL", 2)])
        still = way.skip_result()
        assert way.run(still).results and len(way.rejected(still)) == 1
        target.widen("flights", "long")
        mended = way.skip_result()
        way.run(mended)
        assert _sorted(target.rows()) == [_row("AA", TOO_MANY), _row("DL", 2)] and way.rejected(mended) == []
        assert way.run(way.skip_result()).planned["committed"] == [way.flow.id]

    def test_a_refused_row_that_vanishes_takes_its_former_version_with_it_and_no_row_of_others(
        self, cloud: Cloud, target: TargetUnderTest
    ) -> None:
        target.create(NARROW, ["carrier"])
        target.insert([_row("WN", 9)])
        way = self.way(cloud, target, bad_rows=BadRows(2))
        way.publish([_row("AA", 1), _row("DL", 1)])
        way.publish([_row("AA", TOO_MANY), _row("DL", 1), _row("WN", TOO_MANY)])
        way.publish([_row("AA", TOO_MANY), _row("DL", 2), _row("WN", TOO_MANY)])
        way.publish([_row("DL", 2)])
        assert _sorted(target.rows()) == [_row("DL", 2), _row("WN", 9)]

    def test_replace_leaves_no_former_version_of_a_refused_row(self, cloud: Cloud, target: TargetUnderTest) -> None:
        target.create(NARROW, [])
        way = self.way(cloud, target, mode=Mode.REPLACE, bad_rows=BadRows(1))
        way.publish([_row("AA", 1), _row("DL", 1), _row("DL", 1)])
        way.publish([_row("AA", TOO_MANY), _row("DL", 1), _row("DL", 1), _row("DL", 1)])
        assert _sorted(target.rows()) == [_row("DL", 1)] * 3

    def test_append_again_replaces_what_was_written_and_what_was_set_aside(self, cloud: Cloud, target: TargetUnderTest) -> None:
        self.takes_back(target)
        target.create(NARROW, [])
        way = self.way(cloud, target, mode=Mode.APPEND, whole=False, bad_rows=BadRows(2))
        first = way.publish([_row("AA", 1), _row("DL", TOO_MANY)])
        target.widen("flights", "long")
        target.insert([_row("DL", TOO_MANY)])  # another's
        way.publish([_row("AA", 1)])
        way.publish([_row("AA", 2)], interval=first)
        assert _sorted(target.rows()) == [_row("AA", 1), _row("AA", 2), _row("DL", TOO_MANY)]
        assert way.rejected(first) == []

    def test_another_tolerance_holds_from_its_boundary_on(self, cloud: Cloud, target: TargetUnderTest) -> None:
        target.create(NARROW, ["carrier"])
        way = self.way(cloud, target, bad_rows=BadRows(1))
        first = way.publish([_row("AA", 1), _row("DL", TOO_MANY)])
        program = cloud.reader.active_program()
        stricter = dataclasses.replace(program, flows={**program.flows, way.flow.id: dataclasses.replace(way.flow, bad_rows=None)})
        cloud.writer.put_program(stricter)
        boundary = first.end + timedelta(seconds=HOUR)
        cloud.writer.schedule(stricter, Effect(boundary), expected=cloud.reader.timeline())
        second = way.publish([_row("AA", 2), _row("DL", TOO_MANY)])
        assert second.end == boundary and len(way.rejected(second)) == 1
        run = way.run(way.put_result([_row("AA", 3), _row("DL", TOO_MANY)]), record_errors=True)
        assert isinstance(run.errors[way.flow.id], RowError)
        assert target.rows() == [_row("AA", 2 if self.transactional(target) else 3)]

    def test_looking_for_refused_rows_goes_on_where_it_stopped(self, cloud: Cloud, target: TargetUnderTest) -> None:
        target.create(NARROW, ["carrier"])
        way = self.way(cloud, target, bad_rows=BadRows(8))
        rows = [_row(f"C{n:02}", TOO_MANY if n % 5 == 0 else n) for n in range(40)]
        interval = way.put_result(rows, files=4)
        run = way.run(interval, context=lambda _: FakeContext(remaining_seconds=20))
        assert run.calls["publish"] > 4
        assert _sorted(target.rows()) == [row for row in rows if row["flights"] != TOO_MANY]
        assert [row["carrier"] for _, _, row in way.rejected(interval)] == [f"C{n:02}" for n in range(0, 40, 5)]

    def test_a_crash_after_publishing_loses_no_refused_row_and_counts_it_once(self, cloud: Cloud, target: TargetUnderTest) -> None:
        target.create(NARROW, ["carrier"])
        way = self.way(cloud, target, mode=Mode.APPEND, whole=False, bad_rows=BadRows(1))
        interval = way.put_result([_row("AA", 1), _row("DL", TOO_MANY)])
        way.steps.commit = _crash  # type: ignore[method-assign, assignment]
        with pytest.raises(InterruptedError):
            way.run(interval)
        del way.steps.commit
        cloud.clock.advance(hours=1)
        way.run(interval)
        assert target.rows() == [_row("AA", 1)]
        assert [row for *_, row in way.rejected(interval)] == [_row("DL", TOO_MANY)]

    def test_an_interrupted_publish_goes_on_where_it_stopped(self, cloud: Cloud, target: TargetUnderTest) -> None:
        way = self.way(cloud, target)
        rows = [_row(f"C{n}", n) for n in range(40)]
        interval = way.put_result(rows, files=4)
        run = way.run(interval, context=lambda _: FakeContext(remaining_seconds=20))
        assert run.calls["publish"] > 1
        assert _sorted(target.rows()) == _sorted(rows)

    def test_a_crash_between_publish_and_commit_publishes_once(self, cloud: Cloud, target: TargetUnderTest) -> None:
        way = self.way(cloud, target, mode=Mode.APPEND, whole=False)
        interval = way.put_result([_row("AA", 1)])
        way.steps.commit = _crash  # type: ignore[method-assign, assignment]
        with pytest.raises(InterruptedError):
            way.run(interval)
        del way.steps.commit
        cloud.clock.advance(hours=1)  # the lease of the crashed worker lapses
        way.run(interval)
        assert target.rows() == [_row("AA", 1)]
        state = cloud.reader.flow_states([way.flow.id])[way.flow.id]
        assert state.tables[way.flow.id].watermark == interval.end

    def test_a_repeated_publish_and_commit_change_nothing(self, cloud: Cloud, target: TargetUnderTest) -> None:
        way = self.way(cloud, target, mode=Mode.APPEND, whole=False)
        interval = way.put_result([_row("AA", 1)])
        state = way.steps.plan(cloud.event(way.flow.id, interval=interval), FakeContext())["work"][0]
        state = way.steps.diff(state, FakeContext())
        for _ in range(2):
            done = way.steps.publish(state, FakeContext())
        for _ in range(2):
            way.steps.commit(done, FakeContext())
        assert target.rows() == [_row("AA", 1)]

    def test_a_stale_token_is_refused_and_writes_nothing(self, cloud: Cloud, target: TargetUnderTest) -> None:
        way = self.way(cloud, target, mode=Mode.APPEND, whole=False)
        interval = way.put_result([_row("AA", 1)])
        event = cloud.event(way.flow.id, interval=interval)
        stale = way.steps.diff(way.steps.plan(event, FakeContext())["work"][0], FakeContext())
        cloud.clock.advance(hours=1)
        way.run(interval)
        with pytest.raises(StaleToken):
            way.steps.publish(stale, FakeContext())
        assert target.rows() == [_row("AA", 1)]

    def test_a_worker_that_was_overtaken_in_mid_step_is_refused_by_the_target(self, cloud: Cloud, target: TargetUnderTest) -> None:
        way = self.way(cloud, target)
        interval = way.put_result([_row("AA", 1)])
        state = way.steps.diff(way.steps.plan(cloud.event(way.flow.id, interval=interval), FakeContext())["work"][0], FakeContext())
        stale_work = way.steps.work(state)
        cloud.clock.advance(hours=1)
        way.run(interval)
        staging = way.steps.staging(stale_work)
        changes = staging.read(way.flow.id, "changes.json")
        opened = way.steps.open(stale_work)
        from shared_metadata.contract.runtime.deadline import Deadline

        try:
            with pytest.raises((StaleToken, RetryLater)):
                opened.publish(stale_work, changes or {}, staging, None, Deadline.of(FakeContext()))
        finally:
            opened.close()
        assert target.rows() == [_row("AA", 1)]

    def test_readers_never_see_half_a_batch(self, cloud: Cloud, target: TargetUnderTest) -> None:
        target.create(CARRIERS, ["carrier"])
        way = self.way(cloud, target, mode=Mode.REPLACE)
        way.publish([_row(f"A{n}", n) for n in range(2000)])
        interval = way.put_result([_row(f"B{n}", n) for n in range(3000)])
        seen = target.read_while(lambda: way.run(interval))
        assert set(seen) <= {2000, 3000}
        assert len(target.rows()) == 3000

    # -- errors and secrets

    def test_wrong_credentials_name_the_secret_and_the_remedy(self, cloud: Cloud, target: TargetUnderTest) -> None:
        signs_in(target.secret)
        way = self.way(cloud, target, secret=target.refused)
        with pytest.raises(SecretError, match="target") as caught:
            way.run(way.put_result([_row("AA", 1)]))
        assert caught.value.remedy

    def test_a_secret_without_its_fields_names_them(self, cloud: Cloud, target: TargetUnderTest) -> None:
        signs_in(target.secret)
        way = self.way(cloud, target, secret={"nonsense": "v3ry-secret-value"})
        with pytest.raises(SecretError, match="field") as caught:
            way.run(way.put_result([_row("AA", 1)]))
        assert "v3ry-secret-value" not in str(caught.value)

    def test_a_target_that_is_down_is_tried_again_later(self, cloud: Cloud, target: TargetUnderTest) -> None:
        signs_in(target.secret)
        way = self.way(cloud, target, secret=target.down)
        interval = way.put_result([_row("AA", 1)])
        with pytest.raises(RetryLater):
            way.run(interval)
        cloud.put_secret("target", target.secret)
        cloud.clock.advance(hours=1)  # the lease of the attempt that failed lapses
        way.run(interval)
        assert target.rows() == [_row("AA", 1)]

    def test_secrets_reach_no_log_no_error_and_no_staged_document(
        self, cloud: Cloud, target: TargetUnderTest, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        signs_in(target.secret)
        caplog.set_level(logging.DEBUG)
        logging.getLogger("botocore").setLevel(logging.WARNING)
        way = self.way(cloud, target)
        way.publish([_row("AA", 1)])
        cloud.put_secret("target", target.refused)
        run = way.run(way.put_result([_row("AA", 2)]), record_errors=True)
        said = [caplog.text, *capfd.readouterr(), *(str(error) for error in run.errors.values())]
        documents = [cloud.body(key).decode() for key in cloud.keys(f"staging/{target.slice_id}/") if key.endswith(".json")]
        pages = cloud.dynamodb.get_paginator("scan").paginate(TableName=cloud.table)
        stored = json.dumps([page["Items"] for page in pages], default=str)
        for name in SECRET_FIELDS:
            for secret in (target.secret, target.refused):
                if secret.get(name):
                    assert not [text for text in (*said, *documents, stored) if str(secret[name]) in text]


def _carriers(text: str) -> list[str]:
    return sorted(name for name in ("AA", "DL", "UA", "WN") if name in text)


def _row(carrier: str | None, flights: int | None) -> dict[str, Any]:
    return {"carrier": carrier, "flights": flights}


def _sorted(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: (str(row["carrier"]), row["flights"] or 0))


def _no_json(word: str) -> None:
    raise ValueError(f"{word} is no JSON (RFC 8259, section 6)")


def _crash(*_: Any) -> dict[str, Any]:
    raise InterruptedError("the worker died")
