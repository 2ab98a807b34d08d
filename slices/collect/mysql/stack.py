"""The stack CollectMysqlSlice."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from infra import slice_stack
from infra.settings import Settings
from shared_metadata.program import Program
from slices.collect.mysql.slice import SLICE
from slices.collect.mysql.workflow import workflow


class SliceStack(slice_stack.SliceStack):
    """plan ▸ extract* ▸ commit."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, SLICE, program, settings, **stack_settings)
        plan = self.step("plan", memory_mb=256, timeout_seconds=300, data=False)
        extract = self.step("extract", memory_mb=2048, timeout_seconds=900, data=True, tmp_mb=2048)
        commit = self.step("commit", memory_mb=256, timeout_seconds=300, data=False)
        for step in (plan, extract, commit):
            step.write_objects([self.staging], slice_stack.OWN_STAGING)
        for step in (plan, extract):
            step.read_secrets(self.secrets)
        extract.read_secrets(self.mask_keys)
        self.discover(data=False)
        self.finish(workflow)
