"""Readers in Redshift's double while batches are committed: PostgreSQL's snapshots stand for those of Redshift's isolation."""

from __future__ import annotations

import pytest

from shared_metadata.program import Mode
from slices.organize.redshift.handlers import open_driver
from slices.organize.redshift.slice import SLICE
from slices.organize.redshift.tests.test_conformance import rows_of, serve
from tests.conformance.fixtures import open_cloud
from tests.conformance.organize import FLIGHTS, Lake
from tests.conformance.readers import first_whole_or_not_there, never_missing_or_half

pytestmark = [pytest.mark.deep, pytest.mark.budget(60)]


@pytest.mark.parametrize("mode", [Mode.REPLACE, Mode.MERGE])
def test_a_reader_never_sees_the_table_missing_or_half(monkeypatch: pytest.MonkeyPatch, mode: Mode) -> None:
    for cloud in open_cloud(monkeypatch):
        lake, service = Lake(cloud, SLICE, open_driver), serve(monkeypatch)
        lake.options = {"managed": True}
        never_missing_or_half(lake, mode, lambda: rows_of(service, FLIGHTS))  # noqa: B023


@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.MERGE])
def test_a_reader_sees_no_table_and_then_the_whole_first_batch(monkeypatch: pytest.MonkeyPatch, mode: Mode) -> None:
    for cloud in open_cloud(monkeypatch):
        lake, service = Lake(cloud, SLICE, open_driver), serve(monkeypatch)
        lake.options = {"managed": True}
        first_whole_or_not_there(lake, mode, lambda: rows_of(service, FLIGHTS))  # noqa: B023
