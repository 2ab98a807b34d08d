"""The stack of a source that airbyte-cdk reads, such as CollectChargebeeSlice."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from infra import slice_stack
from infra.settings import Settings
from infra.workflows import collect_workflow
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Program


class SliceStack(slice_stack.SliceStack):
    """plan ▸ extract* ▸ commit. Plan, extract and discover run airbyte-cdk, which takes two seconds of a processor to begin."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, *, declaration: Slice, **stack_settings: Any) -> None:
        super().__init__(scope, declaration, program, settings, reaches_internet=True, **stack_settings)
        plan = self.step("plan", memory_mb=1024, timeout_seconds=900, data=False)
        extract = self.step("extract", memory_mb=3072, timeout_seconds=900, data=True, tmp_mb=4096)
        commit = self.step("commit", memory_mb=256, timeout_seconds=300, data=False)
        for step in (plan, extract, commit):
            step.write_objects([self.staging], slice_stack.OWN_STAGING)
        for step in (plan, extract):
            step.read_secrets(self.secrets)
        extract.read_secrets(self.mask_keys)
        self.discover(data=False, memory_mb=1024)
        self.finish(collect_workflow)
