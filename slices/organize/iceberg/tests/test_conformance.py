"""The organize conformance suite over Iceberg; tables are read back with pyiceberg, not with the engine that wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from pyiceberg.catalog.glue import GlueCatalog

from shared_metadata import naming
from slices.organize.iceberg.handlers import open_driver
from slices.organize.iceberg.slice import SLICE
from tests.conformance.fixtures import Cloud
from tests.conformance.organize import OrganizeConformance


class TestConformance(OrganizeConformance):
    declaration = SLICE

    def open_driver(self) -> Any:
        return open_driver

    def read(self, cloud: Cloud, dataset: str, pointer: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        warehouse, schema, table = dataset.split(".")
        catalog = GlueCatalog("reader", client=cloud.session.client("glue"), **{"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"})
        found = catalog.load_table((naming.database(warehouse, schema), table))
        snapshot = int(pointer["snapshot_id"]) if pointer else None
        rows: list[dict[str, Any]] = found.scan(snapshot_id=snapshot).to_arrow().to_pylist()
        return rows

    def forget(self, cloud: Cloud) -> None:
        glue = cloud.session.client("glue")
        for database in glue.get_databases()["DatabaseList"]:
            glue.delete_database(Name=database["Name"])


@pytest.mark.deep
class TestConformanceByTasks(TestConformance):
    """The same, each step that moves rows being a task of Fargate."""

    options: ClassVar[Mapping[str, Any]] = {"run": "task"}
