"""Readers in Redshift's double while batches are committed: PostgreSQL's snapshots stand for those of Redshift's isolation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slices.organize.redshift.handlers import open_driver
from slices.organize.redshift.slice import SLICE
from slices.organize.redshift.tests.test_conformance import rows_of, serve
from tests.conformance.fixtures import open_cloud
from tests.conformance.organize import FLIGHTS, Lake
from tests.conformance.readers import ReadersConformance, Reading

pytestmark = [pytest.mark.deep, pytest.mark.budget(60)]


class TestReaders(ReadersConformance):
    @pytest.fixture
    def reading(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reading]:
        for cloud in open_cloud(monkeypatch):
            lake, service = Lake(cloud, SLICE, open_driver), serve(monkeypatch)
            lake.options = {"managed": True}
            yield lake, lambda: rows_of(service, FLIGHTS)  # noqa: B023
