"""The stack CollectS3Slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import aws_iam as iam
from constructs import Construct

from infra import slice_stack
from infra.functions import AtollFunction
from infra.settings import Settings
from shared_metadata.contract import made_for
from shared_metadata.program import Program
from slices.collect.s3.config import Config, read_config
from slices.collect.s3.slice import SLICE
from slices.collect.s3.workflow import workflow

OBJECTS = "the objects below the prefix that a connection of the program names"


class SliceStack(slice_stack.SliceStack):
    """plan ▸ extract* ▸ commit. Plan looks into the newest objects, since nothing else tells what columns files have."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, SLICE, program, settings, **stack_settings)
        plan = self.step("plan", memory_mb=512, timeout_seconds=900, data=True)
        extract = self.step("extract", memory_mb=2048, timeout_seconds=900, data=True, tmp_mb=2048)
        commit = self.step("commit", memory_mb=256, timeout_seconds=300, data=False)
        for step in (plan, extract, commit):
            step.write_objects([self.staging], slice_stack.OWN_STAGING)
        extract.read_secrets(self.mask_keys)
        discover = self.discover(data=True)
        for step in (plan, extract, discover):
            self._read(step, self._places())
        self.finish(workflow)

    def _places(self) -> list[Config]:
        """What the connections of the slice's flows name."""
        return [read_config(self.program.connections[name]) for name in made_for.connections(SLICE, self.program)]

    def _read(self, step: AtollFunction, places: Sequence[Config]) -> None:
        for config in places:
            bucket = f"arn:{self.partition}:s3:::{config.bucket}"
            step.allow(["s3:GetObject"], [f"{bucket}/{config.prefix}*"], OBJECTS)
            below = {"StringLike": {"s3:prefix": f"{config.prefix}*"}} if config.prefix else None
            step.role.add_to_policy(iam.PolicyStatement(actions=["s3:ListBucket"], resources=[bucket], conditions=below))
            if config.kms_key:
                region = config.kms_key.split(":")[3]
                via = {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}}
                step.role.add_to_policy(iam.PolicyStatement(actions=["kms:Decrypt"], resources=[config.kms_key], conditions=via))
