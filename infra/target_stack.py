"""The steps of a slice that publishes, whatever it publishes to."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from infra import slice_stack
from infra.settings import Settings
from shared_metadata import naming
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Program

RESULTS = "what the organize slices of this program computed, whose keys hold batches and tokens"
REJECTED = "rows that a target has refused, whose keys hold batches and tokens"


class TargetStack(slice_stack.SliceStack):
    """plan ▸ diff ▸ publish* ▸ commit; a kind of target adds what it knows of itself, and finishes."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, *, declaration: Slice, **stack_settings: Any) -> None:
        super().__init__(scope, declaration, program, settings, **stack_settings)
        self.step("plan", memory_mb=256, timeout_seconds=120, data=False)
        self.diff = self.step("diff", memory_mb=2048, timeout_seconds=900, data=True, tmp_mb=4096)
        self.publish = self.step("publish", memory_mb=1024, timeout_seconds=900, data=True, tmp_mb=2048)
        self.step("commit", memory_mb=256, timeout_seconds=120, data=False)
        rejected = naming.rejected_prefix(declaration.id)
        for step in (self.diff, self.publish):
            step.write_objects([self.staging], slice_stack.OWN_STAGING)
            step.read_objects(self.staged, RESULTS)
            step.read_secrets(self.secrets)
        self.diff.read_objects([rejected], REJECTED)
        self.publish.write_objects([rejected], REJECTED)
