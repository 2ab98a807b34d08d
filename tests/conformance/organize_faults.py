"""Whatever breaks at whatever call a batch makes, of its warehouse's or its engine's service, of S3, DynamoDB or Glue: tried again,
it ends as one in which nothing broke. For a slice's tests to inherit, which say what their conformance suite is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from shared_metadata.program import Expectation, Mode
from systems.sql_warehouse.dialect import MADE, STAGING
from tests.conformance.broken_batches import KINDS, Breaking, batch
from tests.conformance.engine_views import EngineViews, ServedEngine, forget_databases
from tests.conformance.fixtures import NOW, Cloud, open_cloud
from tests.conformance.organize import HERE, ID, KNOWN, VIEW, Lake, OrganizeConformance, Row, Typed, flights

ADDED, REPLACED, MERGED, RESULT = "lake.ops.added", "lake.ops.replaced", "lake.ops.merged", "ops.public.out:result"
EVENTS = "events"
FEW = Expectation("few", "id < 3", "QUARANTINE", HERE)
NARROW: list[Typed] = [("id", "int", pa.int32()), ("carrier", "string", pa.string())]
WIDE: list[Typed] = [("id", "long", pa.int64()), ("carrier", "string", pa.string()), ("day", "date", pa.date32())]
MARKED: list[Typed] = [*ID, ("_deleted", "boolean", pa.bool_())]
LOADED = (  # of which the last one's are to be set aside
    [(1, "AA", 1.0), (2, "AA", 2.0), (3, "UA", 3.0), (4, "DL", 4.0)],
    [(2, "AA", 5.0), (6, "AA", 6.0), (7, "AA", 7.0), (8, "XX", 8.0)],
)
State = dict[str, list[str]]  # by table its rows, and what events tell; each as a text


class World:
    """A lake or warehouse with a program, and what is in it."""

    lake: Lake

    def batches(self) -> Iterator[str]:
        """The flow of each next batch, once what it takes is there: of each flow twice, the second time with other columns."""
        raise NotImplementedError

    def tables(self) -> set[str]:
        """'schema.table' of each there is."""
        raise NotImplementedError

    def rows(self, dataset: str) -> list[Row]:
        raise NotImplementedError

    def left(self) -> set[str]:
        """What batches have left beside tables."""
        raise NotImplementedError

    def age(self) -> None:
        """Makes what was left older than what maintenance lets be."""
        raise NotImplementedError

    def forget(self) -> None:
        """Removes what is not of its account's own."""

    def state(self) -> State:
        """All tables, what is to be published, and what was told."""
        cloud = self.lake.cloud
        found = {name: _texts(self.rows(f"lake.{name}")) for name in sorted(self.tables()) if name.startswith("ops.")}
        if cloud.reader.latest_version(RESULT) is not None:
            staged = cloud.rows(RESULT)
            found[RESULT] = _texts(staged.to_pylist() if staged is not None else [])
        events = cloud.reader.events(NOW - timedelta(days=1), cloud.clock.now + timedelta(days=1))
        return {**found, EVENTS: sorted(f"{one.kind} {one.flow} {_told(one.detail)}" for one in events)}


def _texts(rows: list[Row]) -> list[str]:
    return sorted(str(sorted(row.items())) for row in rows)


def _told(detail: Any) -> list[tuple[str, Any]]:
    return sorted((name, value) for name, value in detail.items() if name != "token")


