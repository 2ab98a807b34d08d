"""The stack CollectAtollSlice."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from infra import slice_stack
from infra.settings import Settings
from shared_metadata import naming
from shared_metadata.program import Program
from slices.collect.atoll.slice import SLICE
from slices.collect.atoll.workflow import workflow

REJECTED = "rows that targets have refused, whose keys hold flows, batches and tokens"


class SliceStack(slice_stack.SliceStack):
    """plan ▸ extract* ▸ commit. Nothing is read but the installation's own records, so there is no secret."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, SLICE, program, settings, **stack_settings)
        plan = self.step("plan", memory_mb=512, timeout_seconds=900, data=False)
        extract = self.step("extract", memory_mb=1024, timeout_seconds=900, data=True, tmp_mb=1024)
        commit = self.step("commit", memory_mb=256, timeout_seconds=300, data=False)
        for step in (plan, extract, commit):
            step.write_objects([self.staging], slice_stack.OWN_STAGING)
        extract.read_secrets(self.mask_keys)
        extract.read_objects([naming.rejected_prefix("harness.").removesuffix("/")], REJECTED)
        self.discover(data=False)
        self.finish(workflow)
