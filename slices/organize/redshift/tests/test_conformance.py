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
MANAGED: Mapping[str, Any] = {"managed": True}
CLUSTER: Mapping[str, Any] = {"cluster_identifier": "analytics", "db_user": "atoll"}
WORKGROUP_OF_THEIRS: Mapping[str, Any] = {
    **{"workgroup": "reports", "workgroup_id": "01234567-89ab-cdef-0123-456789abcdef", "secret": "dwh"},
}


def serve(monkeypatch: pytest.MonkeyPatch, name: str = WORKGROUP, kind: str = "workgroup") -> MemoryRedshift:
    """Redshift in memory, with an empty workgroup or cluster."""
    service = MemoryRedshift(shared_session)
    service.make(name, DATABASE, ROLE, kind)
    monkeypatch.setitem(BESIDE, "redshift-data", service)
    monkeypatch.setenv(named.ROLE_VARIABLE, ROLE)
    return service


def rows_of(service: MemoryRedshift, dataset: str, warehouse: str = WORKGROUP) -> list[Row]:
    """A table's rows as another session sees them."""
    _, schema, name = dataset.split(".")
    return service.asked(warehouse, DATABASE, f'SELECT * FROM "{schema}"."{name}"')


class TestConformance(OrganizeConformance):
    declaration, options = SLICE, MANAGED
    warehouse, kind, signs_in = WORKGROUP, "workgroup", ("SecretArn", f"redshift!{WORKGROUP}-atoll")

    def serve(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = serve(monkeypatch, self.warehouse, self.kind)

    def forget(self, cloud: Cloud) -> None:
        """Each statement of the test was signed in to as the options say, and in no other way."""
        for one in self.service.double.statements.values():
            assert [(name, one[name]) for name in ("SecretArn", "DbUser") if name in one] == [self.signs_in]

    def open_driver(self) -> Any:
        return open_driver

    def read(self, cloud: Cloud, dataset: str, pointer: Mapping[str, Any] | None = None) -> list[Row]:
        return rows_of(self.service, dataset, self.warehouse)
