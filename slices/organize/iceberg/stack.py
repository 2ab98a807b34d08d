"""The stack OrganizeIcebergSlice."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from infra import slice_stack
from infra.settings import Settings
from shared_metadata import naming
from shared_metadata.program import Program
from slices.organize.iceberg.slice import SLICE
from slices.organize.iceberg.workflow import workflow

READ_CATALOG = ["glue:GetDatabase", "glue:GetTable"]
WRITE_CATALOG = ["glue:CreateDatabase", "glue:CreateTable", "glue:UpdateTable"]
TABLES = "Glue tables of the program's own schemas, which appear as batches make them"
WAREHOUSE = "objects of the program's own warehouses, whose keys Iceberg chooses"
SNAPSHOTS = "the metadata files of the program's own tables, which appear as batches make them"
STAGED = "what the collect slices of this program staged, whose keys hold batches and tokens"


class SliceStack(slice_stack.SliceStack):
    """plan ▸ load | refresh ▸ check ▸ commit; beside the batches, landed."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, SLICE, program, settings, **stack_settings)
        self.step("plan", memory_mb=256, timeout_seconds=120, data=False)
        load = self.step("load", memory_mb=2048, timeout_seconds=900, data=True, tmp_mb=4096)
        refresh = self.step("refresh", memory_mb=3072, timeout_seconds=900, data=True, tmp_mb=10240)
        check = self.step("check", memory_mb=2048, timeout_seconds=900, data=True, tmp_mb=4096)
        commit = self.step("commit", memory_mb=2048, timeout_seconds=900, data=True, tmp_mb=4096)  # MERGE writes files anew
        for step in (load, refresh, check, commit):
            step.write_objects([self.staging], slice_stack.OWN_STAGING)
            step.read_objects(self._staged, STAGED)
            step.write_objects(self._warehouses, WAREHOUSE)  # rows that cannot stay where they were staged
            step.allow(READ_CATALOG, self._catalog, TABLES)
        commit.delete_objects(self._warehouses, WAREHOUSE)  # Iceberg drops metadata files that are older than it keeps
        commit.allow(WRITE_CATALOG, self._catalog, TABLES)
        landed = self.landed(memory_mb=512)
        landed.read_objects([f"{prefix}*/metadata/" for prefix in self._warehouses], SNAPSHOTS)
        landed.allow(READ_CATALOG, self._catalog, TABLES)
        self.finish(workflow)

    @property
    def _staged(self) -> list[str]:
        return [naming.staging_prefix(name) for name in self.program.slice_ids if name.startswith("collect.")]

    @property
    def _warehouses(self) -> list[str]:
        return [f"warehouse/{w.name}/" for w in self.program.warehouses.values() if w.system == SLICE.system]

    @property
    def _catalog(self) -> list[str]:
        """The account's catalog, and the databases of the program's schemas with their tables."""
        flows = [flow for flow in self.program.flows.values() if flow.slice_id == SLICE.id]
        names = {table.dataset.split(":")[0] for flow in flows for table in flow.tables}
        names |= {naming.rejected_table(t.dataset, f.warehouse) for f in flows if f.quarantines for t in f.tables}
        mine = sorted({naming.glue_database(*name.split(".")[:2]) for name in names if name.split(".")[0] in self.program.warehouses})
        databases = [self.places.glue(f"database/{name}") for name in mine]
        return [self.places.glue("catalog"), *databases, *(self.places.glue(f"table/{name}/*") for name in mine)]
