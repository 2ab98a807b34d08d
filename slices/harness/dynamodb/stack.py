"""The stack HarnessDynamoDBSlice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from constructs import Construct

from infra.application_target_stack import ApplicationTargetStack
from infra.functions import AtollFunction
from infra.settings import Settings
from shared_metadata.contract import made_for
from shared_metadata.program import Program
from slices.harness.dynamodb.config import Config, read_config
from slices.harness.dynamodb.slice import SLICE
from slices.harness.dynamodb.workflow import workflow

DESCRIBE = ["dynamodb:DescribeTable"]
WRITE = [*DESCRIBE, "dynamodb:DeleteItem", "dynamodb:PutItem"]


class SliceStack(ApplicationTargetStack):
    """plan ▸ diff ▸ publish* ▸ commit. Diff asks what the tables' keys are, publish writes."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, program, settings, declaration=SLICE, workflow=workflow, **stack_settings)

    def reach(self, looking: Sequence[AtollFunction]) -> None:
        """Grants exactly the tables that the program's connections name, or the roles by which they are reached."""
        for name in made_for.connections(SLICE, self.program):
            config = read_config(self.program.connections[name])
            for step in (self.diff, *looking):
                self._grant(step, DESCRIBE, config)
            self._grant(self.publish, WRITE, config)

    def _grant(self, step: AtollFunction, actions: list[str], config: Config) -> None:
        if config.role:
            step.allow(["sts:AssumeRole"], [config.role])
            return
        below = f"arn:{self.partition}:dynamodb:{config.region or self.region}:{self.account}:table"
        step.allow(actions, [f"{below}/{name}" for name in sorted(config.names.values())])
