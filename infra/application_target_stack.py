"""The stack of a slice that publishes to an application by systems/application_target."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from infra import slice_stack
from infra.settings import Settings
from infra.slice_stack import Workflow
from infra.sql_target_stack import REJECTED, RESULTS
from shared_metadata import naming
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Program

JOURNAL = "what of the slice's publications was sent, and how far it came"


class ApplicationTargetStack(slice_stack.SliceStack):
    """plan ▸ diff ▸ publish* ▸ commit; only publish opens the application."""

    def __init__(
        self, scope: Construct, program: Program, settings: Settings, *, declaration: Slice, workflow: Workflow, **stack_settings: Any
    ) -> None:
        super().__init__(scope, declaration, program, settings, **stack_settings)
        self.step("plan", memory_mb=256, timeout_seconds=120, data=False)
        diff = self.step("diff", memory_mb=2048, timeout_seconds=900, data=True, tmp_mb=4096)
        publish = self.step("publish", memory_mb=1024, timeout_seconds=900, data=True, tmp_mb=2048)
        self.step("commit", memory_mb=256, timeout_seconds=120, data=False)
        rejected, journal = naming.rejected_prefix(declaration.id), naming.journal_prefix(declaration.id)
        for step in (diff, publish):
            step.write_objects([self.staging], slice_stack.OWN_STAGING)
            step.read_objects(self.staged, RESULTS)
            step.read_secrets(self.secrets)
        diff.read_objects([rejected], REJECTED)
        diff.read_objects([journal], JOURNAL)
        publish.write_objects([rejected], REJECTED)
        publish.write_objects([journal], JOURNAL)
        self.landed(memory_mb=256).read_objects([journal], JOURNAL)
        self.finish(workflow)
