"""An hourly view and a slower one over it switch together at their boundary, while others read their tables all the time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared_metadata.program import Flow, Kind, Mode, Program, Table
from shared_metadata.program.intervals import floor, to_text
from shared_metadata.state.schedule import due_batches
from shared_metadata.update_set.applying import moment_of, switch_to
from slices.organize.iceberg.handlers import open_driver
from slices.organize.iceberg.slice import SLICE
from slices.organize.iceberg.tests import test_conformance
from tests.conformance.fixtures import open_cloud, run_batch
from tests.conformance.organize import FLIGHTS, HERE, Lake, flights
from tests.watcher import Watcher

HOURLY, SLOW = "lake.ops.hourly", "lake.ops.slow"
MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    for cloud in open_cloud(monkeypatch):
        cloud.clock.now = MIDNIGHT - 5 * HOUR + timedelta(minutes=1)
        lake = Lake(cloud, SLICE, open_driver)
        lake.collected(Mode.APPEND)
        yield lake
        test_conformance.TestConformance().forget(cloud)


def program(lake: Lake, made: str, more: str = "") -> Program:
    """Both views say by which program they are made; the slow one also by which the hourly one was, that it has read."""
    hourly = f"SELECT '{made}' AS made, count(*) AS n{', max(id) AS top' if more else ''} FROM {FLIGHTS}"
    slow = f"SELECT '{made}' AS made, made AS below, n{more} FROM {HOURLY}"
    views = (_view(HOURLY, hourly, FLIGHTS, 1), _view(SLOW, slow, HOURLY, 3))
    warehouses = lake.cloud.reader.active_program().warehouses
    return Program({}, warehouses, {**lake.flows, **{view.id: view for view in views}})


def _view(dataset: str, query: str, source: str, hours: int, mode: Mode = Mode.REPLACE) -> Flow:
    table = Table(dataset, inputs=(source,))
    return Flow(dataset, Kind.VIEW, SLICE.id, "lake", hours * 3600, (table,), HERE, mode=mode, query=query)


def hour(lake: Lake) -> list[str]:
    """One more hour passes: rows come, and all that is due then runs, by the timeline."""
    lake.stage(flights((lake.cloud.clock.now.hour, "AA")))
    lake.cloud.clock.now = lake.cloud.clock.now.replace(minute=1)
    ran = []
    reader = lake.cloud.reader
    while True:
        programs = reader.programs()
        due = due_batches(programs, reader.flow_states(list(programs.flow_ids)), lake.cloud.clock.now)
        mine = [batch for batch in due if batch.slice_id == SLICE.id]
        if not mine:
            return ran
        for batch in mine:
            if batch.advanced:
                lake.cloud.writer.settle(programs, batch.flow)
            run_batch(lake.steps(), batch.execution_input())
            ran.append(f"{batch.flow} {batch.interval.start:%H}")


def watcher(lake: Lake, dataset: str) -> Watcher[list[dict[str, Any]]]:
    suite = test_conformance.TestConformance()
    return Watcher(lambda: suite.read(lake.cloud, dataset))


@pytest.mark.deep
def test_both_views_switch_at_one_boundary_and_nobody_sees_half_of_it(lake: Lake) -> None:
    cloud = lake.cloud
    old = program(lake, "old")
    cloud.writer.put_program(old)
    cloud.writer.activate(old, former_version=cloud.reader.active_version())
    for _ in range(4):
        hour(lake)
    new = program(lake, "new", ", top")
    cloud.writer.put_program(new)
    moment = moment_of(cloud.writer.reader, new, cloud.clock.now)
    assert moment.effect.boundary == MIDNIGHT, to_text(moment.effect.boundary)
    switch_to(cloud.writer, new, moment, by="ann")
    watchers = [watcher(lake, HOURLY), watcher(lake, SLOW)]
    for each in watchers:
        each.start()
    for _ in range(5):
        hour(lake)
    hourly, slow = (each.stop() for each in watchers)
    for states in (hourly, slow):
        made = [row["made"] for rows in states for row in rows]
        assert all(len(rows) == 1 for rows in states), "a table is one row at each moment"
        assert made == sorted(made, reverse=True) and set(made) == {"old", "new"}, made
    assert all(row["made"] == row["below"] for rows in slow for row in rows)
    last = cloud.reader.batch(SLOW, MIDNIGHT)
    assert last and last.program_version == new.version
    before = cloud.reader.batch(HOURLY, MIDNIGHT - HOUR)
    assert before and before.program_version == old.version


def test_a_column_that_an_update_set_adds_is_filled_by_restatement_from_its_boundary_on(lake: Lake) -> None:
    """The table is read all the while: each hour once, whichever program has made it."""
    cloud = lake.cloud

    def counted(more: str = "") -> Program:
        query = f"SELECT batch_start() AS hour, count(*) AS n{more} FROM {FLIGHTS}"
        view = _view(HOURLY, query, FLIGHTS, 1, Mode.APPEND)
        return Program({}, cloud.reader.active_program().warehouses, {**lake.flows, view.id: view})

    old, new = counted(), counted(", max(id) AS top")
    cloud.writer.put_program(old)
    cloud.writer.activate(old, former_version=cloud.reader.active_version())
    for _ in range(4):
        hour(lake)
    rows = test_conformance.TestConformance().read(cloud, HOURLY)
    cloud.writer.put_program(new)
    since = floor(cloud.clock.now, 3600) - 2 * HOUR
    switch_to(cloud.writer, new, moment_of(cloud.writer.reader, new, cloud.clock.now, restate_from=since), by="ann")
    reader = watcher(lake, HOURLY)
    reader.start()
    assert hour(lake)[0] == f"{HOURLY} {since:%H}"
    for states in reader.stop():
        hours = [row["hour"] for row in states]
        assert len(set(hours)) == len(hours) >= len(rows)
    after = {row["hour"]: row for row in test_conformance.TestConformance().read(cloud, HOURLY)}
    assert {at: (row["n"], row["top"] is not None) for at, row in after.items() if at < since} == {
        row["hour"]: (row["n"], False) for row in rows if row["hour"] < since
    }
    assert all(row["top"] is not None for at, row in after.items() if at >= since)
    assert {row["hour"] for row in rows} < set(after)
