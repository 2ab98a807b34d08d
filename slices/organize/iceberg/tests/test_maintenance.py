"""Maintenance changes what a table costs to read and never what is read, wherever it is stopped and whoever writes meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from shared_metadata.contract.maintenance import MaintainStep
from shared_metadata.errors import AtollError, DefinitionError, InputError
from shared_metadata.program import Mode
from slices.organize.iceberg import maintenance
from slices.organize.iceberg.handlers import open_driver
from slices.organize.iceberg.slice import SLICE
from slices.organize.iceberg.tables import Tables
from slices.organize.iceberg.tests.test_conformance import TestConformance as Suite
from slices.organize.iceberg.tests.test_tables import table
from tests.conformance.fixtures import FakeContext, open_cloud, run_batch
from tests.conformance.organize import FLIGHTS, VIEW, Lake, flights

MANY = 20


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    for cloud in open_cloud(monkeypatch):
        yield Lake(cloud, SLICE, open_driver)
        Suite().forget(cloud)


def maintain(lake: Lake, event: dict[str, Any] | None = None, seconds: float = 900) -> dict[str, Any]:
    step = MaintainStep(SLICE, lake.cloud.services(SLICE.id), open_driver)
    return step(event or {"dataset": FLIGHTS}, FakeContext(seconds))


def ids(lake: Lake, dataset: str = FLIGHTS, pointer: Any = None) -> list[int]:
    return sorted(row["id"] for row in Suite().read(lake.cloud, dataset, pointer))


def filled(lake: Lake, mode: Mode = Mode.APPEND, batches: int = MANY, **clauses: Any) -> list[int]:
    """A table of so many batches, each of a row of its own; the ids."""
    lake.collected(mode, **({"key": ("id",)} if mode == Mode.MERGE else {}), **clauses)
    for number in range(batches):
        lake.load(flights((number, "AA")))
    return list(range(batches))


def data_files(lake: Lake) -> int:
    return len(list(table(lake).scan().plan_files()))


@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.MERGE])
def test_small_files_become_one_and_every_version_reads_as_before(lake: Lake, mode: Mode) -> None:
    expected = filled(lake, mode)
    versions = lake.cloud.reader.versions_after(FLIGHTS, lake.cloud.clock.now - timedelta(days=9))
    (done,) = maintain(lake)["tables"]
    assert (done["compacted_files"], done["new_files"], data_files(lake)) == (MANY, 1, 1)
    assert ids(lake) == expected
    assert [ids(lake, FLIGHTS, version.pointer) for version in versions] == [expected[: n + 1] for n in range(MANY)]
