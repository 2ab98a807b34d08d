"""The stack of a slice that publishes to a database by systems/sql_target."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from infra.settings import Settings
from infra.slice_stack import Workflow
from infra.target_stack import TargetStack
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Program


class SqlTargetStack(TargetStack):
    """plan ▸ diff ▸ publish* ▸ commit."""

    def __init__(
        self, scope: Construct, program: Program, settings: Settings, *, declaration: Slice, workflow: Workflow, **stack_settings: Any
    ) -> None:
        super().__init__(scope, program, settings, declaration=declaration, **stack_settings)
        self.discover(data=True)  # its bundle has the driver
        self.landed(memory_mb=256).read_secrets(self.secrets)
        self.finish(workflow)