class WarehouseWorld(World):
    """Loads in each mode, with rows that go and that are set aside; a view of these that sets rows aside, and its publication."""

    def __init__(self, suite: OrganizeConformance, cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
        suite.serve(cloud, patch)
        self._suite, self.lake = suite, Lake(cloud, suite.declaration, suite.open_driver())
        self.lake.options = suite.options

    def batches(self) -> Iterator[str]:
        lake = self.lake
        lake.collected(Mode.APPEND, ADDED)
        lake.collected(Mode.REPLACE, REPLACED)
        lake.collected(Mode.MERGE, MERGED, key=("id",), expectations=(KNOWN,))
        for number, (columns, more) in enumerate(((NARROW, ""), (WIDE, ", sum(delay) AS delay"))):
            query = f"SELECT carrier, count(*) AS id{more} FROM {MERGED} GROUP BY carrier"
            lake.view(query, Mode.MERGE, inputs=(MERGED,), key=("carrier",), expectations=(FEW,))
            lake.view(f"SELECT carrier, id FROM {VIEW}", Mode.MERGE, RESULT, (VIEW,), key=("carrier",))
            for dataset in (ADDED, REPLACED):
                rows = [{"id": one, "carrier": f"{dataset} {number}", "day": date(2026, 1, 1)} for one in range(3 - number)]
                lake.stage([{name: row[name] for name, *_ in columns} for row in rows], columns, dataset)
                yield f"{dataset}:load"
            rows = [{**row, "_deleted": False} for row in flights(*LOADED[number])]
            lake.stage(rows, MARKED, MERGED, left=[{"id": 3}] if number else None)
            yield f"{MERGED}:load"
            yield VIEW
            yield RESULT

    def tables(self) -> set[str]:
        rows = [{name.lower(): row[name] for name in row} for row in self.rows("lake.information_schema.tables")]
        return {f"{row['table_schema']}.{row['table_name']}".lower() for row in rows}

    def rows(self, dataset: str) -> list[Row]:
        return self._suite.read(self.lake.cloud, dataset)

    def left(self) -> set[str]:
        return {name for name in self.tables() if name.startswith(f"{STAGING}.")} - {f"{STAGING}.{MADE}"}

    def age(self) -> None:
        self.lake.cloud.clock.now = datetime.now(UTC) + timedelta(days=3)  # a double has a clock of its own

    def forget(self) -> None:
        self._suite.forget(self.lake.cloud)


VIEWS = """
CREATE MATERIALIZED VIEW lake.ops.carrier_day EVERY '1 hour' MERGE ON (carrier) EXPECT few: (id < 3) OR QUARANTINE
    AS SELECT carrier, count(*) AS id{0} FROM lake.ops.flights GROUP BY carrier;
CREATE MATERIALIZED VIEW lake.ops.added EVERY '1 hour' APPEND PARTITION BY (carrier) AS SELECT carrier, max(id) AS id{0}
    FROM lake.ops.flights WHERE _batch >= batch_start() AND _batch < batch_end() GROUP BY carrier;
CREATE MATERIALIZED VIEW lake.ops.replaced EVERY '1 hour' REPLACE
    AS SELECT carrier, max(id) AS id{0} FROM lake.ops.flights GROUP BY carrier;
INSERT INTO ops.public.out EVERY '1 hour' MERGE ON (carrier) AS SELECT carrier, id FROM lake.ops.carrier_day;
"""


class EngineWorld(World):
    """Views in each mode over a table of the lake, of which one sets rows aside, and a publication."""

    lake: EngineViews

    def __init__(self, views: EngineViews) -> None:
        self.lake = views

    def batches(self) -> Iterator[str]:
        for number, more in enumerate(("", ", sum(delay) AS delay")):
            self.lake.program(VIEWS.format(more), "MERGE ON (id)")
            self.lake.load(flights(*LOADED[number]))
            yield from (VIEW, ADDED, REPLACED, RESULT)

    def tables(self) -> set[str]:
        glue = self.lake.cloud.session.client("glue")
        return {f"ops.{table['Name']}" for table in glue.get_tables(DatabaseName="lake_ops")["TableList"]}

    def rows(self, dataset: str) -> list[Row]:
        return self.lake.rows(dataset)

    def left(self) -> set[str]:
        return {*self.lake.staging_tables()}

    def age(self) -> None:
        self.lake.age_staging_tables()

    def forget(self) -> None:
        forget_databases(self.lake.cloud)


class Lives:
    """Lives of one program, each in an account and with services of its own.

    calls: of each step of each batch of the last one.  faults: that were struck.  rows: that were looked at.
    """

    def __init__(self, opens: Callable[[Cloud, pytest.MonkeyPatch], World], patch: pytest.MonkeyPatch) -> None:
        self._opens, self._patch, self._breaking = opens, patch, Breaking(patch)
        self.calls, self.faults, self.rows = list[int](), 0, 0

    def lived(self, at: int = -1, kind: str = "") -> list[State]:
        """What there is after each batch, of each of whose steps that call broke."""
        self.calls, found = [], list[State]()
        for cloud in open_cloud(self._patch):
            world = self._opens(cloud, self._patch)
            cloud.session = self._breaking.session(cloud.session)
            for flow in world.batches():
                batch(world.lake, flow, self._breaking, at, kind)
                self.calls += self._breaking.calls.values()
                self.faults += self._breaking.faults
                found.append(world.state())
                self.rows += sum(len(rows) for name, rows in found[-1].items() if name != EVENTS)
                assert self._breaking.leaves or not world.left(), (flow, kind, at)
            if self._breaking.leaves:
                world.age()
                world.lake.driver().tidy()
                assert not world.left(), (kind, at)
            world.forget()
        return found


class OrganizeFaults:
    """every: of a step's calls one in so many breaks, of each kind others."""

    every: ClassVar[int] = 3

    def world(self, cloud: Cloud, patch: pytest.MonkeyPatch) -> World:
        raise NotImplementedError

    @pytest.mark.deep
    @pytest.mark.timeout(900)
    @pytest.mark.budget(60)
    def test_a_fault_in_each_step_changes_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        lives = Lives(self.world, monkeypatch)
        whole = lives.lived()
        assert lives.lived(max(lives.calls) // 3, "stopped after") == whole

    @pytest.mark.deep
    @pytest.mark.nightly
    @pytest.mark.timeout(3600)
    @pytest.mark.budget(600)
    @pytest.mark.parametrize("kind", KINDS)
    def test_whatever_breaks_all_ends_as_if_nothing_had(self, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        lives = Lives(self.world, monkeypatch)
        whole = lives.lived()
        chances, most = sum(lives.calls), max(lives.calls)
        met = range(zlib.crc32(kind.encode()) % self.every, most, self.every)
        lives.rows = 0
        for at in met:
            assert lives.lived(at, kind) == whole, (kind, at)
        print(f"{kind}: {lives.faults} faults at {lives.faults} of {chances} chances, {lives.rows} rows compared")
        assert lives.faults > 0.8 * chances / self.every


class WarehouseFaults(OrganizeFaults):
    """suite: the slice's own conformance suite."""

    suite: ClassVar[type[OrganizeConformance]]

    def world(self, cloud: Cloud, patch: pytest.MonkeyPatch) -> World:
        return WarehouseWorld(self.suite(), cloud, patch)


class EngineFaults(OrganizeFaults):
    """served: what puts the slice's engine into memory."""

    served: ClassVar[type[ServedEngine]]

    def world(self, cloud: Cloud, patch: pytest.MonkeyPatch) -> World:
        made = self.served()
        views = made.serve(cloud, patch)
        views.engine = made.engine
        return EngineWorld(views)
