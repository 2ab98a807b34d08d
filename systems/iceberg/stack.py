"""What the stacks of a lake's slices share: their steps, sizes and grants. Runs where the program is deployed, in no function."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from infra import slice_stack
from infra.functions import AtollFunction
from infra.settings import Settings
from infra.slice_stack import Workflow
from shared_metadata import naming
from shared_metadata.contract import made_for
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Program

READ_CATALOG = ["glue:GetDatabase", "glue:GetTable"]
WRITE_CATALOG = ["glue:CreateDatabase", "glue:CreateTable", "glue:UpdateTable"]
TABLES = "Glue databases and tables of the program's own warehouses, which appear as schemas are applied and batches make them"
MOST_MEMORY_MB = 3008  # what a new account allows: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
WAREHOUSE = "objects of the program's own warehouses, whose keys Iceberg chooses"
SNAPSHOTS = "the metadata files of the program's own tables, which appear as batches make them"
STAGED = "what the collect slices of this program staged, whose keys hold batches and tokens"


class LakeStack(slice_stack.SliceStack):
    """plan ▸ load | refresh ▸ check ▸ commit; and, beside the batches, landed and maintain."""

    def __init__(
        self, scope: Construct, program: Program, settings: Settings, *, declaration: Slice, workflow: Workflow, **stack_settings: Any
    ) -> None:
        super().__init__(scope, declaration, program, settings, **stack_settings)
        self.step("plan", memory_mb=256, timeout_seconds=120, data=False)
        if "load" in declaration.steps:
            self._of_batch("load", memory_mb=2048, tmp_mb=4096)
        self._of_batch("refresh", memory_mb=MOST_MEMORY_MB, tmp_mb=10240)
        self._of_batch("check", memory_mb=2048, tmp_mb=4096)
        commit = self._of_batch("commit", memory_mb=2048, tmp_mb=4096)  # MERGE writes files anew
        commit.delete_objects(self._warehouses, WAREHOUSE)  # Iceberg drops metadata files that are older than it keeps
        commit.allow(WRITE_CATALOG, self._catalog, TABLES)
        landed = self.landed(memory_mb=512)
        landed.read_objects([f"{prefix}*/metadata/" for prefix in self._warehouses], SNAPSHOTS)
        landed.allow(READ_CATALOG, self._catalog, TABLES)
        self._maintain()
        self.engine()
        self.finish(workflow)

    def engine(self) -> None:
        """What an engine elsewhere needs; nothing where the functions compute."""

    def _of_batch(self, name: str, *, memory_mb: int, tmp_mb: int) -> AtollFunction:
        """A step that reads what is staged, and writes what becomes the table's."""
        step = self.step(name, memory_mb=memory_mb, timeout_seconds=900, data=True, tmp_mb=tmp_mb)
        step.write_objects([self.staging], slice_stack.OWN_STAGING)
        step.read_objects(self.staged, STAGED)
        step.write_objects(self._warehouses, WAREHOUSE)  # rows that cannot stay where they were staged
        step.allow(READ_CATALOG, self._catalog, TABLES)
        return step

    def _maintain(self) -> None:
        """The only function that deletes what was table data, or staged to become it."""
        maintain = self.maintain(memory_mb=2048, tmp_mb=4096)
        maintain.write_objects(self._warehouses, WAREHOUSE)
        maintain.read_objects(self.staged, STAGED)
        maintain.delete_objects([self.staging], slice_stack.OWN_STAGING)
        maintain.delete_objects(self.staged, STAGED)
        maintain.delete_objects(self._warehouses, WAREHOUSE)
        maintain.allow([*READ_CATALOG, "glue:UpdateTable"], self._catalog, TABLES)

    @property
    def _warehouses(self) -> list[str]:
        return [f"warehouse/{name}/" for name in self.warehouses]

    @property
    def _catalog(self) -> list[str]:
        """The account's catalog, and of each warehouse all databases that can be its schemas', with their tables.

        A schema that is applied later needs no other grants; that a database of such a name is Atoll's, `Tables` looks after.
        """
        return self.catalog([naming.database(name, "*") for name in self.warehouses])

    def catalog(self, databases: list[str]) -> list[str]:
        """The account's catalog, and these databases with their tables."""
        named = [self.places.arn("glue", f"database/{name}") for name in databases]
        return [self.places.arn("glue", "catalog"), *named, *(self.places.arn("glue", f"table/{name}/*") for name in databases)]

    @property
    def warehouses(self) -> list[str]:
        """The names of the program's lakes."""
        return list(made_for.warehouses(self.declaration, self.program))
