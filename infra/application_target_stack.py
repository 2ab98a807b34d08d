"""The stack of a slice that publishes to an application by systems/application_target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from constructs import Construct

from infra.functions import AtollFunction
from infra.settings import Settings
from infra.slice_stack import Workflow
from infra.target_stack import TargetStack
from shared_metadata import naming
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Program

JOURNAL = "what of the slice's publications was sent, and how far it came"


class ApplicationTargetStack(TargetStack):
    """plan ▸ diff ▸ publish* ▸ commit; only publish opens the application."""

    def __init__(
        self, scope: Construct, program: Program, settings: Settings, *, declaration: Slice, workflow: Workflow, **stack_settings: Any
    ) -> None:
        super().__init__(scope, program, settings, declaration=declaration, **stack_settings)
        journal = [naming.journal_prefix(declaration.id)]
        self.diff.read_objects(journal, JOURNAL)
        self.publish.write_objects(journal, JOURNAL)
        self.publish.rotate_secrets(self.rotating_secrets)
        self.landed(memory_mb=256).read_objects(journal, JOURNAL)
        self.reach([self.discover(data=True)] if declaration.discovers else [])
        self.finish(workflow)

    def reach(self, looking: Sequence[AtollFunction]) -> None:
        """Grants what else an application is reached by.  looking: what only looks at it."""
