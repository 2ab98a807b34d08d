"""The organize conformance suite over Redshift's double; tables are read back by a session of another's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from slices.organize.redshift import named
from slices.organize.redshift.handlers import open_driver
from slices.organize.redshift.slice import SLICE
from tests.conformance.fixtures import BESIDE, Cloud, shared_session
from tests.conformance.organize import OrganizeConformance, Row
from tests.memory.redshift import MemoryRedshift

WORKGROUP, DATABASE, ROLE = "atoll-organize-redshift-lake", "dev", f"arn:aws:iam::000000000000:role/{named.role()}"


def serve(monkeypatch: pytest.MonkeyPatch) -> MemoryRedshift:
    """Redshift in memory, with an empty workgroup."""
    service = MemoryRedshift(shared_session)
    service.make(WORKGROUP, DATABASE, ROLE)
    monkeypatch.setitem(BESIDE, "redshift-data", service)
    monkeypatch.setenv(named.ROLE_VARIABLE, ROLE)
    return service


def rows_of(service: MemoryRedshift, dataset: str) -> list[Row]:
    """A table's rows as another session sees them."""
    _, schema, name = dataset.split(".")
    return service.asked(WORKGROUP, DATABASE, f'SELECT * FROM "{schema}"."{name}"')


class TestConformance(OrganizeConformance):
    declaration, options = SLICE, {"managed": True}

    def serve(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = serve(monkeypatch)

    def open_driver(self) -> Any:
        return open_driver

    def read(self, cloud: Cloud, dataset: str, pointer: Mapping[str, Any] | None = None) -> list[Row]:
        return rows_of(self.service, dataset)
